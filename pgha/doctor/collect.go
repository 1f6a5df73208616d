package doctor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// Defaults of Options.
const (
	defaultTimeout = 10 * time.Second
	defaultLong    = time.Hour
)

// Options say how Examine looks. The zero value is right for a person who waits.
type Options struct {
	// Timeout bounds each look; what has not answered by then is told as a fact. 0 means 10 s.
	Timeout time.Duration
	// LongTransaction is the age from which an open transaction is told of. 0 means an hour.
	LongTransaction time.Duration
}

// Examine looks at everything at once and says what is wrong. It changes nothing, works on half-dead clusters, and is an
// error only if ctx ends. Connect with AllowUnreachable, so that a host that is gone is a finding and not an error.
func Examine(ctx context.Context, c *pgha.Cluster, opts Options) (Diagnosis, error) {
	start := time.Now()
	facts, err := Collect(ctx, c, opts)
	if err != nil {
		return Diagnosis{}, err
	}
	d := Diagnose(facts)
	d.Seconds = time.Since(start).Round(time.Millisecond).Seconds()
	return d, nil
}

// Collect reads the facts of all hosts at the same time: each is asked several scripts at once over its one connection,
// and apply's own look finds what has drifted from the specification. A host that does not answer is a fact.
func Collect(ctx context.Context, c *pgha.Cluster, opts Options) (Facts, error) {
	if opts.Timeout == 0 {
		opts.Timeout = defaultTimeout
	}
	if opts.LongTransaction == 0 {
		opts.LongTransaction = defaultLong
	}
	f := Facts{Time: time.Now(), Spec: c.Spec, Authorities: c.Authorities(), LongTransaction: opts.LongTransaction}
	bounded, cancel := context.WithTimeout(ctx, opts.Timeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, h := range c.Spec.Hosts {
		host := &Host{Name: h.Name, Address: h.Address, Member: h.Member, Role: h.Role}
		f.Hosts = append(f.Hosts, host)
		wg.Go(func() { lookAt(bounded, c, host, opts.LongTransaction) })
	}
	var driftErr error
	wg.Go(func() { f.Drift, f.Refused, driftErr = drift(bounded, c) })
	wg.Wait()
	f.judgeState(c)
	for _, h := range f.Hosts {
		f.Unknown = append(f.Unknown, h.Unanswered...)
	}
	if driftErr != nil {
		f.Unknown = append(f.Unknown, fmt.Sprintf("what apply would change, as far as it could not be looked at: %v", driftErr))
	}
	if err := ctx.Err(); err != nil {
		return f, fmt.Errorf("examine the cluster: %w", err)
	}
	return f, nil
}

// lookAt asks a host its questions, in groups that run at the same time because each may have to wait for another program.
func lookAt(ctx context.Context, c *pgha.Cluster, h *Host, long time.Duration) {
	t, err := c.Target(h.Name)
	if err != nil {
		h.Error = err.Error()
		return
	}
	groups := [][]question{systemQuestions(c.Spec, h, time.Now()), {reachQuestion(c.Spec, h)}}
	if h.Role == spec.RoleDatabase {
		const silent = "its host did not answer in time"
		h.Data, h.SQL, h.Patroni, h.Etcd = &Data{}, &SQL{Error: silent}, &Patroni{Error: silent}, &Etcd{Error: silent}
		groups = append(append(groups, databaseQuestions(c.Spec, h)), sqlQuestions(c.Spec, long)...)
	} else {
		h.HAProxy = &HAProxy{}
		groups = append(groups, balancerQuestions())
	}
	answers := make([][]remote.Result, len(groups))
	errs := make([]error, len(groups))
	var wg sync.WaitGroup
	for i, g := range groups {
		wg.Go(func() {
			var argvs [][]string
			for _, q := range g {
				argvs = append(argvs, q.argv)
			}
			answers[i], errs[i] = t.Batch(ctx, argvs...)
		})
	}
	wg.Wait()
	if errs[0] != nil {
		h.Error = errs[0].Error()
		return
	}
	for i, g := range groups {
		if errs[i] != nil {
			h.Unanswered = append(h.Unanswered, oneLine(errs[i].Error()))
			continue
		}
		for n, q := range g {
			q.read(h, answers[i][n])
		}
	}
}

// drift lists what apply would change, and what it would refuse. Its phases are run without waiting for each other: that one component is broken
// must not hide what has become of the others.
func drift(ctx context.Context, c *pgha.Cluster) (changes []pgha.PlannedChange, refused []pgha.Finding, err error) {
	var phases []pgha.Phase
	for _, p := range pgha.StandardPhases() {
		switch p.Name {
		case "ready":
			continue
		case "preflight":
			// Its facts are what the other phases render from; what it has to say of the hosts is for apply.
			p.Run = func(ctx context.Context, run *pgha.Run) error {
				report, err := run.Preflight(ctx, pgha.PreflightOptions{})
				if len(c.Spec.Names()) == 0 { // nobody can tell whether a host of unknown address is where it was
					refused = slices.DeleteFunc(report.Findings, func(f pgha.Finding) bool { return f.Field == "" })
				}
				return err
			}
		default:
			p.After = []string{"preflight"}
		}
		phases = append(phases, p)
	}
	plan, err := c.Plan(ctx, pgha.PlanOptions{Phases: phases})
	return plan.Changes, refused, err
}
