package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/pgha/toolkit/pgha/errs"
)

// ErrInvalid is what errors.Is finds in every error about a spec's contents.
var ErrInvalid = errs.New(errs.Invalid, "invalid spec")

// Error is one problem of a spec.
type Error struct {
	// File as it was given to Parse or Load; "" for a spec that was not read from a file.
	File string
	// Line and Column count from 1; both are 0 for a spec that was not read from a file. A field
	// that is missing has the position of the section that should hold it.
	Line, Column int
	// Field is the path of the field, such as "hosts[2].address"; "" for a problem of the whole
	// file.
	Field string
	// Problem says what is wrong.
	Problem string
	// Remedy says what to do about it.
	Remedy errs.Next
}

// Error returns "file:line:column: field: problem; remedy", without the parts that are empty.
func (e Error) Error() string { return e.Render(errs.Call.String) }

// Render returns what Error does, with verbs as f has them.
func (e Error) Render(f func(errs.Call) string) string {
	var b strings.Builder
	if e.File != "" {
		fmt.Fprintf(&b, "%s:", e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, "%d:%d:", e.Line, e.Column)
		}
		b.WriteByte(' ')
	}
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	b.WriteString(e.Problem)
	if !e.Remedy.IsZero() {
		b.WriteString("; " + e.Remedy.Render(f))
	}
	return b.String()
}

// Is makes every Error an ErrInvalid.
func (e Error) Is(target error) bool { return target == ErrInvalid }

// Kind returns errs.Invalid.
func (e Error) Kind() errs.Kind { return errs.Invalid }

// Errors are all problems of a spec, in the order of their positions. It is never empty where it is
// returned.
type Errors struct{ List []Error }

// Error returns one line for each problem.
func (e *Errors) Error() string {
	lines := make([]string, len(e.List))
	for i, one := range e.List {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the problems one by one, for errors.Is and errors.As.
func (e *Errors) Unwrap() []error {
	errs := make([]error, len(e.List))
	for i, one := range e.List {
		errs[i] = one
	}
	return errs
}

// sorted returns the problems by position, each once, or nil when there are none.
func sorted(list []Error) error {
	if len(list) == 0 {
		return nil
	}
	for i := range list {
		e := &list[i]
		e.Field, e.Problem = oneLine(e.Field), oneLine(e.Problem)
	}
	slices.SortStableFunc(list, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	same := func(a, b Error) bool { return a.Error() == b.Error() }
	return &Errors{List: slices.CompactFunc(list, same)}
}

// remedy returns what to do, as a text in one line.
func remedy(text string) errs.Next { return errs.Text("%s", oneLine(text)) }

// oneLine escapes what a name or path in the file could do to a terminal or a log.
func oneLine(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}
