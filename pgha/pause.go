package pgha

import (
	"context"

	"github.com/pgha/toolkit/pgha/patroni"
)

// PauseOptions are those of Pause and Resume.
type PauseOptions struct {
	Operation
	// Wait until every member that answers has noticed.
	Wait bool
}

// Pause takes the cluster out of Patroni's hands until Resume: nobody is promoted, and a PostgreSQL that stops stays
// stopped. See patroni.Pause.
func (c *Cluster) Pause(ctx context.Context, opts PauseOptions) (patroni.PauseResult, error) {
	return c.setPause(ctx, "pause", opts, patroni.Pause)
}

// Resume puts the cluster back into Patroni's hands. See patroni.Resume.
func (c *Cluster) Resume(ctx context.Context, opts PauseOptions) (patroni.PauseResult, error) {
	return c.setPause(ctx, "resume", opts, patroni.Resume)
}

func (c *Cluster) setPause(ctx context.Context, name string, opts PauseOptions,
	set func(context.Context, patroni.Options, patroni.PauseOptions) (patroni.PauseResult, error)) (patroni.PauseResult, error) {
	var result patroni.PauseResult
	err := c.operate(ctx, name, opts.Operation, lockEtcd, func(ctx context.Context, run *job) error {
		po, err := run.patroniOptions()
		if err == nil {
			result, err = set(ctx, po, patroni.PauseOptions{Wait: opts.Wait})
		}
		return err
	})
	return result, err
}

// ReloadOptions say who reloads.
type ReloadOptions struct {
	Operation
	// Members, or their hosts; all if there are none.
	Members []string
}

// Reload makes members read their configuration files again. PostgreSQL is not restarted. See patroni.Reload. What
// PostgreSQL then refuses of its files is an error that names file and line.
func (c *Cluster) Reload(ctx context.Context, opts ReloadOptions) (patroni.ReloadResult, error) {
	var result patroni.ReloadResult
	members, err := c.members(opts.Members)
	if err != nil {
		return result, err
	}
	err = c.operate(ctx, "reload", opts.Operation, lockEtcd, func(ctx context.Context, run *job) error {
		po, err := run.patroniOptions()
		if err == nil {
			result, err = patroni.Reload(ctx, po, members...)
		}
		if err == nil && !run.planning() {
			err = c.refusedAfter(ctx, result.Reloaded...)
		}
		return err
	})
	return result, err
}
