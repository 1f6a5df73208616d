package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pgha/toolkit/pgha"
)

// ErrNotFixable: the finding needs a decision that a program must not make.
var ErrNotFixable = errors.New("not fixable by the tool")

// verb is a command of pgha-cli that a remedy may contain, and how Fix does it. Object is the word behind it.
type verb struct {
	words string
	run   func(ctx context.Context, c *pgha.Cluster, op pgha.Operation, object string) error
}

func verbs() []verb {
	return []verb{
		{"pgha-cli apply", fixApply},
		{"pgha-cli resume", func(ctx context.Context, c *pgha.Cluster, op pgha.Operation, _ string) error {
			_, err := c.Resume(ctx, pgha.PauseOptions{Operation: op})
			return err
		}},
		{"pgha-cli restart", func(ctx context.Context, c *pgha.Cluster, op pgha.Operation, member string) error {
			opts := pgha.RestartOptions{Operation: op, PendingOnly: member == "--pending"}
			if !opts.PendingOnly {
				opts.Members = []string{member}
			}
			_, err := c.Restart(ctx, opts)
			return err
		}},
		{"pgha-cli reinit", func(ctx context.Context, c *pgha.Cluster, op pgha.Operation, member string) error {
			_, err := c.Reinitialize(ctx, pgha.ReinitializeOptions{Operation: op, Member: member})
			return err
		}},
		{"pgha-cli secrets rotate", func(ctx context.Context, c *pgha.Cluster, op pgha.Operation, role string) error {
			_, err := c.RotateSecrets(ctx, pgha.RotateOptions{Operation: op, Which: []string{role}})
			return err
		}},
	}
}

// find returns the verb of a command with the word behind it.
func findVerb(command string) (v verb, member string, ok bool) {
	for _, v := range verbs() {
		if rest, found := strings.CutPrefix(command, v.words); found && (rest == "" || rest[0] == ' ') {
			return v, strings.TrimSpace(rest), true
		}
	}
	return verb{}, "", false
}

// fixable tells whether Fix can run a remedy.
func fixable(steps []Step) bool {
	for _, s := range steps {
		if _, _, ok := findVerb(s.Command); s.Host == "" && !ok {
			return false
		}
	}
	return len(steps) > 0
}

// Fix runs the remedy of a finding, one step after the other: commands on hosts through Cluster.Mend, commands of pgha-cli
// through the methods that they stand for. Each takes the cluster's lock and leaves its trail. With op.DryRun it reports
// what it would do. A finding with pgha-cli apply in its remedy needs a cluster that was not connected ReadOnly.
// ErrNotFixable if the finding has no remedy that a program may run; otherwise the errors of what is called. Whether it has
// helped is for the next Examine to say.
func Fix(ctx context.Context, c *pgha.Cluster, f Finding, op pgha.Operation) error {
	if !f.Fixable || !fixable(f.Remedy) {
		return fmt.Errorf("fix %s: %w: %s", f.Key(), ErrNotFixable, f.Advice)
	}
	for i := 0; i < len(f.Remedy); i++ {
		s := f.Remedy[i]
		if s.Host == "" {
			v, member, _ := findVerb(s.Command)
			if err := v.run(ctx, c, op, member); err != nil {
				return fmt.Errorf("fix %s: %w", f.Key(), err)
			}
			continue
		}
		mend := pgha.MendOptions{Operation: op}
		for ; i < len(f.Remedy) && f.Remedy[i].Host != ""; i++ {
			mend.Steps = append(mend.Steps, pgha.MendStep{Host: f.Remedy[i].Host, Command: f.Remedy[i].Command})
		}
		i--
		if err := c.Mend(ctx, mend); err != nil {
			return fmt.Errorf("fix %s: %w", f.Key(), err)
		}
	}
	return nil
}

// fixApply applies, or only plans.
func fixApply(ctx context.Context, c *pgha.Cluster, op pgha.Operation, _ string) error {
	if op.DryRun {
		_, err := c.Plan(ctx, pgha.PlanOptions{Observer: op.Observer})
		return err
	}
	_, err := c.Apply(ctx, pgha.ApplyOptions{Observer: op.Observer})
	return err
}
