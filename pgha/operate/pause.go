package operate

import (
	"context"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/serving"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
)

// PauseOptions are those of Pause and Resume.
type PauseOptions struct {
	engine.Operation
	// Wait until every member that answers has noticed.
	Wait bool
}

// Pause takes the cluster out of Patroni's hands until Resume: nobody is promoted, and a PostgreSQL
// that stops stays stopped. See patroni.Pause.
func Pause(ctx context.Context, c *site.Site, opts PauseOptions) (patroni.PauseResult, error) {
	return setPause(ctx, c, "pause", opts, patroni.Pause)
}

// Resume puts the cluster back into Patroni's hands. See patroni.Resume.
func Resume(ctx context.Context, c *site.Site, opts PauseOptions) (patroni.PauseResult, error) {
	return setPause(ctx, c, "resume", opts, patroni.Resume)
}

func setPause(ctx context.Context, c *site.Site, name string, opts PauseOptions,
	set func(context.Context, patroni.Options, patroni.PauseOptions) (patroni.PauseResult,
		error)) (patroni.PauseResult, error) {
	var result patroni.PauseResult
	err := engine.Operate(ctx, c, name, opts.Operation, job.LockEtcd,
		func(ctx context.Context, run *job.Job) error {
			po, err := engine.PatroniOptions(run)
			if err == nil {
				result, err = set(ctx, po, patroni.PauseOptions{Wait: opts.Wait})
			}
			return err
		})
	return result, err
}

// ReloadOptions say who reloads.
type ReloadOptions struct {
	engine.Operation
	// Members, or their hosts; all if there are none.
	Members []string
}

// Reload makes members read their configuration files again. PostgreSQL is not restarted. See
// patroni.Reload. What PostgreSQL then refuses of its files is an error that names file and line.
func Reload(ctx context.Context, c *site.Site, opts ReloadOptions) (patroni.ReloadResult, error) {
	var result patroni.ReloadResult
	members, err := c.Members(opts.Members)
	if err != nil {
		return result, err
	}
	err = engine.Operate(ctx, c, "reload", opts.Operation, job.LockEtcd,
		func(ctx context.Context, run *job.Job) error {
			po, err := engine.PatroniOptions(run)
			if err == nil {
				result, err = patroni.Reload(ctx, po, members...)
			}
			if err == nil && !run.Planning() {
				err = serving.RefusedAfter(ctx, c, result.Reloaded...)
			}
			return err
		})
	return result, err
}
