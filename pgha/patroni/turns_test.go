package patroni

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
)

// running makes the hosts such that Patroni runs there, with files that are not as they should be.
func running(o Options) {
	for _, m := range o.Members {
		m.Target.Executor.(*fakeHost).runs = true
	}
}

func TestRunningMembersTakeTurns(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(*fakePatroni)
		order   []string
		err     error // the ill stay ill here, and at last that is reported
	}{
		"the leader last": {func(*fakePatroni) {}, []string{second, third, first}, nil},
		"another leader": {func(f *fakePatroni) { f.promote(second) },
			[]string{first, third, second}, nil},
		"the ill one first": {
			func(f *fakePatroni) {
				f.members[third].streaming = false
			}, []string{third, second, first}, ErrTimeout,
		},
		"nobody answers": {func(f *fakePatroni) {
			for _, m := range f.members {
				m.dead = true
			}
		}, []string{first, second, third}, ErrTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := fullOptions(t)
				o.Wait = 2 * time.Second
				f := newFakePatroni(t, o)
				running(o)
				c.prepare(f)
				if err := Bootstrap(t.Context(), o); !errors.Is(err, c.err) {
					t.Errorf("got %v, want %v", err, c.err)
				}
				var order []string
				for _, change := range f.changes {
					if change.Name == Unit && change.Action == "reloaded" {
						order = append(order, change.Host)
					}
				}
				if !slices.Equal(order, c.order) {
					t.Errorf("reloaded %q, want %q", order, c.order)
				}
			})
		})
	}
}

func TestTheRestIsLeftWhenOneFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		breaks func(Options, *fakePatroni)
		text   string
	}{
		"its host refuses": {
			func(o Options, _ *fakePatroni) {
				o.Members[1].Target.Executor.(*fakeHost).fail = "python3"
			}, "refused",
		},
		"it is not healthy afterwards": {func(o Options, f *fakePatroni) {
			change := o.Members[1].Target.OnChange
			o.Members[1].Target.OnChange = func(c remote.Change) {
				change(c)
				f.mu.Lock()
				defer f.mu.Unlock()
				f.members[second].streaming = f.members[second].streaming && c.Name != Unit
			}
		}, "timed out"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := fullOptions(t)
				o.Wait = time.Second
				f := newFakePatroni(t, o)
				running(o)
				c.breaks(o, f)
				err := Bootstrap(t.Context(), o)
				if err == nil || !strings.Contains(err.Error(), second) ||
					!strings.Contains(err.Error(), c.text) {
					t.Errorf("got %v", err)
				}
				for _, i := range []int{0, 2} {
					if done := o.Members[i].Target.Executor.(*fakeHost).done; len(done) > 0 {
						t.Errorf("%s was touched:\n%s", o.Members[i].Name, strings.Join(done, "\n"))
					}
				}
			})
		})
	}
}
