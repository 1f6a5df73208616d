package engine

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/site"
)

// recorder notes which phases ran, in order.
type recorder struct {
	mu  sync.Mutex
	ran []string
}

func (r *recorder) phase(name string, err error, after ...string) Phase {
	return Phase{Name: name, After: after, Run: func(context.Context, *Run) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ran = append(r.ran, name)
		return err
	}}
}

func quiet() *event.Emitter { return &event.Emitter{Log: slog.New(slog.DiscardHandler)} }

func TestRunPhasesOrder(t *testing.T) {
	t.Parallel()
	var r recorder
	phases := []Phase{
		r.phase("a", nil), r.phase("b", nil, "a"), r.phase("c", nil, "a"),
		r.phase("d", nil, "c", "b"),
		r.phase("last", nil),
	}
	if err := RunPhases(t.Context(), &site.Site{}, phases, quiet(), false); err != nil {
		t.Fatal(err)
	}
	at := func(name string) int { return slices.Index(r.ran, name) }
	if len(r.ran) != 5 || at("a") != 0 || at("d") < at("b") || at("d") < at("c") ||
		at("last") != 4 {
		t.Errorf("ran %v", r.ran)
	}
}

func TestRunPhasesFailureSkipsWhatWaits(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	var r recorder
	err := RunPhases(t.Context(), &site.Site{}, []Phase{
		r.phase("a", nil), r.phase("b", broken, "a"), r.phase("c", nil, "a"),
		r.phase("d", nil, "b"),
	}, quiet(), false)
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "b: ") {
		t.Errorf("err = %v", err)
	}
	slices.Sort(r.ran)
	if !slices.Equal(r.ran, []string{"a", "b", "c"}) {
		t.Errorf("ran %v: the phase beside the failed one must finish, the one behind it must "+
			"not start", r.ran)
	}
}

func TestRunPhasesRefusesUnknownAndRepeatedNames(t *testing.T) {
	t.Parallel()
	var r recorder
	for name, phases := range map[string][]Phase{
		"unknown":  {r.phase("a", nil, "z")},
		"later":    {r.phase("a", nil, "b"), r.phase("b", nil)},
		"repeated": {r.phase("a", nil), r.phase("a", nil)},
		"empty":    {r.phase("", nil)},
	} {
		if err := RunPhases(t.Context(), &site.Site{}, phases, quiet(), false); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if len(r.ran) > 0 {
		t.Errorf("phases ran all the same: %v", r.ran)
	}
}

func TestProgressIsSaidOnce(t *testing.T) {
	t.Parallel()
	var heard []string
	e := quiet()
	e.Observer = func(ev event.Event) { heard = append(heard, ev.Phase+" "+ev.Message) }
	for _, m := range []string{"x", "x", "y", "y", "x"} {
		e.Emit(event.Event{Kind: event.Progress, Phase: "p", Message: m})
	}
	e.Emit(event.Event{Kind: event.Progress, Phase: "q", Message: "x"})
	if want := []string{"p x", "p y", "p x", "q x"}; !slices.Equal(heard, want) {
		t.Errorf("heard %v, want %v", heard, want)
	}
}
