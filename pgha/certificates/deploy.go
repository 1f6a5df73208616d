package certificates

import (
	"context"
	"slices"

	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/pooler"
)

// every are all authorities.
func every() []string {
	return []string{layout.EtcdAuthority, layout.PostgresAuthority, layout.PatroniAuthority,
		layout.BackupAuthority}
}

// deploy gives the hosts what the credentials of the work hold of these authorities, and nothing
// else: certificates, keys and what is trusted. Each component takes them as it does without a
// restart; etcd is restarted where what it trusts has changed. Databases, poolers and backups go
// their own ways at the same time, databases behind etcd and the balancers: a HAProxy that was just
// reloaded calls a member down after one check that fails, of the two that it takes otherwise
// (findings/haproxy-fall-after-a-start.sh), and the REST API of a member that is reloaded is away
// for a moment. Safe to repeat.
func deploy(ctx context.Context, r *job.Job, authorities []string) error {
	of := func(list ...string) bool {
		return slices.ContainsFunc(list, func(a string) bool {
			return slices.Contains(authorities, a)
		})
	}
	var first []func(context.Context) error
	if of(layout.PatroniAuthority) && len(r.Spec.Balancers()) > 0 {
		first = append(first, func(ctx context.Context) error { return deployBalancers(ctx, r) })
	}
	if of(layout.EtcdAuthority) {
		first = append(first, func(ctx context.Context) error { return deployEtcd(ctx, r) })
	}
	ways := []func(context.Context) error{func(ctx context.Context) error {
		err := sideBySide(ctx, first)
		if err == nil && of(layout.EtcdAuthority, layout.PatroniAuthority, layout.PostgresAuthority) {
			err = deployPatroni(ctx, r)
		}
		return err
	}}
	if of(layout.PostgresAuthority) {
		ways = append(ways, func(ctx context.Context) error { return deployPoolers(ctx, r) })
	}
	if of(layout.BackupAuthority) {
		ways = append(ways, func(ctx context.Context) error { return deployBackups(ctx, r) })
	}
	return sideBySide(ctx, ways)
}

func sideBySide(ctx context.Context, ways []func(context.Context) error) error {
	return parallel.Each(ways, func(_ int, way func(context.Context) error) error {
		return way(ctx)
	})
}

func deployEtcd(ctx context.Context, r *job.Job) error {
	if all := r.Spec.EtcdHosts(); len(site.Without(all, r.LeftOut())) == 0 {
		return nil
	}
	o, err := engine.EtcdOptions(r)
	if err != nil {
		return err
	}
	return etcd.SetCertificates(ctx, o)
}

func deployPatroni(ctx context.Context, r *job.Job) error {
	if all := r.Spec.Databases(); len(site.Without(all, r.LeftOut())) == 0 {
		return nil
	}
	o, err := engine.PatroniOptions(r)
	if err != nil {
		return err
	}
	return patroni.SetCertificates(ctx, o)
}

func deployBalancers(ctx context.Context, r *job.Job) error {
	o, err := engine.BalancerOptions(r)
	if err != nil {
		return err
	}
	return lb.Trust(ctx, o)
}

func deployPoolers(ctx context.Context, r *job.Job) error {
	o, ok, err := engine.PoolerOptions(r)
	if err != nil || !ok {
		return err
	}
	return pooler.SetCertificates(ctx, o)
}

func deployBackups(ctx context.Context, r *job.Job) error {
	o, ok, err := engine.BackupOptions(r)
	if err != nil || !ok {
		return err
	}
	return backup.SetCertificates(ctx, o)
}
