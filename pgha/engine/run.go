package engine

import (
	"context"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/inspect"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
	"github.com/pgha/toolkit/pgha/vip"
)

// Run is all that a Phase may use of a cluster: its specification, its hosts, how it is, and a way
// to report progress. Every connection that it returns reports changes under the phase's name, and
// holds them back while Plan runs. It is safe for concurrent use.
type Run struct {
	// Spec is the cluster's specification; a phase does not change it.
	Spec *spec.Spec

	job *job.Job
}

// Progress reports what the phase does or waits for.
func (r *Run) Progress(message string) { r.job.Progress(message) }

// Warn reports what deserves attention though the phase continues. host is "" for what concerns the
// whole cluster.
func (r *Run) Warn(host, message string) { r.job.Warn(host, message) }

// WarnNext does what Warn does, with a text that refers to verbs: the event has it as data, too.
func (r *Run) WarnNext(host string, text errs.Next) { r.job.WarnNext(host, text) }

// Planning reports whether changes are only recorded. A phase that waits for the effect of a change
// asks it first.
func (r *Run) Planning() bool { return r.job.Planning() }

// Target returns the connection to a host, found by its own name or its member's.
func (r *Run) Target(name string) (*remote.Target, error) { return r.job.Target(name) }

// Targets returns the connections to all hosts that have one, in the order of the specification.
func (r *Run) Targets() []*remote.Target { return r.job.Targets() }

// Status looks at the whole cluster, as Cluster.Status does.
func (r *Run) Status(ctx context.Context) (status.Status, error) {
	return status.Look(ctx, r.job.Site)
}

// Preflight looks at the hosts, as Cluster.Preflight does. The phases that come later render files
// from what it finds.
func (r *Run) Preflight(ctx context.Context,
	opts inspect.PreflightOptions) (inspect.PreflightReport, error) {
	return inspect.Preflight(ctx, r.job.Site, opts)
}

// EtcdOptions returns what package etcd needs to work on this cluster.
func (r *Run) EtcdOptions() (etcd.Options, error) { return EtcdOptions(r.job) }

// PatroniOptions returns what package patroni needs to work on this cluster.
func (r *Run) PatroniOptions() (patroni.Options, error) { return PatroniOptions(r.job) }

// BalancerOptions returns what package lb needs to work on this cluster.
func (r *Run) BalancerOptions() (lb.Options, error) { return BalancerOptions(r.job) }

// AddressOptions returns what package vip needs to work on this cluster; false if it has no virtual
// IP.
func (r *Run) AddressOptions() (vip.Options, bool, error) { return AddressOptions(r.job) }

// Standard makes a phase of what the standard phases and the verbs share.
func Standard(f func(context.Context, *job.Job) error) func(context.Context, *Run) error {
	return func(ctx context.Context, run *Run) error { return f(ctx, run.job) }
}
