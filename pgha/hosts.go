package pgha

import (
	"context"

	"github.com/pgha/toolkit/pgha/certificates"
	"github.com/pgha/toolkit/pgha/hosts"
	"github.com/pgha/toolkit/pgha/procedure"
	"github.com/pgha/toolkit/pgha/restore"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// ErrNoChange: no change is half done.
var ErrNoChange = hosts.ErrNoChange

// HostOptions are what all changes of hosts have in common.
type HostOptions = hosts.Options

// HostResult is what a change of hosts did.
type HostResult = hosts.Result

// HalfChange is a change of many steps that was begun and is not finished.
type HalfChange = procedure.Record

// AddHostsOptions say which hosts come.
type AddHostsOptions = hosts.AddOptions

// AddHosts brings hosts into a cluster that runs, as Apply does with a specification that names
// them, but so that it can be taken back. Connect without Existing: they need certificates. See
// hosts.Add for what is refused.
func (c *Cluster) AddHosts(ctx context.Context, opts AddHostsOptions) (HostResult, error) {
	return hosts.Add(ctx, c.site, opts)
}

// RemoveHostsOptions say which hosts go.
type RemoveHostsOptions = hosts.RemoveOptions

// RemoveHosts takes hosts out of a cluster that runs, the living in order and the dead without
// them; nothing of them stays. Connect with AllowUnreachable. See hosts.Remove for what is refused,
// and for what it does on the hosts.
func (c *Cluster) RemoveHosts(ctx context.Context, opts RemoveHostsOptions) (HostResult, error) {
	return hosts.Remove(ctx, c.site, opts)
}

// FormerHosts returns the hosts that the last Apply had and the specification names no more, which
// RemoveHosts takes out. Changes nothing. etcd.ErrUnhealthy where etcd does not answer.
func (c *Cluster) FormerHosts(ctx context.Context) ([]spec.Host, error) {
	return status.Former(ctx, c.site)
}

// ReplaceHostOptions say which host goes and which one comes.
type ReplaceHostOptions = hosts.ReplaceOptions

// ReplaceHost puts one host in the place of another, living or dead, or an empty machine in that of
// one of the same name. Connect with AllowUnreachable and without Existing. See hosts.Replace.
func (c *Cluster) ReplaceHost(ctx context.Context, opts ReplaceHostOptions) (HostResult, error) {
	return hosts.Replace(ctx, c.site, opts)
}

// HalfDone returns the change that was begun, from whatever machine, and is not finished;
// ErrNoChange if there is none. Changes nothing.
func (c *Cluster) HalfDone(ctx context.Context) (HalfChange, error) {
	return hosts.Change(ctx, c.site)
}

// ContinueChange finishes the change that is half done, whoever began it; ErrNoChange if there is
// none.
func (c *Cluster) ContinueChange(ctx context.Context, opts HostOptions) (HostResult, error) {
	switch r, err := c.HalfDone(ctx); {
	case err == nil && len(opts.Without) == 0 && restore.Is(r):
		done, err := c.Backups().Continue(ctx, r, opts.Operation)
		return done.Of(r), err
	case err == nil && len(opts.Without) == 0 && certificates.Is(r):
		done, err := c.Certificates().Continue(ctx, r, opts.Operation)
		return done.Of(), err
	}
	return hosts.Continue(ctx, c.site, opts)
}

// UndoChange takes the change that is half done back; ErrNoChange if there is none. See hosts.Undo.
func (c *Cluster) UndoChange(ctx context.Context, opts HostOptions) (HostResult, error) {
	switch r, err := c.HalfDone(ctx); {
	case err == nil && len(opts.Without) == 0 && restore.Is(r):
		done, err := c.Backups().UndoChange(ctx, r, opts.Operation)
		return done.Of(r), err
	case err == nil && len(opts.Without) == 0 && certificates.Is(r):
		done, err := c.Certificates().Undo(ctx, r, opts.Operation)
		return done.Of(), err
	}
	return hosts.Undo(ctx, c.site, opts)
}

// Backups are a cluster's backups, and the way back to a moment of the past.
type Backups = restore.Backups

// Backups returns those of the cluster. It contacts no host.
func (c *Cluster) Backups() Backups { return restore.Of(c.site) }

// Certificates returns the cluster's certificates and authorities. It contacts no host.
func (c *Cluster) Certificates() certificates.Certificates { return certificates.Of(c.site) }
