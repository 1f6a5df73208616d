package power

import (
	"context"
	"fmt"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
)

// MendOptions say what Mend runs.
type MendOptions struct {
	engine.Operation
	// Steps are run one after the other; the first failure ends them.
	Steps []MendStep
}

// MendStep is one command on one host.
type MendStep struct {
	// Host is the name of a host of the spec.
	Host string
	// Command is a line for the host's shell, run as root. It is world-readable while it runs and
	// stands in the trail of operations: no secret belongs into it.
	Command string
}

// Mend runs commands on hosts as one operation: under the lock, which does without etcd, and in the
// trail of operations. It is for repairs that no other verb makes, such as starting a unit that
// somebody has stopped. A dry run reports every command as planned and runs none. What the commands
// change, and whether they can be repeated, is the caller's business. A host without a connection
// is an error before anything is run; ErrLocked when somebody else changes the cluster.
func Mend(ctx context.Context, c *site.Site, opts MendOptions) error {
	if len(opts.Steps) == 0 {
		return fmt.Errorf("mend: %w: there is no command", patroni.ErrInvalid)
	}
	for _, s := range opts.Steps {
		if _, err := c.Target(s.Host); err != nil {
			return fmt.Errorf("mend: %w", err)
		}
	}
	return engine.Operate(ctx, c, "mend", opts.Operation, job.LockHosts,
		func(ctx context.Context, run *job.Job) error {
			for _, s := range opts.Steps {
				t, err := run.Target(s.Host)
				if err != nil {
					return err
				}
				if _, err := t.Do(ctx, s.Command, "run",
					remote.Cmd{Argv: []string{"sh", "-c", s.Command}}); err != nil {
					return err
				}
			}
			return nil
		})
}
