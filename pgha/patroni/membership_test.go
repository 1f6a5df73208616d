package patroni

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// TestBar: a synchronous standby gets its tags, its Patroni reloads, and Bar returns when no commit
// waits for it any more.
func TestBar(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		o.Members[1].Tags = map[string]any{"failover_priority": 2, "sync_priority": 3, "rack": "7"}
		f := newFakePatroni(t, o)
		f.members[second].sync = RoleSyncStandby
		f.on["POST /reload"] = func(w http.ResponseWriter, name string, _ map[string]any) bool {
			m := f.members[name]
			m.tags = map[string]any{"nosync": true, "nofailover": true}
			go func() {
				time.Sleep(3 * time.Second)
				f.mu.Lock()
				defer f.mu.Unlock()
				m.sync = ""
			}()
			return false
		}
		start := time.Now()
		if err := Bar(t.Context(), o, second); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 3*time.Second {
			t.Errorf("it returned after %s, while commits waited", took)
		}
		if diff := cmp.Diff([]string{second + " POST /reload"}, f.asked()); diff != "" {
			t.Error(diff)
		}
		text := o.Members[1].Target.Executor.(*fakeHost).files[ConfigPath+".pgha-new"]
		for _, want := range []string{"nofailover: true", "nosync: true", "clonefrom: false",
			`rack: "7"`} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in its configuration:\n%s", want, text)
			}
		}
		for _, not := range []string{"failover_priority", "sync_priority"} {
			if strings.Contains(text, not) {
				t.Errorf("%q is in its configuration", not)
			}
		}
		if len(o.Members[1].Tags) != 3 {
			t.Errorf("the caller's tags are %v", o.Members[1].Tags)
		}
	})
}

// TestBarWaits: while commits wait for it there is no end but the bound.
func TestBarWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		o.Wait = 5 * time.Second
		f := newFakePatroni(t, o)
		f.members[second].sync = RoleQuorumStandby
		if err := Bar(t.Context(), o, second); !errors.Is(err, ErrTimeout) ||
			!strings.Contains(err.Error(), "still synchronous") {
			t.Errorf("got %v", err)
		}
	})
}

func TestBarRefuses(t *testing.T) {
	bar := func(name string) func(context.Context, Options) error {
		return func(ctx context.Context, o Options) error { return Bar(ctx, o, name) }
	}
	refuses(t, "the leader", nil, errs.ErrRefused, "it leads", bar(first))
	refuses(t, "a stranger", nil, ErrInvalid, `no member is called "x"`, bar("x"))
}

// slotHost answers the question for replication slots.
type slotHost struct {
	*fakeHost
	slots func() []string
}

func (h slotHost) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	if strings.Contains(strings.Join(cmd.Argv, " "), "psql") {
		return remote.Result{Stdout: []byte(strings.Join(h.slots(), "\n") + "\n")}, nil
	}
	return h.fakeHost.Run(ctx, cmd)
}

// withSlots makes the members of a cluster keep a slot until member_slots_ttl is short.
func withSlots(o Options, f *fakePatroni, slot string) {
	for i, m := range o.Members {
		host := m.Target.Executor.(*fakeHost)
		o.Members[i].Target.Executor = slotHost{host, func() []string {
			f.mu.Lock()
			defer f.mu.Unlock()
			if ttl, set := f.config[memberSlots]; set && ttl == float64(1) {
				return nil
			}
			return []string{slot}
		}}
	}
}

// TestDepart: a former member's slots are dropped by a short time that they are kept for, which is
// what it was at the end; by default nothing was written of it.
func TestDepart(t *testing.T) {
	for name, before := range map[string]any{"of Patroni's own": nil, "of the cluster": 600.0,
		"of a run that was cut off": 1.0} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := fullOptions(t)
				f := newFakePatroni(t, o)
				if before != nil {
					f.config[memberSlots] = before
				}
				withSlots(o, f, "gone_04")
				if err := Depart(t.Context(), o, "Gone-04"); err != nil {
					t.Fatal(err)
				}
				want := before
				if before == 1.0 {
					want = before // its slots were gone, and nothing was to be done
				}
				if diff := cmp.Diff(want, f.config[memberSlots]); diff != "" {
					t.Error(diff)
				}
				patches := len(f.asked())
				if before == 1.0 && patches != 0 || before != 1.0 && patches != 2 {
					t.Errorf("asked %q", f.asked())
				}
			})
		})
	}
}

// TestDepartWaits: a member that Patroni still lists has not departed, and planning asks nothing.
func TestDepartWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		o.Wait = 5 * time.Second
		f := newFakePatroni(t, o)
		if err := Depart(t.Context(), o, "gone", third); !errors.Is(err, ErrTimeout) ||
			!strings.Contains(err.Error(), "it lists "+third) {
			t.Errorf("got %v", err)
		}
		plan(o)
		if err := Depart(t.Context(), o, third); err != nil || len(f.asked()) > 0 {
			t.Errorf("planning: %v, asked %q", err, f.asked())
		}
	})
}

// TestRediscover: every Patroni restarts while the cluster is paused, replicas first, and it is
// resumed, also after a failure.
func TestRediscover(t *testing.T) {
	for _, fails := range []bool{false, true} {
		t.Run(map[bool]string{false: "well", true: "a restart that fails"}[fails],
			func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					o := fullOptions(t)
					f := newFakePatroni(t, o)
					if fails {
						o.Members[2].Target.Executor.(*fakeHost).fail = "systemctl restart"
					}
					err := Rediscover(t.Context(), o)
					if (err != nil) != fails {
						t.Fatal(err)
					}
					if f.config["pause"] == true {
						t.Error("the cluster is paused")
					}
					var restarted []string
					for _, m := range []string{second, third, first} {
						i := slices.IndexFunc(o.Members, func(other Member) bool { return other.Name == m })
						host := o.Members[i].Target.Executor.(*fakeHost)
						if slices.Contains(host.done, "systemctl restart "+Unit) {
							restarted = append(restarted, m)
						}
					}
					want := []string{second, third, first}
					if fails {
						want = want[:2]
					}
					if diff := cmp.Diff(want, restarted); diff != "" {
						t.Error(diff)
					}
					if asked := f.asked(); !strings.Contains(asked[0], `"pause":true`) {
						t.Errorf("first it asked %q", asked[0])
					}
				})
			})
	}
}
