package restore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/status"
)

// ErrNone is backup.ErrNone.
var ErrNone = backup.ErrNone

// Backups are the backups of one cluster.
type Backups struct{ site *site.Site }

// Of returns the backups of a site; pgha.Cluster.Backups returns those of a cluster.
func Of(c *site.Site) Backups { return Backups{c} }

// options are those of the site's backups.
func options(c *site.Site) (backup.Options, error) {
	o, ok, err := c.BackupOptions()
	return o, known(ok, err)
}

// known is ErrNone where there are no backups.
func known(ok bool, err error) error {
	if err == nil && !ok {
		err = ErrNone
	}
	return err
}

// TakeOptions say which backup is made.
type TakeOptions struct {
	engine.Operation
	// Type is backup.Full, backup.Differential or backup.Incremental. "" means Incremental, or Full
	// where there is no full one.
	Type backup.Type
}

// TakeResult is what Take did.
type TakeResult struct {
	backup.Set
	Elapsed patroni.Elapsed `json:"seconds"`
}

// Take makes a backup; see backup.Take. It holds the cluster's lock, so that nobody moves the
// leader or changes hosts meanwhile.
func (b Backups) Take(ctx context.Context, opts TakeOptions) (TakeResult, error) {
	var result TakeResult
	if opts.Type != "" && !slices.Contains(backup.Types(), opts.Type) {
		return result, fmt.Errorf("%w: %q is no type of backup; they are %v", backup.ErrInvalid,
			opts.Type, backup.Types())
	}
	start := time.Now()
	err := engine.Operate(ctx, b.site, "backup", opts.Operation, job.LockEtcd,
		func(ctx context.Context, r *job.Job) error {
			o, ok, err := engine.BackupOptions(r)
			if err := known(ok, err); err != nil {
				return err
			}
			if opts.Type == "" {
				have, err := backup.List(ctx, o)
				if err != nil {
					return err
				}
				opts.Type = backup.Incremental
				if _, any := have.Newest(); !any {
					opts.Type = backup.Full
				}
			}
			result.Set, err = backup.Take(ctx, o, opts.Type)
			return err
		})
	result.Elapsed = patroni.Elapsed(time.Since(start))
	return result, err
}

// Contents is what the repository has.
type Contents struct {
	backup.Inventory
	// Windows are what each backup can be restored to, in the order of the backups.
	Windows []backup.Window `json:"windows"`
	// Proof is the last one; nil if there was none.
	Proof *backup.Proof `json:"proof,omitempty"`
	// Kept is the restore that is not confirmed; nil if there is none.
	Kept *status.KeptRestore `json:"kept,omitempty"`
}

// List returns what the repository has. Changes nothing.
func (b Backups) List(ctx context.Context) (Contents, error) {
	var found Contents
	o, err := options(b.site)
	if err != nil {
		return found, err
	}
	if found.Inventory, err = backup.List(ctx, o); err != nil {
		return found, err
	}
	archive, err := backup.ReadArchive(ctx, o)
	if err != nil {
		return found, err
	}
	found.Windows = backup.Windows(found.Sets, archive, found.System, archive.Timeline())
	if p, ok, err := backup.LastProof(ctx, o); err == nil && ok {
		found.Proof = &p
	}
	found.Kept, _ = status.Kept(ctx, b.site) // without etcd nobody knows
	return found, nil
}

// Check sends a segment of the write-ahead log on its way and waits until it is in the repository.
func (b Backups) Check(ctx context.Context, op engine.Operation) error {
	return engine.Operate(ctx, b.site, "backup check", op, job.LockEtcd,
		func(ctx context.Context, r *job.Job) error {
			o, ok, err := engine.BackupOptions(r)
			if err := known(ok, err); err != nil || r.Planning() {
				return err
			}
			return backup.Check(ctx, o)
		})
}

// Expire deletes what is older than the specification says.
func (b Backups) Expire(ctx context.Context, op engine.Operation) error {
	return engine.Operate(ctx, b.site, "backup expire", op, job.LockEtcd,
		func(ctx context.Context, r *job.Job) error {
			o, ok, err := engine.BackupOptions(r)
			if err := known(ok, err); err != nil {
				return err
			}
			return backup.Expire(ctx, o)
		})
}

// ErrNotProven: the newest backup could not be restored, or what came back was not right.
var ErrNotProven = errs.New(errs.Unhealthy, "the backup is not proven")

// Prove restores the newest backup beside the running server and reads it; see backup.Prove. The
// error matches ErrNotProven where something was wrong with it; the proof says what.
func (b Backups) Prove(ctx context.Context, op engine.Operation) (backup.Proof, error) {
	var proof backup.Proof
	err := engine.Operate(ctx, b.site, "backup drill", op, job.LockEtcd,
		func(ctx context.Context, r *job.Job) error {
			o, ok, err := engine.BackupOptions(r)
			if err := known(ok, err); err != nil {
				return err
			}
			if proof, err = backup.Prove(ctx, o); err == nil && !proof.Proven && !r.Planning() {
				err = fmt.Errorf("%w: %w", ErrNotProven, errs.Reasons(proof.Problems))
			}
			return err
		})
	return proof, err
}
