package errs

import (
	"errors"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Join makes one error of several failures, for people to read: one a line, in the order given. It
// returns nil when every error is nil, and the error itself when there is one. Joined errors among
// them are taken apart. errors.Is and errors.As reach inside.
func Join(errs ...error) error {
	var all *multierror.Error
	for _, err := range errs {
		if err != nil {
			all = multierror.Append(all, err)
		}
	}
	switch {
	case all == nil:
		return nil
	case len(all.Errors) == 1:
		return all.Errors[0]
	}
	all.ErrorFormat = format
	return all
}

func format(errs []error) string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(len(errs)) + " errors:")
	for _, err := range errs {
		b.WriteString("\n  - " + strings.ReplaceAll(err.Error(), "\n", "\n    "))
	}
	return b.String()
}

// Split returns the errors that [Join] joined: err alone where it is not joined, none where it is
// nil.
func Split(err error) []error {
	var all *multierror.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &all) && error(all) == err:
		return all.Errors
	}
	return []error{err}
}

// children returns the errors that err wraps directly.
func children(err error) []error {
	switch e := err.(type) {
	case *multierror.Error: // its Unwrap returns a type that hides the errors
		return e.Errors
	case interface{ Unwrap() []error }:
		return e.Unwrap()
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return []error{inner}
		}
	}
	return nil
}

// Reasons makes one error of several reasons, in one line; nil for none.
func Reasons(list []string) error {
	if len(list) == 0 {
		return nil
	}
	return errors.New(strings.Join(list, "; "))
}
