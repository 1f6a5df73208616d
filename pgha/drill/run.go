package drill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/patroni"
)

// healBound is how long it may take to give back what was broken when the drill was interrupted.
const healBound = 3 * time.Minute

// settleWithin is how long a cluster in which something has just been done may take to be healthy.
const settleWithin = 10 * time.Second

// placesEvery is the time between two looks at who does what.
const placesEvery = 2 * time.Second

// undoLater is by how much a host's own timer comes later than this program means to.
const undoLater = 15 * time.Second

// Run practises the scenarios one after the other on a healthy cluster and leaves a healthy one. It
// returns what was measured until then also with an error; a broken promise is no error but a
// verdict. Refusals match pgha.ErrRefused or patroni.ErrInvalid, and nothing has been touched then.
//
// When ctx ends Run first gives back what is broken, for at most three minutes, and then returns
// ctx's error. A Run whose program is killed leaves at most one fault behind, which ends by a timer
// of its host (see the package's documentation), the synchronous mode if a scenario had set one,
// and a table, pgha_probe, that the next Run uses again.
//
// One at a time: a cluster that somebody else is changing is refused.
func Run(ctx context.Context, cluster *pgha.Cluster, opts Options) (Result, error) {
	o := opts.withDefaults(cluster.Spec)
	chosen, err := choose(cluster.Spec, o)
	if err != nil {
		return Result{}, err
	}
	d := &driller{cluster: cluster, opts: o}
	if err := d.start(ctx); err != nil {
		return Result{}, err
	}
	err = d.all(ctx, chosen)
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), healBound)
	defer cancel()
	return d.result, errors.Join(err, d.finish(after))
}

// driller is one Run.
type driller struct {
	cluster *pgha.Cluster
	opts    Options
	routes  routes
	result  Result
	// mode is the synchronous mode that was found, now the one that is set.
	mode, now synchronous
}

// synchronous is a synchronous mode with its number of replicas.
type synchronous struct {
	mode  patroni.SynchronousMode
	nodes int
}

// start looks whether the cluster can be broken at all.
func (d *driller) start(ctx context.Context) error {
	if d.cluster.ReadOnly {
		return fmt.Errorf("drill: %w", pgha.ErrReadOnly)
	}
	status, err := d.cluster.Status(ctx)
	if err != nil {
		return err
	}
	if op := status.Operation; op != nil {
		return fmt.Errorf("drill: %w by %s for %s", pgha.ErrLocked, op.Holder, op.Purpose)
	}
	if !status.Healthy() {
		// What was done a moment ago may not have reached everybody.
		if again, err := d.healthy(ctx, settleWithin); err == nil || again.Cluster != "" {
			status = again
		}
	}
	if problems := status.Problems(); len(problems) > 0 {
		return errs.WithNext(
			fmt.Errorf("drill: %w: the cluster is not healthy: %s", pgha.ErrRefused, problems[0]),
			errs.Text("a drill that begins with a fault measures that one; %s shows the rest",
				errs.Verb("status")))
	}
	if d.routes, err = d.findRoutes(ctx); err != nil {
		return err
	}
	if d.mode, err = d.synchronousMode(ctx); err != nil {
		return err
	}
	d.now = d.mode
	d.result = d.describe(ctx, status)
	return nil
}

// all practises every scenario as often as asked. One that could not be brought to its end does not
// keep the others from being practised, as long as the cluster is healthy again.
func (d *driller) all(ctx context.Context, chosen []Scenario) error {
	var failed []error
	for _, sc := range chosen {
		for n := 1; n <= d.opts.Runs; n++ {
			start := time.Now()
			d.emit(pgha.Event{Kind: pgha.PhaseStarted, Phase: phaseName(sc, n, d.opts.Runs)})
			run, err := d.once(ctx, sc, n)
			if run.Outcome.Scenario == "" {
				run.Outcome = Outcome{Scenario: sc.Name, Run: n, Phases: []Phase{},
					RedundantSeconds: -1}
			}
			if err != nil {
				run.Error = err.Error()
				run.Outcome.Verdict.Kept = false
				run.Outcome.Verdict.Broken = append(run.Outcome.Verdict.Broken,
					"not brought to its end: "+run.Error)
			}
			d.result.Runs = append(d.result.Runs, run)
			if d.opts.Done != nil {
				d.opts.Done(run)
			}
			d.emit(pgha.Event{Kind: pgha.PhaseFinished, Phase: phaseName(sc, n, d.opts.Runs),
				Duration: time.Since(start), Err: err})
			if err == nil {
				continue
			}
			failed = append(failed, fmt.Errorf("%s: %w", sc.Name, err))
			if ctx.Err() != nil {
				return errs.Join(failed...)
			}
			if _, err := d.healthy(ctx, d.opts.MendWithin); err != nil {
				return errs.Join(append(failed, err)...)
			}
		}
	}
	return errs.Join(failed...)
}

func phaseName(sc Scenario, n, runs int) string {
	if runs == 1 {
		return sc.Name
	}
	return fmt.Sprintf("%s %d of %d", sc.Name, n, runs)
}

// once is one run of one scenario. Whatever happens, what it breaks is given back before it
// returns.
func (d *driller) once(ctx context.Context, sc Scenario, n int) (run RunResult, err error) {
	s := &experiment{cluster: d.cluster, lab: d.opts.Lab, bound: d.opts.MendWithin + time.Minute,
		routes: d.routes.of(sc, d.opts, d.cluster.Spec),
		say:    func(text string) { d.say(sc.Name, text) }}
	if sc.lasts != nil {
		s.bound = sc.lasts(d.cluster.Spec) + undoLater
	}
	defer func() {
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), healBound)
		defer cancel()
		err = errors.Join(err, d.heal(after, s))
	}()
	if err := d.setMode(ctx, sc); err != nil {
		return run, err
	}
	if sc.prepare != nil {
		if err := d.awaitSteady(ctx, s); err != nil {
			return run, err
		}
		if err := sc.prepare(ctx, s); err != nil {
			return run, fmt.Errorf("prepare: %w", err)
		}
	}
	if err := d.awaitSteady(ctx, s); err != nil {
		return run, err
	}
	run.Recording, err = d.record(ctx, sc, n, s)
	if !run.Recording.Fault.At.IsZero() {
		run.Outcome = Analyse(run.Recording, d.result.Promise)
	}
	return run, err
}

// awaitSteady waits for health, for somebody who may take over, and until nobody changes places any
// more, as the address does when its first holder is back, and notes who does what.
func (d *driller) awaitSteady(ctx context.Context, s *experiment) error {
	for tries := 0; ; tries++ {
		status, err := d.healthy(ctx, d.opts.MendWithin)
		if err != nil {
			return err
		}
		if status, err = d.awaitStandby(ctx, status); err != nil {
			return err
		}
		leader, etcdLeader, holder := s.leader, s.etcdLeader, s.holder
		if err := s.set(status); err != nil {
			return err
		}
		if tries > 10 || tries > 0 && leader == s.leader && etcdLeader == s.etcdLeader &&
			holder == s.holder {
			return nil
		}
		_ = poll.Pause(ctx, placesEvery)
	}
}

// awaitStandby waits until Patroni has noted a synchronous replica, where the mode asks for one:
// after a start that takes it a round or two of its loop, and until then a lost leader has no
// successor (4.1.5). Where no replica streams nobody can be waited for.
func (d *driller) awaitStandby(ctx context.Context, status pgha.Status) (pgha.Status, error) {
	if d.now.mode == patroni.SynchronousOff || len(status.Members) < 2 {
		return status, nil
	}
	err := poll.Until(ctx, poll.Options{What: "a synchronous replica", Bound: d.opts.MendWithin,
		Every: 200 * time.Millisecond}, func(ctx context.Context) (string, error) {
		if len(status.Synchronous()) > 0 {
			return "", nil
		}
		var err error
		status, err = d.cluster.Status(ctx)
		return "Patroni has noted none", err
	})
	return status, err
}

// heal gives back everything, and waits for the connections to the hosts.
func (d *driller) heal(ctx context.Context, s *experiment) error {
	if len(s.faults)+len(s.preparations) == 0 {
		return nil
	}
	if err := d.cluster.Reconnect(ctx); err != nil && ctx.Err() != nil {
		return err
	}
	faults, preparations := s.faults.mend(ctx), s.preparations.mend(ctx)
	_, healthy := d.healthy(ctx, healBound)
	return errs.Join(faults, preparations, healthy)
}

// healthy waits for a healthy cluster, reconnecting lost hosts.
func (d *driller) healthy(ctx context.Context, within time.Duration) (pgha.Status, error) {
	var status pgha.Status
	err := poll.Until(ctx, poll.Options{
		What: "a healthy cluster", Bound: within, Every: 200 * time.Millisecond,
		Next: errs.Text("%s shows it", errs.Verb("status")),
	}, func(ctx context.Context) (string, error) {
		err := d.cluster.Reconnect(ctx)
		if err == nil {
			status, err = d.cluster.Status(ctx)
		}
		return strings.Join(status.Problems(), "; "), err
	})
	return status, err
}

// calm is how long writes flow before the fault.
func (d *driller) calm() time.Duration {
	if d.opts.Calm > 0 {
		return d.opts.Calm
	}
	return 2*time.Second + rand.N(d.cluster.Spec.Patroni.LoopWait)
}

func (d *driller) say(scenario, text string) {
	d.emit(pgha.Event{Kind: pgha.Progress, Phase: scenario, Message: text})
}

func (d *driller) emit(e pgha.Event) {
	if d.opts.Observer != nil {
		e.Time = time.Now()
		d.opts.Observer(e)
	}
}
