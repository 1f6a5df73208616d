package errs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/hashicorp/go-multierror"
)

func TestKindOf(t *testing.T) {
	t.Parallel()
	busy, sick := New(Locked, "busy"), New(Unhealthy, "sick")
	late := &TimeoutError{What: "a leader", After: time.Minute}
	for name, tt := range map[string]struct {
		err  error
		want Kind
	}{
		"nil":          {nil, Other},
		"none":         {io.EOF, Other},
		"a sentinel":   {busy, Locked},
		"wrapped":      {fmt.Errorf("apply: %w", busy), Locked},
		"given":        {WithKind(io.EOF, NotFound), NotFound},
		"given to nil": {WithKind(nil, NotFound), Other},
		"the outermost decides": {WithKind(fmt.Errorf("x: %w", ErrRefused), Unhealthy),
			Unhealthy},
		"Other does not hide": {WithKind(busy, Other), Locked},
		"a deadline": {fmt.Errorf("dial: %w", context.DeadlineExceeded),
			Timeout},
		"a timeout of the network": {fmt.Errorf("%w: %w", New(Unavailable, "away"),
			dialTimeout()), Timeout},
		"cancelled":                      {context.Canceled, Other},
		"a timeout":                      {WithNext(late, Text("look")), Timeout},
		"the first declared, given last": {Join(io.EOF, sick, ErrRefused), Refused},
		"two in one text": {fmt.Errorf("%w: %w", sick, context.DeadlineExceeded),
			Timeout},
		"joined by the standard library": {errors.Join(sick, fmt.Errorf("a: %w", busy)), Locked},
		"joined by a plain multierror":   {multierror.Append(nil, sick, ErrRefused), Refused},
		"given to a join":                {WithKind(Join(busy, late), Unavailable), Unavailable},
		"joined, and deep inside": {fmt.Errorf("x: %w",
			Join(io.EOF, fmt.Errorf("y: %w", sick))), Unhealthy},
	} {
		if got := KindOf(tt.err); got != tt.want {
			t.Errorf("%s: %v is %v, want %v", name, tt.err, got, tt.want)
		}
	}
}

// dialTimeout returns what package net returns for a host that does not answer in time.
func dialTimeout() error {
	_, err := (&net.Dialer{Deadline: time.Unix(1, 0)}).Dial("tcp", "127.0.0.1:1")
	return err
}

func TestKindNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for k := Other; k <= Unhealthy; k++ {
		if s := k.String(); s == "" || seen[s] {
			t.Errorf("kind %d is called %q", int(k), s)
		}
		seen[k.String()] = true
	}
	if s := (Unhealthy + 1).String(); s != "kind 8" {
		t.Errorf("one too many is called %q", s)
	}
}

func TestSentinelsDiffer(t *testing.T) {
	t.Parallel()
	one, two := New(Invalid, "same"), New(Invalid, "same")
	if errors.Is(one, two) || !errors.Is(fmt.Errorf("x: %w", one), one) {
		t.Error("errors.Is does not tell sentinels apart")
	}
	if err := WithKind(fmt.Errorf("x: %w", one), Refused); !errors.Is(err, one) ||
		err.Error() != "x: same" {
		t.Errorf("a kind changes the error: %v", err)
	}
}

func TestTimeoutError(t *testing.T) {
	t.Parallel()
	err := &TimeoutError{What: "a leader", After: 1499 * time.Millisecond}
	if want := "timed out after 1s waiting for a leader; last seen: nothing"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if !errors.Is(fmt.Errorf("start: %w", err), ErrTimeout) {
		t.Error("it does not match ErrTimeout")
	}
}
