package provision

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/remote"
)

// settlePasswords refuses to give the hosts passwords that the roles do not have. Where there is no
// cluster yet, any will do.
func settlePasswords(ctx context.Context, r *job.Job) error {
	if names := rotating(r.Site); len(names) > 0 {
		r.WarnNext("", errs.Text("the replacement of the authorities of %s is not finished: %s",
			strings.Join(names, ", "), rotateCA(names)))
	}
	changed, unfinished := r.Credentials().Changed, r.State.Unfinished()
	if len(changed)+len(unfinished) == 0 {
		return nil
	}
	if hasCluster(ctx, r.Site) {
		if len(unfinished) > 0 {
			return errs.WithNext(fmt.Errorf("%w: the password of %s is being changed and not all "+
				"hosts have it",
				errs.ErrRefused, strings.Join(unfinished, ", ")),
				errs.Text("finish it: %s", rotate(unfinished)))
		}
		return errs.WithNext(fmt.Errorf("%w: the password of %s is not the one that the cluster "+
			"was given",
			errs.ErrRefused, strings.Join(changed, ", ")),
			errs.Text("%s brings it in; or put the old one back", rotate(changed)))
	}
	if r.Planning() {
		return nil
	}
	for _, role := range changed {
		if err := r.State.Adopt(role, pki.Secret{}, r.Credentials().Verifiers[role]); err != nil {
			return fmt.Errorf("keep the %s password: %w", role, err)
		}
	}
	return nil
}

// rotate returns the verb that changes the passwords of these roles.
func rotate(roles []string) errs.Call {
	return errs.Verb("secrets", append([]string{"rotate"}, roles...)...)
}

// rotating names the authorities whose replacement is not finished.
func rotating(c *site.Site) []string {
	var names []string
	for _, authority := range c.State.Rotating() {
		names = append(names, layout.AuthorityName(authority))
	}
	return names
}

// rotateCA returns the verb that finishes that.
func rotateCA(names []string) errs.Call {
	return errs.Verb("certificates", append([]string{"rotate-ca"}, names...)...)
}

// hasCluster tells whether any member answers.
func hasCluster(ctx context.Context, c *site.Site) bool {
	po, err := c.PatroniOptions()
	if err != nil {
		return false
	}
	state, err := patroni.NewClient(po).Cluster(ctx)
	return err == nil && len(state.Members) > 0
}

// RefuseIncomplete refuses secrets and authorities that were newly made because the state directory
// has none, where a cluster has others: nobody could log in any more.
func RefuseIncomplete(ctx context.Context, r *job.Job, facts map[string]preflight.Facts) error {
	made, err := madeBeforeBackups(ctx, r)
	if err != nil || len(made) == 0 {
		return err
	}
	there := false
	for _, f := range facts {
		there = there || f.EtcdCA != "" || len(f.StateNote) > 0
	}
	if !there && !hasCluster(ctx, r.Site) {
		return nil
	}
	return remote.WithHint(fmt.Errorf("%w: %s has no %s, and the hosts belong to a cluster that "+
		"has others",
		errs.ErrRefused, r.State.Dir, strings.Join(made, ", ")),
		vault.RestoreState)
}

// madeBeforeBackups is what was newly made, but for what belongs to backups while no host has any:
// a cluster that runs gets its first ones.
func madeBeforeBackups(ctx context.Context, r *job.Job) ([]string, error) {
	all := slices.DeleteFunc(slices.Clone(r.State.Made), func(name string) bool {
		return name == vault.PoolerSecret() // a lost one is replaced
	})
	made := slices.DeleteFunc(slices.Clone(all), func(name string) bool {
		return slices.Contains(vault.BackupSecrets(), name)
	})
	if len(made) == len(all) {
		return made, nil
	}
	o, ok, err := engine.BackupOptions(r)
	if err != nil || !ok {
		return made, err
	}
	there, err := backup.Configured(ctx, o)
	if there {
		made = all
	}
	return made, err
}
