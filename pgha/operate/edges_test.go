package operate

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
)

// verbs are all operations on members, given the name of one.
func verbs(c *site.Site, member string,
	op engine.Operation) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"switchover": func(ctx context.Context) error {
			_, err := Switchover(ctx, c, SwitchoverOptions{Operation: op, To: member})
			return err
		},
		"failover": func(ctx context.Context) error {
			_, err := Failover(ctx, c, FailoverOptions{Operation: op, To: member})
			return err
		},
		"restart": func(ctx context.Context) error {
			_, err := Restart(ctx, c, RestartOptions{Operation: op,
				Members: []string{"m1", member}})
			return err
		},
		"cancel restart": func(ctx context.Context) error {
			_, err := CancelRestart(ctx, c, op, member)
			return err
		},
		"reload": func(ctx context.Context) error {
			_, err := Reload(ctx, c, ReloadOptions{Operation: op, Members: []string{member}})
			return err
		},
		"reinit": func(ctx context.Context) error {
			_, err := Reinitialize(ctx, c, ReinitializeOptions{Operation: op, Member: member})
			return err
		},
	}
}

// TestVerbsRefuseStrangers: a name that is no member is refused before a host is asked anything,
// and a balancer's too. HeldHosts fails the test at the first question.
func TestVerbsRefuseStrangers(t *testing.T) {
	t.Parallel()
	c, _ := sitetest.HeldHosts(t)
	for _, name := range []string{"m9", "lb1", "m1 ", "*"} {
		for verb, do := range verbs(c, name, engine.Operation{}) {
			if err := do(t.Context()); errs.KindOf(err) != errs.Refused {
				t.Errorf("%s %q: %v", verb, name, err)
			}
		}
	}
}

// TestDryRunsOfADeadCluster: without a connection to any host a dry run ends with an error that
// says what it could not look at, and reports no change.
func TestDryRunsOfADeadCluster(t *testing.T) {
	t.Parallel()
	c, _ := sitetest.HeldHosts(t)
	for name := range c.Connections {
		delete(c.Connections, name)
	}
	c.Unreachable = map[string]error{}
	for _, h := range c.Spec.Hosts {
		c.Unreachable[h.Name] = remote.OnHost(h.Name, remote.ErrUnreachable)
	}
	op := engine.Operation{DryRun: true, Observer: func(e event.Event) {
		if e.Change != nil {
			t.Errorf("a change of nothing: %+v", e.Change)
		}
	}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	all := verbs(c, "m2", op)
	all["pause"] = func(ctx context.Context) error {
		_, err := Pause(ctx, c, PauseOptions{Operation: op})
		return err
	}
	all["resume"] = func(ctx context.Context) error {
		_, err := Resume(ctx, c, PauseOptions{Operation: op})
		return err
	}
	all["sync"] = func(ctx context.Context) error {
		_, err := SetSynchronous(ctx, c, SynchronousOptions{Operation: op,
			Mode: patroni.SynchronousOn})
		return err
	}
	for verb, do := range all {
		if err := do(ctx); err == nil || !strings.Contains(err.Error(), "unreachable") {
			t.Errorf("%s: %v", verb, err)
		}
	}
}

// TestTimeoutNamesTheArchiver: a member that does not stop because its archiver hangs is said to
// wait for it; where nothing is known the error stays what it was.
func TestTimeoutNamesTheArchiver(t *testing.T) {
	t.Parallel()
	cmd := remote.Cmd{Argv: []string{"sh", "-c", archiverCommand}}
	late := &errs.TimeoutError{What: "m1 to stop"}
	for name, tt := range map[string]struct {
		member, archiver string
		lookErr, err     error
		names            bool
	}{
		"it archives":               {"m1", "000000010000000000000007\n", nil, late, true},
		"it archives nothing":       {"m1", "\n", nil, late, false},
		"the host does not answer":  {"m1", "", remote.ErrUnreachable, late, false},
		"no such member":            {"m9", "-", nil, late, false},
		"nothing went wrong":        {"m1", "-", nil, nil, false},
		"a host without connection": {"m2", "-", nil, late, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, fakes := sitetest.HeldHosts(t)
			delete(c.Connections, "pg2")
			if tt.archiver != "-" {
				fakes["pg1"].On(cmd.String(), remote.Result{Stdout: []byte(tt.archiver)},
					tt.lookErr)
			}
			r := &job.Job{Site: c, Out: &event.Emitter{Log: slog.New(slog.DiscardHandler)}}
			// the verb's own time is over when this is asked
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			err := aboutArchiver(ctx, r, tt.member, tt.err)
			if !errors.Is(err, tt.err) || tt.err != nil && !errors.Is(err, errs.ErrTimeout) {
				t.Fatalf("got %v, want %v", err, tt.err)
			}
			if tt.err != nil && strings.Contains(err.Error(),
				"has 000000010000000000000007 in hand") != tt.names {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestObstaclesThatCannotBeSeen: where the primary cannot be asked nothing is stopped, forced or
// not.
func TestObstaclesThatCannotBeSeen(t *testing.T) {
	t.Parallel()
	c, _ := sitetest.HeldHosts(t)
	warned := 0
	r := &job.Job{Site: c, Out: &event.Emitter{Log: slog.New(slog.DiscardHandler),
		Observer: func(event.Event) { warned++ }}}
	for _, force := range []bool{false, true} {
		err := RefuseObstacles(t.Context(), r, force)
		if err == nil || !strings.Contains(err.Error(), "look for work that would be cut short") ||
			warned > 0 {
			t.Errorf("forced: %v: %v, %d warnings", force, err, warned)
		}
	}
	if err := Checkpoint(t.Context(), r, "m1"); err == nil ||
		!strings.Contains(err.Error(), "write a checkpoint first") {
		t.Errorf("checkpoint: %v", err)
	}
	// Measuring only makes the answer nicer: it warns, and measures nothing.
	if took := measureWrites(t.Context(), r)(true); took != 0 || warned == 0 {
		t.Errorf("measured %v, %d warnings", took, warned)
	}
}

// TestModesAreExplained: each mode says what it promises and what it costs, an unknown one nothing.
func TestModesAreExplained(t *testing.T) {
	t.Parallel()
	told := map[string]bool{}
	for _, mode := range []patroni.SynchronousMode{patroni.SynchronousOff, patroni.SynchronousOn,
		patroni.SynchronousStrict, patroni.SynchronousQuorum} {
		promise, cost := DescribeSynchronous(mode)
		if promise == "" || cost == "" || told[promise] {
			t.Errorf("%s: %q, %q", mode, promise, cost)
		}
		told[promise] = true
	}
	if promise, cost := DescribeSynchronous("always"); promise+cost != "" {
		t.Errorf("always: %q, %q", promise, cost)
	}
}
