package checkup

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/doctor"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/ssh"
	"github.com/pgha/toolkit/pgha/spec"
)

// Defaults of Options.
const (
	defaultTimeout = 15 * time.Second
	defaultLong    = time.Hour
)

// Options say how Examine looks. The zero value is right for a person who waits.
type Options struct {
	// Timeout bounds each look; what has not answered by then is recorded as a fact. 0 means 15 s.
	Timeout time.Duration
	// LongTransaction is the age from which an open transaction is reported. 0 means an hour.
	LongTransaction time.Duration
	// Write returns what a bundle holds as the diagnosis; nil writes it as it is. A command line
	// has the verbs in it written as its own commands.
	Write func(doctor.Diagnosis) any
}

// Examine looks at everything at once and says what is wrong. It changes nothing, works on
// half-dead clusters, and is an error only if ctx ends. Connect with AllowUnreachable, so that a
// host that is gone is a finding and not an error.
func Examine(ctx context.Context, c *pgha.Cluster, opts Options) (doctor.Diagnosis, error) {
	start := time.Now()
	facts, err := Collect(ctx, c, opts)
	if err != nil {
		return doctor.Diagnosis{}, err
	}
	d := doctor.Diagnose(facts)
	d.Seconds = time.Since(start).Round(time.Millisecond).Seconds()
	return d, nil
}

// Collect reads the facts of all hosts at the same time: each is asked several scripts at once over
// its one connection, and apply's own look finds what has drifted from the specification. A host
// that does not answer is a fact.
func Collect(ctx context.Context, c *pgha.Cluster, opts Options) (doctor.Facts, error) {
	if opts.Timeout == 0 {
		opts.Timeout = defaultTimeout
	}
	if opts.LongTransaction == 0 {
		opts.LongTransaction = defaultLong
	}
	f := doctor.Facts{Time: time.Now(), Spec: c.Spec,
		Authorities:     doctor.Authorities(c.Certificates().Authorities()),
		Layouts:         map[string]layout.Host{},
		LongTransaction: opts.LongTransaction}
	bounded, cancel := context.WithTimeout(ctx, opts.Timeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, h := range c.Spec.Hosts {
		host := &doctor.Host{Name: h.Name, Address: h.Address, Member: h.Member, Role: h.Role,
			Roles: h.Roles}
		f.Hosts, f.Layouts[h.Name] = append(f.Hosts, host), site.Layout(c.Spec, h)
		wg.Go(func() { lookAt(bounded, c, host, opts.LongTransaction) })
	}
	var driftErr, statusErr error
	var now pgha.Status
	wg.Go(func() { now, statusErr = c.Status(bounded) })
	wg.Go(func() { f.Drift, f.Refused, driftErr = drift(bounded, c) })
	wg.Go(func() { f.Backups = backupsOf(bounded, c) })
	wg.Wait()
	f.Problems = append([]string{}, now.Problems()...)
	if b := now.Backup; b != nil && f.Backups != nil {
		f.Backups.TooOld, f.Backups.Unproven, f.Backups.Said = b.TooOld, b.Unproven, b.Warnings
	}
	judgeState(&f, c)
	for _, h := range f.Hosts {
		f.Unknown = append(f.Unknown, h.Unanswered...)
	}
	if statusErr != nil {
		f.Unknown = append(f.Unknown, fmt.Sprintf("how the cluster is as a whole: %v", statusErr))
	}
	if driftErr != nil {
		f.Unknown = append(f.Unknown,
			fmt.Sprintf("what apply would change, as far as it could not be looked at: %v",
				driftErr))
	}
	if err := ctx.Err(); err != nil {
		return f, fmt.Errorf("examine the cluster: %w", err)
	}
	return f, nil
}

// backupsOf looks how far the archive reaches; nil without backups.
func backupsOf(ctx context.Context, c *pgha.Cluster) *doctor.Backups {
	if c.Spec.Backup == nil {
		return nil
	}
	var found doctor.Backups
	// Without an answer there is nothing to say of the archive; status says that it did not answer.
	if now, err := c.Backups().List(ctx); err == nil && len(now.Windows) > 0 {
		newest := now.Windows[len(now.Windows)-1]
		found.Missing, found.Reaches = newest.Missing, newest.To
	}
	return &found
}

// lookAt asks a host its questions, in groups that run at the same time because each may have to
// wait for another program. What is tried with other hosts runs beside those that wait for nothing.
func lookAt(ctx context.Context, c *pgha.Cluster, h *doctor.Host, long time.Duration) {
	t, err := c.Target(h.Name)
	if err != nil {
		h.Error = err.Error()
		for _, kind := range []error{ssh.ErrAuth, ssh.ErrHostKeyChanged, ssh.ErrHostKeyUnknown} {
			if errors.Is(err, kind) {
				h.Refused = remote.Hint(err)
			}
		}
		return
	}
	reach := reachQuestion(c.Spec, h)
	groups := [][]question{systemQuestions(c.Spec, h, time.Now())}
	const silent = "its host did not answer in time"
	if h.Runs(c.Spec, spec.RoleEtcd) {
		h.Data, h.Etcd = &doctor.Data{}, &doctor.Etcd{Error: silent}
	}
	if h.Runs(c.Spec, spec.RoleDatabase) {
		h.Data, h.SQL, h.Patroni = &doctor.Data{}, &doctor.SQL{Error: silent},
			&doctor.Patroni{Error: silent}
		groups[0] = append(groups[0], fenceQuestion())
	}
	if h.Data != nil {
		groups = append(groups, memberQuestions(c.Spec, h))
	}
	if h.SQL != nil {
		groups = append(groups, sqlQuestions(c.Spec, long)...)
	}
	if h.Runs(c.Spec, spec.RoleBalancer) {
		h.HAProxy = &doctor.HAProxy{}
		groups = append(groups, balancerQuestions())
	}
	answers := make([][]remote.Result, len(groups))
	errs := make([]error, len(groups))
	var reached []byte
	var wg sync.WaitGroup
	for i, g := range groups {
		wg.Go(func() {
			var argvs [][]string
			for _, q := range g {
				argvs = append(argvs, q.argv)
			}
			if i == 0 {
				reached, answers[i], errs[i] = t.BatchBeside(ctx, reach.argv, argvs...)
			} else {
				answers[i], errs[i] = t.Batch(ctx, argvs...)
			}
		})
	}
	wg.Wait()
	if errs[0] != nil {
		h.Error = errs[0].Error()
		return
	}
	reach.read(h, remote.Result{Stdout: reached})
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

// judgeState compares the hosts' notes with the operator's state directory.
func judgeState(f *doctor.Facts, c *pgha.Cluster) {
	notes := map[string][]byte{}
	for _, h := range f.Hosts {
		if h.StateNote != "" {
			notes[h.Name] = []byte(h.StateNote)
		}
	}
	if err := c.JudgeState(notes); err != nil {
		f.StateTrouble, f.StateRemedy = err.Error(), remote.Hint(err)
	}
}
