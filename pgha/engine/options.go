package engine

import (
	"context"

	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/adopt"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/serving"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/pooler"
	"github.com/pgha/toolkit/pgha/vip"
)

// EtcdOptions returns what package etcd needs to do this work.
func EtcdOptions(r *job.Job) (etcd.Options, error) {
	o, err := r.Site.EtcdOptionsFor(r.Target)
	o.Progress = r.Progress
	o.Forming = func(ctx context.Context) error { return adopt.HoldPatroni(ctx, r) }
	return o, err
}

// PatroniOptions returns what package patroni needs to do this work.
func PatroniOptions(r *job.Job) (patroni.Options, error) {
	o, err := r.Site.PatroniOptionsFor(r.Target)
	o.Progress = r.Progress
	o.Adopt = func(ctx context.Context) error { return adopt.Store(ctx, r) }
	o.TryLogins = func(ctx context.Context, m patroni.Member) error {
		return serving.TryLogins(ctx, r.Site, m)
	}
	return o, err
}

// BalancerOptions returns what package lb needs to do this work; the holder of the address comes
// last.
func BalancerOptions(r *job.Job) (lb.Options, error) {
	o, err := r.Site.BalancerOptionsFor(r.Target)
	o.Progress = r.Progress
	o.Last = holder(r)
	return o, err
}

// holder tells which balancer has the address, or "".
func holder(r *job.Job) func(context.Context) string {
	return func(ctx context.Context) string {
		holdings, _ := r.Holdings(ctx) // unknown: then the spec's order is as good as any
		for _, h := range holdings {
			if h.Holds {
				return h.Host
			}
		}
		return ""
	}
}

// PoolerOptions returns what package pooler needs to do this work; false without a pooler. The
// holder of the address comes last.
func PoolerOptions(r *job.Job) (pooler.Options, bool, error) {
	o, ok, err := site.PoolerOptionsFor(r.Site, r.Target)
	o.Progress = r.Progress
	o.Last = holder(r)
	return o, ok, err
}

// BackupOptions returns what package backup needs to do this work; false without backups.
func BackupOptions(r *job.Job) (backup.Options, bool, error) {
	o, ok, err := r.Site.BackupOptionsFor(r.Target)
	o.Progress = r.Progress
	return o, ok, err
}

// AddressOptions returns what package vip needs to do this work; false without a virtual IP.
func AddressOptions(r *job.Job) (vip.Options, bool, error) {
	o, ok, err := r.Site.AddressOptionsFor(r.Target)
	o.Progress = r.Progress
	return o, ok, err
}
