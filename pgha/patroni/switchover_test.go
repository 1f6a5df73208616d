package patroni

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSwitchover(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(f *fakePatroni) func(http.ResponseWriter, string,
		map[string]any) bool{
		"done": func(*fakePatroni) func(http.ResponseWriter, string, map[string]any) bool {
			return func(http.ResponseWriter, string, map[string]any) bool { return false }
		},
		"status unknown": func(f *fakePatroni) func(http.ResponseWriter, string,
			map[string]any) bool {
			return func(w http.ResponseWriter, _ string, _ map[string]any) bool {
				f.promote(third)
				http.Error(w, "Switchover status unknown after 20 seconds; operation may still "+
					"be in progress", 503)
				return true
			}
		},
		"said to have failed, but going on": func(f *fakePatroni) func(http.ResponseWriter, string,
			map[string]any) bool {
			return func(w http.ResponseWriter, _ string, _ map[string]any) bool {
				f.promote(third)
				http.Error(w, "Switchover failed", 503)
				return true
			}
		},
		"no answer": func(f *fakePatroni) func(http.ResponseWriter, string, map[string]any) bool {
			return func(http.ResponseWriter, string, map[string]any) bool {
				f.promote(third)
				panic(http.ErrAbortHandler)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := fullOptions(t)
				f := newFakePatroni(t, o)
				f.on["POST /switchover"] = answer(f)
				result, err := Switchover(t.Context(), o, SwitchoverOptions{Candidate: third})
				if err != nil {
					t.Fatal(err)
				}
				before, _ := result.Before.Leader()
				after, _ := result.After.Leader()
				got := []any{
					result.OldLeader, result.NewLeader, result.Timeline, before.Name, after.Name,
					result.Promoted > 0, result.Complete >= result.Promoted,
				}
				if diff := cmp.Diff([]any{first, third, int64(5), first, third, true, true},
					got); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff([]string{
					first +
						` POST /switchover {"candidate":"postgresql-03","leader":"postgresql-01"}`,
				}, f.asked()); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff([]string{
					"leader postgresql-cluster: moved from postgresql-01 to postgresql-03",
				}, f.told()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestSwitchoverDoesNotBelieveAnOldDCS(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		stale := 0
		f.on["POST /switchover"] = func(http.ResponseWriter, string, map[string]any) bool {
			f.promote(third)
			f.members[second].streaming = false // on its way to the new leader
			stale = 3
			return true
		}
		f.on["GET /cluster"] = func(w http.ResponseWriter, _ string, _ map[string]any) bool {
			if stale == 0 {
				return false
			}
			stale--
			state := f.cluster() // the lock is known, what the members said last is from before
			for _, m := range state["members"].([]map[string]any) {
				m["timeline"] = 4
				if m["name"] != third {
					m["state"] = "streaming"
				}
			}
			f.members[second].streaming = stale == 0
			_ = json.NewEncoder(w).Encode(state)
			return true
		}
		result, err := Switchover(t.Context(), o, SwitchoverOptions{Candidate: third})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range result.After.Members {
			if m.Timeline != 5 {
				t.Errorf("%s: believed to be done on timeline %d", m.Name, m.Timeline)
			}
		}
	})
}

// TestSwitchoverLeavesTheChoiceToPatroni names nobody, so that no replica waits for a candidate,
// and says who it became.
func TestSwitchoverLeavesTheChoiceToPatroni(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		// the DCS does not know yet
		f.members[first].location, f.members[third].location = 2000, 2000
		result, err := Switchover(t.Context(), o, SwitchoverOptions{})
		if err != nil || result.NewLeader != third {
			t.Errorf("%s %v", result.NewLeader, err)
		}
		if diff := cmp.Diff([]string{first + ` POST /switchover {"leader":"postgresql-01"}`},
			f.asked()); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
		want := []string{"leader postgresql-cluster: moved from " + first + " to " + third}
		if diff := cmp.Diff(want, f.told()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

func TestSwitchoverPlansTheBest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		f.members[first].location, f.members[third].location = 2000, 2000
		plan(o)
		if result, err := Switchover(t.Context(), o, SwitchoverOptions{}); err != nil ||
			result.NewLeader != third {
			t.Errorf("%s %v", result.NewLeader, err)
		}
	})
}

func TestSwitchoverRefusals(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(time.Hour)
	for name, tt := range map[string]struct {
		prepare func(*fakePatroni)
		options SwitchoverOptions
		want    error
		text    string
	}{
		"no leader": {func(f *fakePatroni) { f.leader = "" }, SwitchoverOptions{}, ErrNoLeader,
			"failover"},
		"leader silent": {
			func(f *fakePatroni) {
				f.members[first].dead = true
			}, SwitchoverOptions{}, ErrNoLeader, "gone for good",
		},
		"leader starts": {
			func(f *fakePatroni) {
				f.members[first].state = "starting"
			}, SwitchoverOptions{}, ErrNoLeader,
			`"starting"`,
		},
		"paused": {func(f *fakePatroni) { f.config["pause"] = true }, SwitchoverOptions{},
			ErrPaused, "resume"},
		"scheduled": {func(f *fakePatroni) {
			f.schedule = map[string]any{
				"at": "2030-01-01T10:00:00+00:00", "from": first,
			}
		},
			SwitchoverOptions{}, ErrScheduled, "switchover from postgresql-01 at " +
				"2030-01-01T10:00:00"},
		"misspelt": {nil, SwitchoverOptions{Candidate: "postgresql-3"}, ErrNoCandidate,
			"did you mean postgresql-03?"},
		"unlike": {
			nil, SwitchoverOptions{Candidate: "oracle"}, ErrNoCandidate,
			"the members are postgresql-01, postgresql-02, postgresql-03",
		},
		"leads": {nil, SwitchoverOptions{Candidate: first}, ErrNoCandidate, "leads already"},
		"dead": {
			func(f *fakePatroni) {
				f.members[third].dead = true
			}, SwitchoverOptions{Candidate: third},
			ErrNoCandidate, "does not answer",
		},
		"not well": {
			func(f *fakePatroni) { f.members[third].streaming = false },
			SwitchoverOptions{Candidate: third}, ErrNoCandidate, `"running" on timeline 4`,
		},
		"timeline": {
			func(f *fakePatroni) {
				f.members[third].timeline = 3
			}, SwitchoverOptions{Candidate: third},
			ErrNoCandidate, "timeline 3",
		},
		"lagging": {
			func(f *fakePatroni) { f.members[first].location = 3 << 20 },
			SwitchoverOptions{Candidate: third}, ErrNoCandidate, "3144728 bytes behind",
		},
		"lag unknown": {func(f *fakePatroni) {
			f.members[third].location, f.members[third].lag = 0, "unknown"
		}, SwitchoverOptions{Candidate: third}, ErrNoCandidate, "does not say how far"},
		"lag by the DCS's rule": {func(f *fakePatroni) {
			f.config["maximum_lag_on_failover"], f.members[first].location = 10, 1011
		}, SwitchoverOptions{Candidate: third}, ErrNoCandidate, "11 bytes behind"},
		"nofailover": {func(f *fakePatroni) {
			f.members[third].tags = map[string]any{"nofailover": true}
		},
			SwitchoverOptions{Candidate: third}, ErrNoCandidate, "is tagged nofailover"},
		"priority zero": {func(f *fakePatroni) {
			f.members[third].tags = map[string]any{"failover_priority": 0}
		},
			SwitchoverOptions{Candidate: third}, ErrNoCandidate, "is tagged nofailover"},
		"watchdog": {
			func(f *fakePatroni) {
				f.members[third].watchdog = true
			}, SwitchoverOptions{Candidate: third},
			ErrNoCandidate, "watchdog",
		},
		"not synchronous": {func(f *fakePatroni) {
			f.config["synchronous_mode"], f.members[second].sync = true,
				RoleSyncStandby
		},
			SwitchoverOptions{Candidate: third}, ErrNoCandidate, "is not the synchronous standby"},
		"nobody synchronous": {func(f *fakePatroni) { f.config["synchronous_mode"] = "on" },
			SwitchoverOptions{}, ErrNoCandidate, "postgresql-02 is not the synchronous standby, " +
				"postgresql-03 is not"},
		"not in the quorum": {func(f *fakePatroni) {
			f.config["synchronous_mode"], f.members[second].sync = "quorum", RoleQuorumStandby
		},
			SwitchoverOptions{Candidate: third}, ErrNoCandidate,
			"is not one of the quorum's standbys"},
		"in the past": {nil, SwitchoverOptions{At: time.Now().Add(-time.Minute)}, ErrInvalid,
			"has passed"},
		"scheduled for a member that is not fit": {func(f *fakePatroni) {
			f.members[third].streaming = false
		},
			SwitchoverOptions{Candidate: third, At: soon}, ErrNoCandidate, "does not stream"},
	} {
		refuses(t, name, tt.prepare, tt.want, tt.text, func(ctx context.Context, o Options) error {
			_, err := Switchover(ctx, o, tt.options)
			return err
		})
	}
}

func TestSwitchoverThatPatroniRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		code int
		text string
		want error
	}{
		"not possible": {412, "no good candidates have been found", ErrNoCandidate},
		"forbidden":    {403, "client certificate required", nil},
		"failed":       {503, "Switchover failed", nil},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := fullOptions(t)
				f := newFakePatroni(t, o)
				f.on["POST /switchover"] = answerWith(tt.code, tt.text)
				_, err := Switchover(t.Context(), o, SwitchoverOptions{Candidate: third})
				var status *StatusError
				if !errors.As(err, &status) || status.Code != tt.code || tt.want != nil &&
					!errors.Is(err, tt.want) {
					t.Errorf("got %v", err)
				}
				if told := f.told(); len(told) > 0 {
					t.Errorf("told %q", told)
				}
			})
		})
	}
}

func TestSwitchoverToSomebodyElse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		f.on["POST /switchover"] = func(http.ResponseWriter, string,
			map[string]any) bool {
			f.promote(second)
			return true
		}
		result, err := Switchover(t.Context(), o, SwitchoverOptions{Candidate: third})
		if err == nil || !strings.Contains(err.Error(), second+" became leader instead of "+
			third) ||
			result.NewLeader != second {
			t.Errorf("%s, %v", result.NewLeader, err)
		}
	})
}

func TestSwitchoverTimesOutAndIsCancelled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		// and nothing happens
		f.on["POST /switchover"] = answerWith(503, "Switchover status unknown after 20 seconds")
		_, err := Switchover(t.Context(), o, SwitchoverOptions{Candidate: third,
			Timeout: 600 * time.Millisecond})
		if !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), third+" to lead") {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		f.on["POST /switchover"] = func(http.ResponseWriter, string, map[string]any) bool {
			cancel()
			return true
		}
		if _, err := Switchover(ctx, o, SwitchoverOptions{Candidate: third}); !errors.Is(err,
			context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestSwitchoverPlans(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		plan(o)
		result, err := Switchover(t.Context(), o, SwitchoverOptions{})
		if err != nil || result.NewLeader != second || result.Timeline != 0 {
			t.Errorf("%+v %v", result, err)
		}
		if diff := cmp.Diff([]string{
			"would: leader postgresql-cluster: moved from postgresql-01 to postgresql-02",
		}, f.told()); diff != "" {
			t.Error(diff)
		}
		if asked := f.asked(); len(asked) > 0 {
			t.Errorf("asked %q", asked)
		}
	})
}

func TestScheduledSwitchover(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(time.Hour).Truncate(time.Second)
	for name, hook := range map[string]func(f *fakePatroni) func(http.ResponseWriter, string,
		map[string]any) bool{
		"at once": func(*fakePatroni) func(http.ResponseWriter, string, map[string]any) bool {
			return nil
		},
		"no answer": func(f *fakePatroni) func(http.ResponseWriter, string, map[string]any) bool {
			return func(w http.ResponseWriter, name string, body map[string]any) bool {
				f.act(w, "POST /switchover", name, body)
				panic(http.ErrAbortHandler)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := fullOptions(t)
				f := newFakePatroni(t, o)
				f.on["POST /switchover"] = hook(f)
				result, err := Switchover(t.Context(), o,
					SwitchoverOptions{Candidate: third, At: at})
				if err != nil {
					t.Fatal(err)
				}
				want := ScheduledSwitchover{At: at, From: first, To: third}
				if result.Scheduled == nil || !result.Scheduled.Equal(want) ||
					result.NewLeader != third ||
					f.leader != first {
					t.Errorf("%+v", result)
				}
				list, err := ScheduledSwitchovers(t.Context(), o)
				if err != nil || len(list) != 1 || !list[0].Equal(want) {
					t.Errorf("listed %v %v", list, err)
				}
				was, err := CancelSwitchover(t.Context(), o)
				if err != nil || !was.Equal(want) || f.schedule != nil {
					t.Errorf("cancelled %v %v", was, err)
				}
				if _, err := CancelSwitchover(t.Context(), o); !errors.Is(err,
					ErrNothingScheduled) {
					t.Errorf("again: %v", err)
				}
				if list, err := ScheduledSwitchovers(t.Context(), o); err != nil || len(list) != 0 {
					t.Errorf("listed %v %v", list, err)
				}
			})
		})
	}
}

func TestScheduleIsTakenBackWhenInterrupted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		ctx, cancel := context.WithCancel(t.Context())
		f.on["POST /switchover"] = func(w http.ResponseWriter, name string,
			body map[string]any) bool {
			f.act(w, "POST /switchover", name, body)
			cancel()
			return true
		}
		_, err := Switchover(ctx, o, SwitchoverOptions{At: time.Now().Add(time.Hour)})
		if !errors.Is(err, context.Canceled) || f.schedule != nil {
			t.Errorf("%v, schedule %v", err, f.schedule)
		}
		if told := f.told(); len(told) > 0 {
			t.Errorf("told %q", told)
		}
	})
}

func TestScheduleThatPatroniRefuses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		f.on["POST /switchover"] = answerWith(422, "Cannot schedule switchover in the past")
		if _, err := Switchover(t.Context(), o, SwitchoverOptions{
			At: time.Now().Add(time.Minute),
		}); !errors.Is(err, ErrInvalid) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCheckTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		at   time.Time
		want string
	}{
		{time.Time{}, ""},
		{now.Add(5 * time.Second), ""},
		{now.Add(4999 * time.Millisecond), "is less than 5s ahead"},
		{now.Add(-time.Second), "2026-11-24T09:59:59Z has passed"},
	} {
		err := checkTime(tt.at, now)
		if tt.want == "" && err != nil || tt.want != "" && (!errors.Is(err, ErrInvalid) ||
			!strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v", tt.at, err)
		}
	}
}

func TestElapsedIsSecondsInJSON(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(SwitchoverResult{Promoted: Elapsed(1500 * time.Millisecond)})
	if err != nil || !strings.Contains(string(text), `"promoted_seconds":1.5,`) {
		t.Errorf("%s %v", text, err)
	}
	var back SwitchoverResult
	if err := json.Unmarshal(text, &back); err != nil || back.Promoted.String() != "1.5s" {
		t.Errorf("%v %v", back.Promoted, err)
	}
}
