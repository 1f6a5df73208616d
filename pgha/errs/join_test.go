package errs

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
)

func TestJoin(t *testing.T) {
	t.Parallel()
	one := errors.New("one")
	if err := Join(nil, nil); err != nil {
		t.Errorf("nothing: %v", err)
	}
	if err := Join(nil, one); err != one {
		t.Errorf("one alone: %v", err)
	}
	err := Join(one, nil, fmt.Errorf("read: %w", io.EOF), Join(one, one))
	if !errors.Is(err, io.EOF) {
		t.Error("errors.Is does not reach inside")
	}
	const want = "4 errors:\n  - one\n  - read: EOF\n  - one\n  - one"
	if err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	one, two := errors.New("one"), errors.New("two")
	wrapped := fmt.Errorf("read: %w", Join(one, two))
	for _, want := range [][]error{nil, {one}, {one, two}, {wrapped}, {wrapped, one}} {
		if got := Split(Join(want...)); !slices.Equal(got, want) {
			t.Errorf("%v was split into %v", want, got)
		}
	}
}
