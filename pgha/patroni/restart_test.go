package patroni

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/remote"
)

// restarted are the names in the result.
func restarted(r RestartResult) string {
	var names []string
	for _, m := range r.Restarted {
		names = append(names, m.Member)
	}
	return strings.Join(names, " ")
}

// TestRestartAfterAnother meets the restart of a run that was killed: what it began is still going
// on.
func TestRestartAfterAnother(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		busy := 2
		f.on["POST /restart"] = func(w http.ResponseWriter, _ string, _ map[string]any) bool {
			if busy--; busy >= 0 {
				http.Error(w, "restart already in progress", http.StatusServiceUnavailable)
			}
			return busy >= 0
		}
		result, err := Restart(t.Context(), o, RestartOptions{Members: []string{second}})
		if err != nil || restarted(result) != second || len(f.asked()) != 3 {
			t.Errorf("%q %v, asked %q", restarted(result), err, f.asked())
		}
	})
}

func TestRestartChoosesAndOrders(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		prepare func(*fakePatroni)
		options RestartOptions
		want    string
	}{
		"all": {nil, RestartOptions{}, "postgresql-02 postgresql-03 postgresql-01"},
		"named": {nil, RestartOptions{Members: []string{first, third}},
			"postgresql-03 postgresql-01"},
		"replicas":       {nil, RestartOptions{Role: RoleReplica}, "postgresql-02 postgresql-03"},
		"leader":         {nil, RestartOptions{Role: RoleLeader}, "postgresql-01"},
		"without leader": {nil, RestartOptions{SkipLeader: true}, "postgresql-02 postgresql-03"},
		"synchronous": {
			func(f *fakePatroni) { f.members[third].sync = RoleSyncStandby },
			RestartOptions{Role: RoleSyncStandby}, "postgresql-03",
		},
		"pending": {
			func(f *fakePatroni) { f.members[third].pending = []string{"max_connections"} },
			RestartOptions{PendingOnly: true}, "postgresql-03",
		},
		"nothing": {nil, RestartOptions{PendingOnly: true}, ""},
		"one that is ill": {func(f *fakePatroni) {
			f.members[third].streaming = false
			f.heal(third)
		},
			RestartOptions{Members: []string{third}}, "postgresql-03"},
		"although another is ill": {func(f *fakePatroni) {
			f.members[third].state, f.members[third].streaming = "start failed", false
		},
			RestartOptions{Members: []string{second}, Force: true}, "postgresql-02"},
		"paused": {
			func(f *fakePatroni) {
				f.config["pause"] = true
			}, RestartOptions{Members: []string{second}},
			"postgresql-02",
		},
	} {
		for _, planning := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					o := fullOptions(t)
					f := newFakePatroni(t, o)
					if tt.prepare != nil {
						tt.prepare(f)
					}
					if planning {
						plan(o)
					}
					result, err := Restart(t.Context(), o, tt.options)
					if err != nil || restarted(result) != tt.want {
						t.Fatalf("%q %v", restarted(result), err)
					}
					var wantAsked, wantTold []string
					for name := range strings.FieldsSeq(tt.want) {
						wantAsked = append(wantAsked, name+" POST /restart {}")
						wantTold = append(wantTold, "member "+name+": restarted")
					}
					if planning {
						wantAsked = nil
						for i := range wantTold {
							wantTold[i] = "would: " + wantTold[i]
						}
					}
					if diff := cmp.Diff(wantAsked, f.asked()); diff != "" {
						t.Error(diff)
					}
					if diff := cmp.Diff(wantTold, f.told()); diff != "" {
						t.Error(diff)
					}
				})
			})
		}
	}
}

// heal makes the member stream again once it is restarted.
func (f *fakePatroni) heal(name string) {
	f.on["POST /restart"] = func(http.ResponseWriter, string, map[string]any) bool {
		f.members[name].streaming = true
		return false
	}
}

// TestRestartTellsBefore: whoever wants to prepare clients is told before each member is asked, and
// after a replica is back.
func TestRestartTellsBefore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		var told []string
		asked := func() string { return fmt.Sprint(len(f.asked())) }
		_, err := Restart(t.Context(), o, RestartOptions{
			BeforeReplica: func(_ context.Context, member string) func() {
				told = append(told, member+" before, asked "+asked())
				return func() { told = append(told, member+" back, asked "+asked()) }
			},
			BeforeLeader: func(context.Context) error {
				told = append(told, "leader before, asked "+asked())
				return nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		if len(told) != 5 || !strings.HasSuffix(told[0], "before, asked 0") ||
			!strings.HasSuffix(told[1], "back, asked 1") || told[4] != "leader before, asked 2" {
			t.Errorf("%q", told)
		}
	})
}

func TestRestartFollowsToTheEnd(t *testing.T) {
	t.Parallel()
	for name, hook := range map[string]func(f *fakePatroni, w http.ResponseWriter, name string){
		"no answer": func(f *fakePatroni, _ http.ResponseWriter, name string) {
			f.restart(name)
			panic(http.ErrAbortHandler)
		},
		"still starting": func(f *fakePatroni, w http.ResponseWriter, name string) {
			f.members[name].state, f.members[name].streaming = "starting", false
			http.Error(w, "postgres is still starting", 503)
			time.AfterFunc(400*time.Millisecond, func() {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.members[name].state, f.members[name].streaming = "running", true
				f.restart(name)
			})
		},
		"failed, but Patroni tries again": func(f *fakePatroni, w http.ResponseWriter,
			name string) {
			f.members[name].state, f.members[name].streaming = "restart failed", false
			http.Error(w, "restart failed", 503)
			time.AfterFunc(400*time.Millisecond, func() {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.members[name].state, f.members[name].streaming = "running", true
				f.restart(name)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := fullOptions(t)
				f := newFakePatroni(t, o)
				f.on["POST /restart"] = func(w http.ResponseWriter, name string,
					_ map[string]any) bool {
					hook(f, w, name)
					return true
				}
				result, err := Restart(t.Context(), o, RestartOptions{Members: []string{second}})
				if err != nil || restarted(result) != second || result.Restarted[0].Took == 0 {
					t.Errorf("%+v %v", result.Restarted, err)
				}
			})
		})
	}
}

func TestRestartStopsAtTheFirstThatFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		hook func(f *fakePatroni, w http.ResponseWriter)
		want error
		text string
	}{
		"refused": {
			func(_ *fakePatroni, w http.ResponseWriter) {
				http.Error(w, "reinitialize already in progress", 503)
			},
			nil, "already in progress",
		},
		"not understood": {
			func(_ *fakePatroni, w http.ResponseWriter) {
				http.Error(w, "bad", 400)
			}, nil, "status 400",
		},
		"never back": {
			func(f *fakePatroni, _ http.ResponseWriter) {
				f.members[third].state = "restart failed"
			},
			ErrTimeout, `"restart failed"`,
		},
		"does not stream": {
			func(f *fakePatroni, _ http.ResponseWriter) {
				f.restart(third)
				f.members[third].streaming = false
			},
			ErrTimeout, "postgresql-03 is replica, running",
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := fullOptions(t)
				f := newFakePatroni(t, o)
				f.on["POST /restart"] = func(w http.ResponseWriter, name string,
					_ map[string]any) bool {
					if name != third {
						return false
					}
					tt.hook(f, w)
					return true
				}
				result, err := Restart(t.Context(), o,
					RestartOptions{Timeout: 1500 * time.Millisecond})
				var failed *RestartError
				if !errors.As(err, &failed) || failed.Member != third || tt.want != nil &&
					!errors.Is(err, tt.want) ||
					!strings.Contains(err.Error(), tt.text) {
					t.Fatalf("got %v", err)
				}
				if diff := cmp.Diff([]string{first}, failed.Remaining); diff != "" ||
					!strings.Contains(err.Error(), "not restarted: "+first) {
					t.Errorf("%v%s", err, diff)
				}
				if restarted(result) != second || len(result.Remaining) != 1 ||
					!strings.Contains(remote.Hint(err), third) {
					t.Errorf("%+v, hint %q", result, remote.Hint(err))
				}
			})
		})
	}
}

func TestRestartRefusals(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(time.Hour)
	for name, tt := range map[string]struct {
		prepare func(*fakePatroni)
		options RestartOptions
		want    error
		text    string
	}{
		"misspelt": {
			nil, RestartOptions{Members: []string{"postgresq-02"}}, ErrInvalid,
			"did you mean postgresql-02?",
		},
		"unknown role": {nil, RestartOptions{Role: "slave"}, ErrInvalid, "the roles are"},
		"no leader": {func(f *fakePatroni) { f.leader = "" }, RestartOptions{}, ErrNoLeader,
			"failover"},
		"silent": {
			func(f *fakePatroni) { f.members[third].dead = true },
			RestartOptions{Members: []string{third}, Force: true}, ErrUnhealthy, "does not answer",
		},
		"another is ill": {
			func(f *fakePatroni) { f.members[third].streaming = false },
			RestartOptions{Members: []string{second}}, ErrUnhealthy, "postgresql-03 is not healthy",
		},
		"another is dead": {
			func(f *fakePatroni) { f.members[third].dead = true },
			RestartOptions{Members: []string{second}}, ErrUnhealthy, "postgresql-03 is not healthy",
		},
		"outage": {func(f *fakePatroni) {
			f.members[second].streaming, f.members[third].streaming = false, false
		},
			RestartOptions{Members: []string{first}}, ErrUnhealthy, "is an outage"},
		"by switchover while paused": {
			func(f *fakePatroni) {
				f.config["pause"] = true
			}, RestartOptions{LeaderBySwitchover: true},
			ErrPaused, "in place",
		},
		"several at a time": {nil, RestartOptions{At: soon}, ErrInvalid, "3 members would restart"},
		"in the past": {
			nil, RestartOptions{Members: []string{third}, At: time.Now().Add(-time.Hour)},
			ErrInvalid, "has passed",
		},
		"switchover at a time": {
			nil, RestartOptions{Members: []string{first}, At: soon, LeaderBySwitchover: true},
			ErrInvalid,
			"cannot be scheduled",
		},
		"scheduled while paused": {
			func(f *fakePatroni) { f.config["pause"] = true },
			RestartOptions{Members: []string{third}, At: soon}, ErrPaused, "resume",
		},
		"scheduled already": {func(f *fakePatroni) {
			f.members[third].scheduled = "2030-01-01T10:00:00+00:00"
		},
			RestartOptions{Members: []string{third}, At: soon}, ErrScheduled, "2030-01-01"},
	} {
		refuses(t, name, tt.prepare, tt.want, tt.text, func(ctx context.Context, o Options) error {
			_, err := Restart(ctx, o, tt.options)
			return err
		})
	}
}

func TestRestartLeaderBySwitchover(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		f.members[first].pending = []string{"shared_buffers"}
		result, err := Restart(t.Context(), o, RestartOptions{
			Members: []string{first, third}, LeaderBySwitchover: true,
		})
		if err != nil || restarted(result) != third+" "+first {
			t.Fatalf("%+v %v", result, err)
		}
		if result.Switchover == nil || result.Switchover.OldLeader != first ||
			result.Restarted[1].Role != RoleReplica {
			t.Errorf("%+v", result)
		}
		want := []string{ // the switchover has restarted the former leader
			third + " POST /restart {}",
			first + ` POST /switchover {"leader":"postgresql-01"}`,
		}
		if diff := cmp.Diff(want, f.asked()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRestartKeepsWhatIsStillPending(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		f.on["POST /restart"] = func(_ http.ResponseWriter, name string, _ map[string]any) bool {
			f.restart(name)
			// lowered: a replica needs the leader to go first
			f.members[name].pending = []string{"max_connections"}
			return true
		}
		result, err := Restart(t.Context(), o, RestartOptions{Members: []string{second}})
		if err != nil || cmp.Diff([]string{"max_connections"}, result.Restarted[0].Pending) != "" {
			t.Errorf("%+v %v", result.Restarted, err)
		}
	})
}

func TestRestartIsCancelled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		ctx, cancel := context.WithCancel(t.Context())
		f.on["POST /restart"] = func(http.ResponseWriter, string, map[string]any) bool {
			cancel()
			return true
		}
		_, err := Restart(ctx, o, RestartOptions{})
		var failed *RestartError
		if !errors.Is(err, context.Canceled) || !errors.As(err, &failed) ||
			failed.Member != second ||
			len(failed.Remaining) != 2 {
			t.Errorf("got %v", err)
		}
		if asked := f.asked(); len(asked) != 1 {
			t.Errorf("asked %q", asked)
		}
	})
}

func TestScheduledRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		at := time.Now().Add(time.Hour).Truncate(time.Second)
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		result, err := Restart(t.Context(), o, RestartOptions{Members: []string{third}, At: at})
		if err != nil || result.Scheduled == nil || result.Scheduled.Member != third ||
			len(result.Restarted) != 0 {
			t.Fatalf("%+v %v", result, err)
		}
		if _, err := CancelRestart(t.Context(), o, "postgresql-3"); !errors.Is(err, ErrInvalid) {
			t.Errorf("misspelt: %v", err)
		}
		was, err := CancelRestart(t.Context(), o, third)
		if err != nil || !was.At.Equal(at) || was.Member != third {
			t.Errorf("cancelled %v %v", was, err)
		}
		if _, err := CancelRestart(t.Context(), o, third); !errors.Is(err, ErrNothingScheduled) {
			t.Errorf("again: %v", err)
		}
		f.on["POST /restart"] = answerWith(409, "Another restart is already scheduled")
		if _, err := Restart(t.Context(), o, RestartOptions{
			Members: []string{third}, At: at,
		}); !errors.Is(err, ErrScheduled) {
			t.Errorf("another: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		f.on["POST /restart"] = func(http.ResponseWriter, string, map[string]any) bool {
			cancel()
			return false
		}
		if _, err := Restart(ctx, o, RestartOptions{
			Members: []string{third}, At: at,
		}); !errors.Is(err, context.Canceled) || f.members[third].scheduled != "" {
			t.Errorf("interrupted: %v, scheduled %q", err, f.members[third].scheduled)
		}
	})
}

func TestReload(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		if _, err := Reload(t.Context(), o, second, "postgresql-3"); !errors.Is(err, ErrInvalid) ||
			len(f.asked()) > 0 {
			t.Errorf("misspelt: %v, asked %q", err, f.asked())
		}
		if result, err := Reload(t.Context(), o, second); err != nil ||
			cmp.Diff([]string{second}, result.Reloaded) != "" {
			t.Errorf("%v %v", result, err)
		}
		f.members[second].dead = true
		result, err := Reload(t.Context(), o)
		if !errors.Is(err, remote.ErrUnreachable) ||
			cmp.Diff([]string{first, third}, result.Reloaded) != "" {
			t.Errorf("%v %v", result, err)
		}
		if diff := cmp.Diff([]string{
			"member " + second + ": reloaded", "member " + first + ": reloaded",
			"member " + third + ": reloaded",
		}, f.told()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestRestartOrderFollowsTheSettings tries what waits on the leader, and which order that makes.
func TestRestartOrderFollowsTheSettings(t *testing.T) {
	t.Parallel()
	const all, leaderFirst, replicasFirst = "postgresql-02 postgresql-03 postgresql-01",
		"postgresql-01 postgresql-02 postgresql-03", "postgresql-02 postgresql-03 postgresql-01"
	for name, tt := range map[string]struct {
		pending []string
		options RestartOptions
		want    string
		warns   string
	}{
		"nothing": {nil, RestartOptions{}, all, ""},
		"lowered": {
			[]string{"max_connections=100>90"}, RestartOptions{}, leaderFirst,
			"the leader goes first",
		},
		"lowered, pending only": {
			[]string{"max_worker_processes=16>8"}, RestartOptions{PendingOnly: true}, leaderFirst,
			"the leader goes first",
		},
		"raised": {[]string{"max_connections=100>200"}, RestartOptions{}, replicasFirst, ""},
		"raised and lowered": {
			[]string{"max_connections=100>200", "max_wal_senders=20>10"}, RestartOptions{},
			replicasFirst, "",
		},
		"two lowered": {
			[]string{"max_locks_per_transaction=128>64", "max_prepared_transactions=5>0"},
			RestartOptions{},
			leaderFirst, "max_locks_per_transaction, max_prepared_transactions is lowered",
		},
		"lowered with something": {
			[]string{"max_connections=100>90", "shared_buffers=1GB>256MB"}, RestartOptions{},
			leaderFirst, "",
		},
		"something else lowered": {
			[]string{"max_replication_slots=10>5", "shared_buffers=1GB>256MB"}, RestartOptions{},
			replicasFirst, "",
		},
		"no values":  {[]string{"max_connections"}, RestartOptions{}, replicasFirst, ""},
		"no numbers": {[]string{"max_connections=a>b"}, RestartOptions{}, replicasFirst, ""},
		"lowered, replicas alone": {
			[]string{"max_connections=100>90"}, RestartOptions{Role: RoleReplica},
			"postgresql-02 postgresql-03", "only after postgresql-01 has been restarted",
		},
		"lowered, leader alone": {
			[]string{"max_connections=100>90"}, RestartOptions{Role: RoleLeader},
			"postgresql-01", "",
		},
		"lowered, leader and one": {
			[]string{"max_connections=100>90"}, RestartOptions{Members: []string{third, first}},
			"postgresql-01 postgresql-03", "",
		},
		"raised, moved by switchover": {
			[]string{"max_connections=90>100"}, RestartOptions{LeaderBySwitchover: true},
			replicasFirst, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := fullOptions(t)
			f := newFakePatroni(t, o)
			for _, m := range f.members {
				m.pending = tt.pending
			}
			var mu sync.Mutex
			told := ""
			o.Progress = func(line string) { mu.Lock(); told += line + "\n"; mu.Unlock() }
			result, err := Restart(t.Context(), o, tt.options)
			if err != nil || restarted(result) != tt.want {
				t.Errorf("restarted %q, want %q: %v", restarted(result), tt.want, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if !strings.Contains(told, tt.warns) {
				t.Errorf("told %q, want %q", told, tt.warns)
			}
		})
	}
	refuses(t, "lowered, moved by switchover", func(f *fakePatroni) {
		f.members[first].pending = []string{
			"max_connections=100>90",
		}
	}, ErrInvalid, "a new leader would still have the former value",
		func(ctx context.Context, o Options) error {
			_, err := Restart(ctx, o, RestartOptions{LeaderBySwitchover: true})
			return err
		})
}
