package errlist

import (
	"errors"
	"fmt"
	"io"
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
