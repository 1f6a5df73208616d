package job_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// watched is a job on hosts that answer nothing, with what its observer has received.
func watched(t *testing.T, dry bool) (*job.Job, *[]event.Event) {
	t.Helper()
	c, _ := sitetest.HeldHosts(t)
	var seen []event.Event
	return &job.Job{Site: c, Phase: "stop", DryRun: dry, Out: &event.Emitter{
		Log: slog.New(slog.DiscardHandler), Observer: func(e event.Event) {
			seen = append(seen, e)
		},
	}}, &seen
}

// TestDryRunHoldsChangesBack: whatever a job reaches hosts by holds changes back in a dry run, and
// reports each as planned. The hosts fail the test at any command.
func TestDryRunHoldsChangesBack(t *testing.T) {
	t.Parallel()
	r, seen := watched(t, true)
	one, err := r.Target("m1")
	if err != nil {
		t.Fatal(err)
	}
	databases, err := r.Databases()
	if err != nil {
		t.Fatal(err)
	}
	balancers, err := r.Balancers()
	if err != nil {
		t.Fatal(err)
	}
	ways := slices.Concat([]*remote.Target{one}, databases, balancers, r.Targets())
	if len(ways) != 1+3+2+5 || !r.Planning() {
		t.Fatalf("%d ways to hosts, planning: %v", len(ways), r.Planning())
	}
	for _, target := range ways {
		if _, err := target.Do(t.Context(), "patroni.service", "stop",
			remote.Cmd{Argv: []string{"systemctl", "stop", "patroni"},
				Mutating: true}); err != nil {
			t.Errorf("%s: %v", target.Name, err)
		}
	}
	if len(*seen) != len(ways) {
		t.Errorf("%d changes were reported, %d planned", len(*seen), len(ways))
	}
	for _, e := range *seen {
		if e.Kind != event.Changed || e.Phase != "stop" || e.Change == nil || !e.Change.Planned ||
			e.Host == "" {
			t.Errorf("%+v is no planned change of a host", e)
		}
	}
}

// TestWorkOnWhatIsLeft: a job that has to have all hosts refuses one without a connection; a
// lenient one gets a stand-in, of which every use says why the host is away.
func TestWorkOnWhatIsLeft(t *testing.T) {
	t.Parallel()
	r, _ := watched(t, false)
	delete(r.Connections, "pg2")
	r.Unreachable = map[string]error{"pg2": remote.OnHost("pg2", remote.ErrUnreachable)}
	if _, err := r.Target("pg2"); err == nil {
		t.Error("a host without a connection is reached")
	}
	if _, err := r.Databases(); err == nil {
		t.Error("all databases are reached, and one is away")
	}
	r.Lenient = true
	target, err := r.Target("m2")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := target.Output(t.Context(), "true"); !errors.Is(err, remote.ErrUnreachable) {
		t.Errorf("the stand-in answers: %v", err)
	}
	if _, err := r.Target("nobody"); !errors.Is(err, spec.ErrUnknownHost) {
		t.Errorf("nobody: %v", err)
	}
	if got := len(r.Targets()); got != 4 {
		t.Errorf("%d live connections", got)
	}
}

// TestChangesOfMembers: a change of a member is reported for its host; one of nobody's is an error.
func TestChangesOfMembers(t *testing.T) {
	t.Parallel()
	r, seen := watched(t, false)
	if err := r.Changed("m3", remote.Change{Kind: "etcd leader", Action: "moved"}); err != nil {
		t.Fatal(err)
	}
	if err := r.Changed("m9", remote.Change{Kind: "etcd leader"}); err == nil {
		t.Error("a change of nobody's was reported")
	}
	if len(*seen) != 1 || (*seen)[0].Host != "pg3" || (*seen)[0].Change.Host != "pg3" ||
		(*seen)[0].Change.Planned {
		t.Errorf("got %+v", *seen)
	}
	// The rehearsal of a job plans, and tells nobody.
	rehearsal := r.Rehearsed()
	if err := rehearsal.Changed("m1", remote.Change{}); err != nil {
		t.Fatal(err)
	}
	rehearsal.Warn("pg1", "slow")
	if len(*seen) != 1 || !rehearsal.Planning() || r.Planning() {
		t.Errorf("the rehearsal was heard: %+v", *seen)
	}
}

// TestProgressIsSaidOnce: polls say the same again and again, and the observer hears it once in
// each phase; warnings are never dropped.
func TestProgressIsSaidOnce(t *testing.T) {
	t.Parallel()
	r, seen := watched(t, false)
	for _, message := range []string{"waiting for m1", "waiting for m1", "waiting for m2",
		"waiting for m1"} {
		r.Progress(message)
	}
	r.Phase = "start"
	r.Progress("waiting for m1")
	r.Warn("pg1", "slow")
	r.Warn("pg1", "slow")
	var got []string
	for _, e := range *seen {
		got = append(got, e.Phase+" "+e.Message)
	}
	want := []string{"stop waiting for m1", "stop waiting for m2", "stop waiting for m1",
		"start waiting for m1",
		"start slow", "start slow"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestWaits end with what is missing, when their context does, and at once when planning.
func TestWaits(t *testing.T) {
	t.Parallel()
	r, seen := watched(t, false)
	next := errs.Text("see %s", errs.Verb("status"))
	err := r.Until(t.Context(), 300*time.Millisecond, "pg1 to stop", next,
		func(context.Context) string { return "patroni.service runs" })
	if !errors.Is(err, errs.ErrTimeout) || !strings.Contains(err.Error(), "patroni.service runs") ||
		remote.Hint(err) == "" {
		t.Errorf("a wait that times out: %v", err)
	}
	looks := 0
	err = r.Until(t.Context(), time.Minute, "pg1 to stop", next, func(context.Context) string {
		if looks++; looks < 3 {
			return "it runs"
		}
		return ""
	})
	if err != nil || looks != 3 {
		t.Errorf("%d looks, %v", looks, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = r.Until(ctx, time.Minute, "pg1 to stop", next,
		func(context.Context) string { cancel(); return "it runs" })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted wait: %v", err)
	}
	before := len(*seen)
	r.DryRun = true
	err = r.Until(t.Context(), time.Minute, "pg1 to stop", next,
		func(context.Context) string { return "for ever" })
	if err != nil || len(*seen) != before {
		t.Errorf("a plan waits: %v", err)
	}
}

// TestHostLocks: the lock of a cluster without etcd is that of each database host that answers, in
// order; a host that holds another's, or loses its connection, gives the others' back.
func TestHostLocks(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answers []string // of pg1 to pg3; "-" has no connection
		taken   string
		is      error
	}{
		"all are free": {[]string{"locked\n", "locked\n", "locked\n"}, "pg1,pg2,pg3", nil},
		"one is away":  {[]string{"locked\n", "-", "locked\n"}, "pg1,pg3", nil},
		"one loses its line": {[]string{"locked\n", "", "locked\n"}, "pg1,pg3",
			remote.ErrUnreachable},
		"none has a connection": {[]string{"-", "-", "-"}, "", nil},
		"one answers with riddles": {
			[]string{"locked\n", "Welcome to Debian!\n", "locked\n"}, "pg1,pg2,pg3", errRiddle,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := sitetest.HeldHosts(t)
			var taken []string
			for i, host := range []string{"pg1", "pg2", "pg3"} {
				if delete(c.Connections, host); tt.answers[i] != "-" {
					c.Connections[host] = &remote.Target{Host: remote.Host{Name: host},
						Executor: sitetest.Lockable(host, tt.answers[i], &taken)}
				}
			}
			held, unlock, err := job.Lock(t.Context(), c, "reset", "alice", job.LockHosts)
			if got := strings.Join(taken, ","); got != tt.taken {
				t.Errorf("asked %s, want %s", got, tt.taken)
			}
			if tt.is != nil {
				if err == nil || tt.is != errRiddle && !errors.Is(err, tt.is) || unlock != nil {
					t.Errorf("got %v", err)
				}
				if len(errs.Steps(err)) == 0 {
					t.Errorf("no way on from: %v", err)
				}
				return
			}
			if err != nil || held.Err() != nil {
				t.Fatalf("got %v", err)
			}
			if err := unlock(); err != nil {
				t.Error(err)
			}
		})
	}
}

// errRiddle stands for an error of no particular kind.
var errRiddle = errors.New("any")
