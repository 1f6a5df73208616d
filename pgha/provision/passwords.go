package provision

import (
	"context"
	"fmt"
	"strings"

	"github.com/pgha/toolkit/internal/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/remote"
)

// settlePasswords refuses to give the hosts passwords that the roles do not have. Where there is no cluster yet, any will do.
func settlePasswords(ctx context.Context, r *job.Job) error {
	if r.State.UnfinishedREST() {
		r.Warn("", "the rotation of the REST API's authority is not finished: pgha-cli secrets rotate rest")
	}
	changed, unfinished := r.Credentials.Changed, r.State.Unfinished()
	if len(changed)+len(unfinished) == 0 {
		return nil
	}
	if hasCluster(ctx, r) {
		if len(unfinished) > 0 {
			return remote.WithHint(fmt.Errorf("%w: the password of %s is being changed and not all hosts have it", errs.ErrRefused, strings.Join(unfinished, ", ")),
				"finish it: pgha-cli secrets rotate "+strings.Join(unfinished, " "))
		}
		return remote.WithHint(fmt.Errorf("%w: the password of %s is not the one that the cluster was given", errs.ErrRefused, strings.Join(changed, ", ")),
			"pgha-cli secrets rotate "+strings.Join(changed, " ")+" brings it in; or put the old one back")
	}
	if r.Planning() {
		return nil
	}
	for _, role := range changed {
		if err := r.State.Adopt(role, "", r.Credentials.Verifiers[role]); err != nil {
			return fmt.Errorf("keep the %s password: %w", role, err)
		}
	}
	return nil
}

// hasCluster tells whether any member answers.
func hasCluster(ctx context.Context, r *job.Job) bool {
	po, err := r.Site.PatroniOptions()
	if err != nil {
		return false
	}
	state, err := patroni.NewClient(po).Cluster(ctx)
	return err == nil && len(state.Members) > 0
}

// RefuseIncomplete refuses secrets and authorities that were made anew because the state directory has none, where a cluster
// has others: nobody could log in any more.
func RefuseIncomplete(ctx context.Context, r *job.Job, facts map[string]preflight.Facts) error {
	if len(r.State.Made) == 0 {
		return nil
	}
	there := false
	for _, f := range facts {
		there = there || f.EtcdCA != "" || len(f.StateNote) > 0
	}
	if !there && !hasCluster(ctx, r) {
		return nil
	}
	return remote.WithHint(fmt.Errorf("%w: %s has no %s, and the hosts belong to a cluster that has others", errs.ErrRefused, r.State.Dir, strings.Join(r.State.Made, ", ")),
		vault.RestoreState)
}
