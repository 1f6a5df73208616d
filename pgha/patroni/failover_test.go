package patroni

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/remote"
)

// kill makes the leader die: it answers no more, nobody streams. Its lock stays until somebody
// takes it.
func (f *fakePatroni) kill() {
	f.members[first].dead = true
	f.members[second].streaming, f.members[third].streaming = false, false
}

func TestFailover(t *testing.T) {
	t.Parallel()
	none := int64(0)
	for name, tt := range map[string]struct {
		prepare   func(*fakePatroni)
		options   FailoverOptions
		leader    string
		old       string
		loss      *int64
		automatic bool
	}{
		"lock still held": {nil, FailoverOptions{}, second, first, &none, false},
		"lock free": {func(f *fakePatroni) { f.leader = "" }, FailoverOptions{}, second, "",
			&none, false},
		"most advanced": {
			func(f *fakePatroni) {
				f.members[third].location = 1500
			}, FailoverOptions{}, third, first, &none, false,
		},
		"named": {nil, FailoverOptions{Candidate: third}, third, first, &none, false},
		"accepted": {
			func(f *fakePatroni) {
				f.optime = 1300
			}, FailoverOptions{AcceptLoss: true}, second, first,
			ptr(int64(300)), false,
		},
		"accepted in bytes": {
			func(f *fakePatroni) {
				f.optime = 1300
			}, FailoverOptions{MaxLossBytes: 300}, second, first,
			ptr(int64(300)), false,
		},
		"unknown, accepted": {
			func(f *fakePatroni) { f.members[second].location = 0 },
			FailoverOptions{Candidate: second, AcceptLoss: true}, second, first, nil, false,
		},
		"paused": {
			func(f *fakePatroni) {
				f.config["pause"] = true
			}, FailoverOptions{}, second, first, &none, false,
		},
		"synchronous": {func(f *fakePatroni) {
			f.config["synchronous_mode"], f.members[third].sync, f.optime = true,
				RoleSyncStandby, 1300
		}, FailoverOptions{}, third, first, &none, false},
		"nofailover skipped": {
			func(f *fakePatroni) { f.members[second].tags = map[string]any{"nofailover": true} },
			FailoverOptions{}, third, first, &none, false,
		},
		"PostgreSQL down": {func(f *fakePatroni) {
			f.members[first].dead, f.members[first].state = false, "crashed"
		},
			FailoverOptions{}, second, first, &none, false},
		"by itself": {func(f *fakePatroni) {
			f.on["POST /failover"] = func(w http.ResponseWriter, _ string, _ map[string]any) bool {
				f.promote(third)
				http.Error(w, "Failovered over to postgresql-03 instead of postgresql-02", 200)
				return true
			}
		}, FailoverOptions{Candidate: second}, third, first, &none, true},
		"refused, because it happened by itself": {func(f *fakePatroni) {
			f.on["POST /failover"] = func(w http.ResponseWriter, _ string, _ map[string]any) bool {
				f.promote(third)
				http.Error(w, "failed to write failover key into DCS", 503)
				return true
			}
		}, FailoverOptions{Candidate: second}, third, first, &none, true},
		"status unknown": {func(f *fakePatroni) {
			f.on["POST /failover"] = func(w http.ResponseWriter, _ string, _ map[string]any) bool {
				f.promote(second)
				http.Error(w, "Failover status unknown after 20 seconds; operation may still be "+
					"in progress", 503)
				return true
			}
		}, FailoverOptions{}, second, first, &none, false},
		"no answer": {func(f *fakePatroni) {
			f.on["POST /failover"] = func(http.ResponseWriter, string, map[string]any) bool {
				f.promote(second)
				panic(http.ErrAbortHandler)
			}
		}, FailoverOptions{}, second, first, &none, false},
		"Patroni 4.0": {func(f *fakePatroni) {
			f.members[second].version, f.members[third].version, f.optime = "4.0.6", "4.0.6", 1300
		}, FailoverOptions{MaxLossBytes: 300}, second, first, ptr(int64(300)), false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := fullOptions(t)
				f := newFakePatroni(t, o)
				f.kill()
				if tt.prepare != nil {
					tt.prepare(f)
				}
				result, err := Failover(t.Context(), o, tt.options)
				if err != nil {
					t.Fatal(err)
				}
				got := []any{
					result.NewLeader, result.OldLeader, result.LossBytes, result.Automatic,
					result.Timeline,
					result.Promoted > 0, result.Complete > 0,
				}
				if diff := cmp.Diff([]any{
					tt.leader, tt.old, tt.loss, tt.automatic, int64(5), true, true,
				}, got); diff != "" {
					t.Error(diff)
				}
				if changes := len(f.told()); tt.automatic != (changes == 0) {
					t.Errorf("told %q", f.told())
				}
			})
		})
	}
}

func TestFailoverRefusals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		prepare func(*fakePatroni)
		options FailoverOptions
		want    error
		text    string
	}{
		"leader healthy": {
			func(f *fakePatroni) {
				f.members[first].dead = false
			}, FailoverOptions{AcceptLoss: true},
			ErrLeaderHealthy, "use a switchover",
		},
		"without a lock": {
			func(f *fakePatroni) {
				f.leader, f.members[third].promoted = "", true
			}, FailoverOptions{},
			ErrLeaderHealthy, "postgresql-03 runs as primary",
		},
		"misspelt": {
			nil, FailoverOptions{Candidate: "postgresql-2"}, ErrNoCandidate,
			"did you mean postgresql-02?",
		},
		"the dead leader": {nil, FailoverOptions{Candidate: first}, ErrNoCandidate,
			"is the leader that is gone"},
		"dead candidate": {
			func(f *fakePatroni) {
				f.members[third].dead = true
			}, FailoverOptions{Candidate: third},
			ErrNoCandidate, "does not answer",
		},
		"stopped": {
			func(f *fakePatroni) {
				f.members[third].state = "stopped"
			}, FailoverOptions{Candidate: third},
			ErrNoCandidate, `"stopped"`,
		},
		"old timeline": {
			func(f *fakePatroni) {
				f.members[third].timeline = 3
			}, FailoverOptions{Candidate: third},
			ErrNoCandidate, "timeline 3, the cluster on 4",
		},
		"nofailover": {func(f *fakePatroni) {
			f.members[third].tags = map[string]any{"nofailover": true}
		},
			FailoverOptions{Candidate: third}, ErrNoCandidate, "nofailover"},
		"nobody": {func(f *fakePatroni) {
			f.members[second].dead, f.members[third].state = true,
				"crashed"
		},
			FailoverOptions{AcceptLoss: true}, ErrNoCandidate, "bring one of the hosts back"},
		"known loss": {
			func(f *fakePatroni) { f.optime = 1300 }, FailoverOptions{}, ErrLossNotAccepted,
			"300 bytes of WAL would be lost on postgresql-02",
		},
		"too much": {
			func(f *fakePatroni) { f.optime = 1300 }, FailoverOptions{MaxLossBytes: 299},
			ErrLossNotAccepted, "bring the old leader back",
		},
		"another has it": {
			func(f *fakePatroni) {
				f.members[third].location = 1500
			}, FailoverOptions{Candidate: second},
			ErrLossNotAccepted, "postgresql-03 has more",
		},
		"unknown loss": {
			func(f *fakePatroni) {
				f.members[second].location = 0
			}, FailoverOptions{Candidate: second},
			ErrLossNotAccepted, "unknown amount",
		},
		"unknown position of the leader": {func(f *fakePatroni) {
			f.members[second].lag, f.members[third].lag = "unknown", "unknown"
		},
			FailoverOptions{MaxLossBytes: 1 << 40}, ErrLossNotAccepted, "unknown amount"},
		"not synchronous": {func(f *fakePatroni) {
			f.config["synchronous_mode"], f.members[third].sync = true,
				RoleSyncStandby
		},
			FailoverOptions{Candidate: second, MaxLossBytes: 1 << 40}, ErrLossNotAccepted,
			"not a synchronous standby"},
		"quorum, one of its standbys silent": {func(f *fakePatroni) {
			f.config["synchronous_mode"], f.members[second].sync, f.members[third].sync = "quorum",
				RoleQuorumStandby, RoleQuorumStandby
			f.members[third].dead = true
		}, FailoverOptions{}, ErrLossNotAccepted, "unknown amount"},
	} {
		for _, planning := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					o := fullOptions(t)
					f := newFakePatroni(t, o)
					f.kill()
					if tt.prepare != nil {
						tt.prepare(f)
					}
					if planning {
						plan(o)
					}
					_, err := Failover(t.Context(), o, tt.options)
					if !errors.Is(err, tt.want) ||
						!strings.Contains(err.Error()+" "+remote.Hint(err), tt.text) {
						t.Errorf("got %v (hint %q), want %v with %q", err, remote.Hint(err),
							tt.want, tt.text)
					}
					if asked := f.asked(); len(asked) > 0 || len(f.told()) > 0 {
						t.Errorf("asked %q, told %q", asked, f.told())
					}
				})
			})
		}
	}
}

func TestFailoverOfQuorum(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		f.kill()
		f.config["synchronous_mode"], f.members[second].sync, f.members[third].sync = "quorum",
			RoleQuorumStandby, RoleQuorumStandby
		// what only the dead leader had was never acknowledged
		f.members[third].location, f.optime = 1200, 1300
		result, err := Failover(t.Context(), o, FailoverOptions{})
		if err != nil || result.NewLeader != third || *result.LossBytes != 0 {
			t.Errorf("%+v %v", result, err)
		}
	})
}

func TestFailoverLossError(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		f.kill()
		f.members[third].location = 1500
		_, err := Failover(t.Context(), o, FailoverOptions{Candidate: second})
		var loss *LossError
		if !errors.As(err, &loss) {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&LossError{Candidate: second, Bytes: ptr(int64(500)), Better: third},
			loss); diff != "" {
			t.Error(diff)
		}
	})
}

func TestFailoverThatPatroniRefuses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		f.kill()
		f.on["POST /failover"] = answerWith(412, "failover is not possible: no good candidates "+
			"have been found")
		if _, err := Failover(t.Context(), o, FailoverOptions{}); !errors.Is(err, ErrNoCandidate) {
			t.Errorf("got %v", err)
		}
		f.on["POST /failover"] = answerWith(503, "Failover status unknown after 20 seconds")
		_, err := Failover(t.Context(), o, FailoverOptions{Timeout: 600 * time.Millisecond})
		if !errors.Is(err, ErrTimeout) {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		f.on["POST /failover"] = func(http.ResponseWriter, string, map[string]any) bool {
			cancel()
			return true
		}
		if _, err := Failover(ctx, o, FailoverOptions{}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFailoverPlans(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		f.kill()
		plan(o)
		if _, err := Failover(t.Context(), o, FailoverOptions{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{
			"would: leader postgresql-cluster: given to postgresql-02, no loss known",
		}, f.told()); diff != "" {
			t.Error(diff)
		}
	})
}
