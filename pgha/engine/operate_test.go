package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/hostlook"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/procedure"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// seen are the events of an operation. Safe for concurrent use.
type seen struct {
	mu   sync.Mutex
	list []event.Event
}

func (s *seen) observe(e event.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, e)
}

// warnings are the texts of the warnings.
func (s *seen) warnings() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var text []string
	for _, e := range s.list {
		if e.Kind == event.Warning {
			text = append(text, e.Message)
		}
	}
	return strings.Join(text, "\n")
}

// another is a site of the same hosts.
func another(a *sitetest.Answering) *site.Site {
	c := &site.Site{Spec: a.Spec, Connections: a.Connections, State: a.State, Log: a.Log}
	return c.Hold(a.Credentials())
}

// never is work that must not be reached.
func never(t *testing.T) func(context.Context, *job.Job) error {
	return func(context.Context, *job.Job) error {
		t.Error("it was done without the lock")
		return nil
	}
}

var errBroken = errors.New("broken")

// TestOperateAlone: of two operations one works, by whichever of the two locks, and the other one
// is told who does and changes nothing; a dry run needs no lock. After an error the lock is free.
func TestOperateAlone(t *testing.T) {
	t.Parallel()
	a := sitetest.NewAnswering(t)
	a.Etcd()
	other := another(a) // of another operator, on the same hosts
	began := 0
	err := Operate(t.Context(), a.Site, "switchover", Operation{Holder: "alice@desk"}, job.LockEtcd,
		func(ctx context.Context, _ *job.Job) error {
			began++
			for name, how := range map[string]job.Locking{"in etcd": job.LockEtcd,
				"on hosts": job.LockHosts} {
				err := Operate(ctx, other, "restart", Operation{Holder: "bob@desk"}, how, never(t))
				if !errors.Is(err, job.ErrLocked) || !strings.Contains(err.Error(), "alice@desk") ||
					!strings.Contains(err.Error(), "switchover") {
					t.Errorf("the second one, with a lock %s: %v", name, err)
				}
			}
			dry := 0
			err := Operate(ctx, other, "restart", Operation{DryRun: true}, job.LockEtcd,
				func(_ context.Context, r *job.Job) error {
					if dry++; !r.Planning() {
						t.Error("a dry run would change something")
					}
					return nil
				})
			if err != nil || dry != 1 {
				t.Errorf("a dry run beside it: %d, %v", dry, err)
			}
			return errBroken
		})
	if !errors.Is(err, errBroken) || began != 1 {
		t.Fatalf("%d times, %v", began, err)
	}
	for _, how := range []job.Locking{job.LockHosts, job.LockEtcd} {
		err := Operate(t.Context(), other, "restart", Operation{}, how,
			func(ctx context.Context, _ *job.Job) error {
				began++
				return ctx.Err()
			})
		if err != nil {
			t.Errorf("the lock is not free: %v", err)
		}
	}
	if began != 3 {
		t.Errorf("%d were done", began)
	}
}

// TestOperateManyAtOnce: of operations that begin at the same instant no two overlap, and all that
// do not work are refused for the lock.
func TestOperateManyAtOnce(t *testing.T) {
	t.Parallel()
	a := sitetest.NewAnswering(t)
	a.Etcd()
	var working, done, refused atomic.Int32
	var wg sync.WaitGroup
	for i := range 6 {
		c := another(a)
		wg.Go(func() {
			err := Operate(t.Context(), c, "restart", Operation{Holder: fmt.Sprint("op", i)},
				job.LockEtcd, func(context.Context, *job.Job) error {
					if working.Add(1) > 1 {
						t.Error("two work at the same time")
					}
					done.Add(1)
					working.Add(-1)
					return nil
				})
			switch {
			case errors.Is(err, job.ErrLocked):
				refused.Add(1)
			case err != nil:
				t.Errorf("op%d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if done.Load() == 0 || done.Load()+refused.Load() != 6 {
		t.Errorf("%d done, %d refused", done.Load(), refused.Load())
	}
}

// TestOperateWhereAHostIsTaken: somebody's lock on one host is enough, and those that were taken
// before it are free again.
func TestOperateWhereAHostIsTaken(t *testing.T) {
	t.Parallel()
	a := sitetest.NewAnswering(t)
	a.Etcd()
	var asked []string
	a.On("pg1", sitetest.Lockable("pg1", "locked\n", &asked))
	a.On("pg2", sitetest.Lockable("pg2", "taken bob@desk since noon: apply\n", &asked))
	a.On("pg3", sitetest.Lockable("pg3", "locked\n", &asked))
	for name, how := range map[string]job.Locking{"etcd": job.LockEtcd, "hosts": job.LockHosts} {
		asked = nil
		err := Operate(t.Context(), a.Site, "stop", Operation{}, how, never(t))
		if !errors.Is(err, job.ErrLocked) || !strings.Contains(err.Error(), "bob@desk") ||
			strings.Join(asked, " ") != "pg1 pg2" {
			t.Errorf("%s: %v, asked %v", name, err, asked)
		}
	}
	// The lock in etcd was given back, too.
	a.On("pg2", sitetest.Lockable("pg2", "locked\n", nil))
	if err := Operate(t.Context(), a.Site, "stop", Operation{}, job.LockEtcd,
		func(context.Context, *job.Job) error { return nil }); err != nil {
		t.Error(err)
	}
	// A host that says nothing that this knows gives no lock.
	a.On("pg2", sitetest.Lockable("pg2", "Welcome to Debian!\n", nil))
	if err := Operate(t.Context(), a.Site, "stop", Operation{}, job.LockHosts,
		never(t)); err == nil || errors.Is(err, job.ErrLocked) {
		t.Errorf("a host that greets: %v", err)
	}
}

// leaving is a host that gives its lock, and whose connection ends when gone is closed.
type leaving struct {
	remote.Executor
	gone <-chan struct{}
}

// Stream implements remote.Streamer.
func (l leaving) Stream(_ context.Context, cmd remote.Cmd, stdout, _ io.Writer) (int, error) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		line := make([]byte, 512)
		for answer := "locked\n"; ; answer = "held\n" {
			if _, err := cmd.Stdin.Read(line); err != nil {
				return
			}
			if _, err := io.WriteString(stdout, answer); err != nil {
				return
			}
		}
	}()
	select {
	case <-l.gone:
		return -1, remote.ErrUnreachable
	case <-ended:
		return 0, nil
	}
}

// TestOperateLosesItsLock: the work ends with the lock, and the error names both; work that was
// done all the same is told that it was not alone at its end.
func TestOperateLosesItsLock(t *testing.T) {
	t.Parallel()
	for _, ends := range []bool{true, false} {
		a := sitetest.NewAnswering(t)
		gone := make(chan struct{})
		a.On("pg2", leaving{remote.Broken("pg2", remote.ErrUnreachable), gone})
		err := Operate(t.Context(), a.Site, "stop", Operation{}, job.LockHosts,
			func(ctx context.Context, _ *job.Job) error {
				if ctx.Err() != nil {
					t.Error("the lock is over before it is lost")
				}
				close(gone)
				<-ctx.Done()
				if !ends {
					return nil // it had nothing left to do
				}
				return fmt.Errorf("stop pg2: %w", ctx.Err())
			})
		if !errors.Is(err, job.ErrLockLost) || strings.Contains(err.Error(), "stop pg2") != ends ||
			!strings.Contains(err.Error(), "pg2") {
			t.Errorf("%v: %v", ends, err)
		}
	}
}

// TestOperateIsCancelled: who cancels gets the work's own word, and the lock is given back.
func TestOperateIsCancelled(t *testing.T) {
	t.Parallel()
	a := sitetest.NewAnswering(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := Operate(ctx, a.Site, "stop", Operation{}, job.LockHosts,
		func(ctx context.Context, _ *job.Job) error {
			cancel()
			<-ctx.Done()
			return fmt.Errorf("stop pg1: %w", context.Cause(ctx))
		})
	if !errors.Is(err, context.Canceled) || errors.Is(err, job.ErrLockLost) {
		t.Errorf("%v", err)
	}
	if err := Operate(ctx, a.Site, "stop", Operation{}, job.LockHosts, never(t)); err == nil {
		t.Error("an operation began after the end of its context")
	}
}

// TestOperateSaysThatTheClusterIsPaused, and nothing where Patroni says nothing that can be read.
func TestOperateSaysThatTheClusterIsPaused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		code   int
		answer string
		paused bool
	}{
		"paused":     {200, `{"members":[],"scope":"demo","pause":true}`, true},
		"not paused": {200, `{"members":[],"scope":"demo"}`, false},
		"no JSON":    {200, `<html>pause</html>`, false},
		"cut off":    {200, `{"members":[],"pause":true`, false},
		"no DCS":     {503, `{"pause":true}`, false},
	} {
		a := sitetest.NewAnswering(t)
		for _, h := range a.Spec.Databases() {
			a.REST(h.Name, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.code)
				_, _ = io.WriteString(w, tt.answer)
			})
		}
		var s seen
		err := Operate(t.Context(), a.Site, "pause", Operation{DryRun: true, Observer: s.observe},
			job.LockEtcd, func(context.Context, *job.Job) error { return nil })
		if err != nil || strings.Contains(s.warnings(), "PAUSED") != tt.paused {
			t.Errorf("%s: %v, warned %q", name, err, s.warnings())
		}
	}
}

// TestRehearsalWithoutEtcd: a rehearsal takes no lock, so it asks for etcd where Patroni is silent:
// the real operation would be refused for it.
func TestRehearsalWithoutEtcd(t *testing.T) {
	t.Parallel()
	silent := func(context.Context, *job.Job) error {
		return fmt.Errorf("restart: %w", patroni.ErrUnavailable)
	}
	a := sitetest.NewAnswering(t)
	for _, failsafe := range []bool{true, false} {
		a.Spec.Patroni.FailsafeMode = failsafe
		err := Operate(t.Context(), a.Site, "restart", Operation{DryRun: true}, job.LockEtcd, silent)
		if !errors.Is(err, patroni.ErrUnavailable) || errors.Is(err, errs.ErrRefused) != failsafe ||
			errors.Is(err, etcd.ErrUnhealthy) != failsafe && failsafe {
			t.Errorf("failsafe_mode %v: %v", failsafe, err)
		}
	}
	// A candidate that is refused has a remedy, and one that has its own keeps that.
	for _, err := range []error{patroni.ErrNoCandidate,
		remote.WithHint(patroni.ErrNoCandidate, "wait for m2")} {
		told := Operate(t.Context(), a.Site, "switchover", Operation{DryRun: true}, job.LockEtcd,
			func(context.Context, *job.Job) error { return err })
		if hint := remote.Hint(told); !errors.Is(told, patroni.ErrNoCandidate) || hint == "" ||
			remote.Hint(err) != "" && hint != "wait for m2" {
			t.Errorf("%v: hint %q", told, hint)
		}
	}
}

// TestOperateNeedsAWritableSite: a directory that is only read refuses all but a dry run.
func TestOperateNeedsAWritableSite(t *testing.T) {
	t.Parallel()
	a := sitetest.NewAnswering(t)
	a.ReadOnly = true
	for _, how := range []job.Locking{job.LockEtcd, job.LockHosts} {
		if err := Operate(t.Context(), a.Site, "stop", Operation{}, how, never(t)); err == nil ||
			!strings.HasPrefix(err.Error(), "stop: ") {
			t.Errorf("%v", err)
		}
	}
}

// TestRefuseWithoutQuorum: a host may be stopped unless the primary lives on failsafe_mode: then
// every Patroni has to go on answering it.
func TestRefuseWithoutQuorum(t *testing.T) {
	t.Parallel()
	sp := sitetest.PowerSpec()
	sp.Patroni.FailsafeMode = true
	runs := map[string]hostlook.Look{"db2": {Active: map[string]string{patroni.Unit: "active"}}}
	lives := func(change func(*status.Status)) status.Status {
		s := sitetest.PowerStatus()
		for i := range s.Etcd {
			s.Etcd[i].Healthy = i == 0
		}
		s.Members[0].Endpoints = map[string]int{"/primary": http.StatusOK}
		change(&s)
		return s
	}
	for name, tt := range map[string]struct {
		s       status.Status
		hosts   []int // of the specification
		refused bool
	}{
		"it lives on failsafe_mode": {lives(func(*status.Status) {}), []int{1}, true},
		"etcd has a quorum": {lives(func(s *status.Status) { s.Etcd[1].Healthy = true }),
			[]int{1}, false},
		"an alarm is no lost quorum": {lives(func(s *status.Status) { s.Etcd[1].Alarm = "NOSPACE" }),
			[]int{1}, false},
		"nobody serves": {lives(func(s *status.Status) {
			s.Members[0].Endpoints = map[string]int{"/primary": http.StatusServiceUnavailable}
		}), []int{1}, false},
		"nobody answered": {lives(func(s *status.Status) { s.Members[0].Endpoints = nil }),
			[]int{1}, false},
		"its Patroni is down already": {lives(func(*status.Status) {}), []int{2}, false},
		"a balancer":                  {lives(func(*status.Status) {}), []int{3, 4}, false},
		"all":                         {lives(func(*status.Status) {}), []int{0, 1, 2, 3, 4, 5}, true},
	} {
		var hosts []spec.Host
		for _, i := range tt.hosts {
			hosts = append(hosts, sp.Hosts[i])
		}
		err := RefuseWithoutQuorum(sp, tt.s, runs, hosts)
		if errors.Is(err, errs.ErrRefused) != tt.refused || (err == nil) == tt.refused ||
			tt.refused && !strings.Contains(err.Error(), "1 of 3 members") {
			t.Errorf("%s: %v", name, err)
		}
	}
	sp.Patroni.FailsafeMode = false
	if err := RefuseWithoutQuorum(sp, lives(func(*status.Status) {}), runs, sp.Hosts); err != nil {
		t.Errorf("without failsafe_mode: %v", err)
	}
}

// TestPlanSteps: planned is what is left, with its number, its cost, and where there is no way
// back.
func TestPlanSteps(t *testing.T) {
	t.Parallel()
	steps := []procedure.Step{{Outline: procedure.Outline{Name: "one", Back: "b"}},
		{Outline: procedure.Outline{Name: "two", Back: "b", Cost: "a second"}},
		{Outline: procedure.Outline{Name: "three"}}}
	for reached, want := range map[int]string{
		0: "1 of 3: one; 2 of 3: two (a second); 3 of 3: three, from which there is no way back",
		2: "3 of 3: three, from which there is no way back",
		3: "",
	} {
		var s seen
		r := &job.Job{Site: &site.Site{}, Out: &event.Emitter{Log: quiet().Log, Observer: s.observe}}
		err := PlanSteps(r, "pg1", procedure.Record{Steps: procedure.Outlines(steps),
			Reached: reached}, steps)
		var told []string
		for _, e := range s.list {
			if !e.Change.Planned || e.Change.Host != "pg1" {
				t.Errorf("%+v", e.Change)
			}
			told = append(told, e.Change.Name+" "+e.Change.Action)
		}
		if got := strings.Join(told, "; "); err != nil || got != want {
			t.Errorf("%d done: %q, %v", reached, got, err)
		}
	}
	r := &job.Job{Site: &site.Site{}, Out: quiet()}
	for _, record := range []procedure.Record{{Steps: procedure.Outlines(steps), Reached: 4},
		{Steps: procedure.Outlines(steps), Reached: -1}, {Steps: procedure.Outlines(steps[:2])}, {}} {
		if err := PlanSteps(r, "pg1", record, steps); !errors.Is(err, errs.ErrRefused) {
			t.Errorf("%d of %d: %v", record.Reached, len(record.Steps), err)
		}
	}
}

// TestRunStepsTellsWhoAndWhere: the record says who works on it before the first step, and a run
// that is cancelled within a step leaves that one to be done again.
func TestRunStepsTellsWhoAndWhere(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var did []string
	step := func(name string, do func(context.Context) error) procedure.Step {
		return procedure.Step{Outline: procedure.Outline{Name: name, Back: "b"},
			Do: func(ctx context.Context) error { did = append(did, name); return do(ctx) }}
	}
	steps := []procedure.Step{
		step("one", func(context.Context) error { return nil }),
		step("two", func(ctx context.Context) error { cancel(); <-ctx.Done(); return ctx.Err() }),
		step("three", func(context.Context) error { return nil }),
	}
	var s seen
	r := &job.Job{Site: &site.Site{}, Out: &event.Emitter{Log: quiet().Log, Observer: s.observe}}
	record := procedure.Record{Verb: "x", By: "alice@desk", Steps: procedure.Outlines(steps)}
	var kept []procedure.Record
	keep := func(_ context.Context, now procedure.Record) error {
		kept = append(kept, now)
		return nil
	}
	err := RunSteps(ctx, r, &record, steps, keep)
	if !errors.Is(err, context.Canceled) || len(kept) != 2 || kept[1].Reached != 1 ||
		kept[0].By == "alice@desk" || kept[0].By == "" {
		t.Fatalf("%v, kept %+v", err, kept)
	}
	last := s.list[len(s.list)-1]
	if last.Message != "step 2 of 3: two" || len(s.list) != 2 {
		t.Errorf("told %+v", s.list)
	}
	steps[1] = step("two", func(context.Context) error { return nil })
	if err := RunSteps(t.Context(), r, &record, steps, keep); err != nil ||
		strings.Join(did, " ") != "one two two three" {
		t.Errorf("%v, did %v", err, did)
	}
}

// TestRunPhasesAtTheEnd: after the end of ctx no phase begins, one that runs is waited for, and the
// failures of phases that run at the same time are all told.
func TestRunPhasesAtTheEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var r recorder
	ended := false
	phases := []Phase{
		{Name: "a", Run: func(ctx context.Context, _ *Run) error {
			cancel()
			<-ctx.Done()
			ended = true
			return nil
		}},
		r.phase("b", nil),
	}
	err := RunPhases(ctx, &site.Site{}, phases, quiet(), false)
	if !errors.Is(err, context.Canceled) || !ended || len(r.ran) > 0 ||
		!strings.HasPrefix(err.Error(), "b: ") {
		t.Errorf("%v, ended %v, ran %v", err, ended, r.ran)
	}
	none := []string{}
	both := []Phase{{Name: "a", After: none, Run: r.phase("a", errBroken).Run},
		{Name: "b", After: none, Run: r.phase("b", errBroken).Run}, r.phase("c", nil)}
	err = RunPhases(t.Context(), &site.Site{}, both, quiet(), false)
	if err == nil || !strings.Contains(err.Error(), "a: broken") ||
		!strings.Contains(err.Error(), "b: broken") || strings.Contains(err.Error(), "c: ") {
		t.Errorf("%v", err)
	}
	if err := RunPhases(t.Context(), &site.Site{}, nil, quiet(), false); err != nil {
		t.Errorf("nothing to do: %v", err)
	}
}

// TestSavingFailsEveryPhase: what cannot be saved stops all phases but preflight, and is tried
// once.
func TestSavingFailsEveryPhase(t *testing.T) {
	t.Parallel()
	a := sitetest.NewAnswering(t)
	var r recorder
	none := []string{}
	phases := []Phase{{Name: PreflightName, Run: r.phase(PreflightName, nil).Run},
		{Name: "a", After: none, Run: r.phase("a", nil).Run},
		{Name: "b", After: none, Run: r.phase("b", nil).Run}}
	a.State.ReadOnly = true // it writes nothing, and is asked for nothing
	if err := RunPhases(t.Context(), a.Site, Saving(phases), quiet(), false); err != nil ||
		len(r.ran) != 3 {
		t.Fatalf("of a directory that is only read: %v, ran %v", err, r.ran)
	}
	a.State.ReadOnly, r.ran = false, nil
	if err := a.State.Close(); err != nil {
		t.Fatal(err)
	}
	a.State.Dir = "/proc/nowhere"
	err := RunPhases(t.Context(), a.Site, Saving(phases), quiet(), false)
	if err == nil || strings.Join(r.ran, " ") != PreflightName ||
		!strings.Contains(err.Error(), "a: ") || !strings.Contains(err.Error(), "b: ") {
		t.Errorf("%v, ran %v", err, r.ran)
	}
	r.ran = nil
	if err := RunPhases(t.Context(), a.Site, Saving(phases), quiet(), true); err != nil ||
		len(r.ran) != 3 {
		t.Errorf("a plan: %v, ran %v", err, r.ran)
	}
}
