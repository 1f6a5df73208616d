package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/pgha/toolkit/internal/rollout"
)

var errBroken = errors.New("broken")

// fleet is four hosts, 0 to 3, that remember what happened to them. Host 0 leads unless moved.
type fleet struct {
	mu     sync.Mutex
	log    []string
	leader int
	// onChange is called while a host changes, onSettle while it settles.
	onChange, onSettle func(f *fleet, host int) error
}

func (f *fleet) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, fmt.Sprintf(format, args...))
}

func (f *fleet) rollout(inTurn ...int) rollout.Rollout {
	return rollout.Rollout{
		InTurn: inTurn,
		Order: func(_ context.Context, hosts []int) ([]int, error) {
			f.note("order")
			return rollout.Last(hosts, func(i int) bool { return i == f.leader }), nil
		},
		Change: func(_ context.Context, i int) (func(context.Context) error, error) {
			f.note("change %d", i)
			if f.onChange != nil {
				if err := f.onChange(f, i); err != nil {
					return nil, err
				}
			}
			return func(context.Context) error {
				f.note("settle %d", i)
				if f.onSettle != nil {
					return f.onSettle(f, i)
				}
				return nil
			}, nil
		},
	}
}

// run runs a rollout and compares what happened.
func (f *fleet) run(ctx context.Context, t *testing.T, r rollout.Rollout, wantErr error,
	want ...string) {
	t.Helper()
	if err := rollout.Run(ctx, r); !errors.Is(err, wantErr) {
		t.Errorf("got %v, want %v", err, wantErr)
	}
	if !slices.Equal(f.log, want) {
		t.Errorf("got  %q\nwant %q", f.log, want)
	}
}

func failAt(host int) func(*fleet, int) error {
	return func(_ *fleet, i int) error {
		if i == host {
			return errBroken
		}
		return nil
	}
}

func TestRunTakesTurns(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fleet  *fleet
		adjust func(*fleet, *rollout.Rollout)
		err    error
		want   []string
	}{
		"the leader last": {
			fleet: &fleet{},
			want: []string{"order", "change 1", "settle 1", "change 2", "settle 2", "change 0",
				"settle 0"},
		},
		"no order": {
			fleet:  &fleet{},
			adjust: func(_ *fleet, r *rollout.Rollout) { r.Order = nil },
			want: []string{"change 0", "settle 0", "change 1", "settle 1", "change 2",
				"settle 2"},
		},
		"a change fails": {
			fleet: &fleet{onChange: failAt(2)}, err: errBroken,
			want: []string{"order", "change 1", "settle 1", "change 2"},
		},
		"a host never settles": {
			fleet: &fleet{onSettle: failAt(1)}, err: errBroken,
			want: []string{"order", "change 1", "settle 1"},
		},
		"the leader moves, and nobody asks again": {
			fleet: &fleet{onSettle: func(f *fleet, _ int) error { f.leader = 2; return nil }},
			want: []string{"order", "change 1", "settle 1", "change 2", "settle 2", "change 0",
				"settle 0"},
		},
		"the leader moves, and is asked for again": {
			fleet:  &fleet{onSettle: func(f *fleet, _ int) error { f.leader = 2; return nil }},
			adjust: func(_ *fleet, r *rollout.Rollout) { r.Reorder = true },
			want: []string{"order", "change 1", "settle 1", "order", "change 0", "settle 0",
				"order", "change 2", "settle 2"},
		},
		"each turn waits for the others": {
			fleet: &fleet{},
			adjust: func(f *fleet, r *rollout.Rollout) {
				r.Ready = func(context.Context) error { f.note("ready"); return nil }
				r.InTurn = []int{1, 2}
			},
			want: []string{"ready", "order", "change 1", "settle 1", "ready", "change 2",
				"settle 2"},
		},
		"the others never are ready": {
			fleet: &fleet{},
			adjust: func(_ *fleet, r *rollout.Rollout) {
				r.Ready = func(context.Context) error { return errBroken }
			},
			err: errBroken,
		},
		"the order cannot be had": {
			fleet: &fleet{},
			adjust: func(_ *fleet, r *rollout.Rollout) {
				r.Order = func(context.Context, []int) ([]int, error) { return nil, errBroken }
			},
			err: errBroken,
		},
		"nothing takes turns": {
			fleet:  &fleet{},
			adjust: func(_ *fleet, r *rollout.Rollout) { r.InTurn = nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := c.fleet.rollout(0, 1, 2)
			if c.adjust != nil {
				c.adjust(c.fleet, &r)
			}
			c.fleet.run(t.Context(), t, r, c.err, c.want...)
		})
	}
}

func TestRunEndsBetweenTwoHosts(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	f := &fleet{onSettle: func(*fleet, int) error { cancel(errBroken); return nil }}
	f.run(ctx, t, f.rollout(1, 2), errBroken, "order", "change 1", "settle 1")
}

func TestRunChangesFreshHostsTogetherAndFirst(t *testing.T) {
	t.Parallel()
	var both sync.WaitGroup
	both.Add(2)
	f := &fleet{}
	r := f.rollout(0)
	r.AtOnce = []int{1, 2}
	change := r.Change
	r.Change = func(ctx context.Context, i int) (func(context.Context) error, error) {
		if i != 0 {
			both.Done()
			both.Wait() // ends only when both change at the same time
			return nil, nil
		}
		return change(ctx, i)
	}
	f.run(t.Context(), t, r, nil, "order", "change 0", "settle 0")

	f = &fleet{onChange: failAt(2)}
	r = f.rollout(0)
	r.AtOnce = []int{2}
	f.run(t.Context(), t, r, errBroken, "change 2") // those that serve are left as they were
}

func TestSort(t *testing.T) {
	t.Parallel()
	needs := []rollout.Need{rollout.InTurn, rollout.Nothing, rollout.AtOnce, rollout.InTurn}
	atOnce, inTurn, err := rollout.Sort(len(needs),
		func(i int) (rollout.Need, error) { return needs[i], nil })
	if err != nil || !slices.Equal(atOnce, []int{2}) || !slices.Equal(inTurn, []int{0, 3}) {
		t.Errorf("got %v and %v, %v", atOnce, inTurn, err)
	}
	_, _, err = rollout.Sort(2, func(i int) (rollout.Need, error) {
		if i == 1 {
			return rollout.InTurn, errBroken
		}
		return rollout.InTurn, nil
	})
	if !errors.Is(err, errBroken) {
		t.Errorf("got %v, want what the second host says", err)
	}
}
