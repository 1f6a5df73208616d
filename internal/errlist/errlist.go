// Package errlist joins errors the way an operator reads them: one alone as it is, several one a line.
package errlist

import (
	"errors"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Join returns nil when every error is nil, the error itself when there is one, and otherwise a *multierror.Error that
// holds them in the order given. errors.Is and errors.As reach inside.
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

// Split returns the errors that Join joined: err alone where it is not joined, none where it is nil.
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
