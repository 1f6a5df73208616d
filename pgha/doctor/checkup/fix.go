package checkup

import (
	"context"
	"fmt"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/doctor"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/patroni"
)

// ErrNotFixable means that a finding needs a decision that a program must not make.
var ErrNotFixable = errs.New(errs.Refused, "not fixable by the tool")

// Fix runs the remedy of a finding, one step after the other: commands on hosts through
// Cluster.Mend, verbs through the methods that they stand for. Each takes the cluster's lock and
// leaves its record in the audit log. With op.DryRun it reports what it would do. A remedy that
// applies needs a cluster that was not connected ReadOnly. Errors are ErrNotFixable, if no program
// may run the remedy, and those of the methods. The next Examine says whether it has helped.
func Fix(ctx context.Context, c *pgha.Cluster, f doctor.Finding, op pgha.Operation) error {
	return fix(ctx, c, f, op)
}

// verbs is what Fix needs of a cluster.
type verbs interface {
	Mend(ctx context.Context, opts pgha.MendOptions) error
	Plan(ctx context.Context, opts pgha.PlanOptions) (pgha.Plan, error)
	Apply(ctx context.Context, opts pgha.ApplyOptions) (pgha.Report, error)
	Resume(ctx context.Context, opts pgha.PauseOptions) (patroni.PauseResult, error)
	Restart(ctx context.Context, opts pgha.RestartOptions) (patroni.RestartResult, error)
	Reinitialize(ctx context.Context,
		opts pgha.ReinitializeOptions) (pgha.ReinitializeResult, error)
	RotateSecrets(ctx context.Context, opts pgha.RotateOptions) (pgha.RotateResult, error)
}

func fix(ctx context.Context, c verbs, f doctor.Finding, op pgha.Operation) error {
	if !f.Fixable {
		return fmt.Errorf("fix %s: %w: %s", f.Key(), ErrNotFixable, f.Advice)
	}
	steps := f.Remedy
	for len(steps) > 0 {
		var err error
		if n := commands(steps); n > 0 {
			err = mend(ctx, c, steps[:n], op)
			steps = steps[n:]
		} else {
			err = carryOut(ctx, c, steps[0].Call, op)
			steps = steps[1:]
		}
		if err != nil {
			return fmt.Errorf("fix %s: %w", f.Key(), err)
		}
	}
	return nil
}

// commands counts the steps on hosts at the beginning of a remedy: they are one operation.
func commands(steps []doctor.Step) int {
	n := 0
	for n < len(steps) && steps[n].Host != "" {
		n++
	}
	return n
}

func mend(ctx context.Context, c verbs, steps []doctor.Step, op pgha.Operation) error {
	opts := pgha.MendOptions{Operation: op}
	for _, s := range steps {
		opts.Steps = append(opts.Steps, pgha.MendStep{Host: s.Host, Command: s.Command})
	}
	return c.Mend(ctx, opts)
}

// carryOut calls the method that a verb stands for.
func carryOut(ctx context.Context, c verbs, call errs.Call, op pgha.Operation) error {
	argument := ""
	if len(call.Args) > 0 {
		argument = call.Args[len(call.Args)-1]
	}
	var err error
	switch call.Verb {
	case doctor.Apply:
		if op.DryRun {
			_, err = c.Plan(ctx, pgha.PlanOptions{Observer: op.Observer})
		} else {
			_, err = c.Apply(ctx, pgha.ApplyOptions{Observer: op.Observer})
		}
	case doctor.Resume:
		_, err = c.Resume(ctx, pgha.PauseOptions{Operation: op})
	case doctor.Restart:
		opts := pgha.RestartOptions{Operation: op, PendingOnly: argument == doctor.Pending}
		if !opts.PendingOnly {
			opts.Members = []string{argument}
		}
		_, err = c.Restart(ctx, opts)
	case doctor.Reinitialize:
		_, err = c.Reinitialize(ctx, pgha.ReinitializeOptions{Operation: op, Member: argument})
	case doctor.RotateSecrets:
		_, err = c.RotateSecrets(ctx, pgha.RotateOptions{Operation: op, Which: []string{argument}})
	default:
		return fmt.Errorf("%w: %s is no verb of a remedy", ErrNotFixable, call)
	}
	return err
}

var _ verbs = (*pgha.Cluster)(nil)
