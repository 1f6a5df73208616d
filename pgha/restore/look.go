package restore

import (
	"context"
	"errors"
	"time"

	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/remote"
)

// Sight is a moment of the past that is open to be read.
type Sight struct {
	backup.Reached
	// Host is where, and Target the moment.
	Host   string `json:"host"`
	Target string `json:"target"`
	Set    string `json:"backup"`
	// Psql is the command that reads it on that host.
	Psql string `json:"psql"`

	ask func(ctx context.Context, database, statement string) (string, error)
}

// Query runs a statement there as the superuser and returns the rows, a line each with columns
// between bars, in a transaction that takes no writes.
func (s Sight) Query(ctx context.Context, database, statement string) (string, error) {
	return s.ask(ctx, database, statement)
}

// Look opens a moment of the past to be read, beside the running cluster, while f works: on the
// host on which backups are proven (spec.Backup.ProofHost), in a directory next to the data, with a
// server whose sessions begin read-only and that is reached through a socket of its own there.
// After f the copy is deleted. The cluster is not touched; what is refused is what Restore refuses
// about the target and the room.
func (b Backups) Look(ctx context.Context, opts Options,
	f func(context.Context, Sight) error) (err error) {
	to, err := parseTarget(opts.To, time.Now())
	if err != nil {
		return err
	}
	return engine.Operate(ctx, b.site, "restore --look", opts.Operation, job.LockEtcd,
		func(ctx context.Context, r *job.Job) error {
			w := &work{Job: r, since: time.Now().UTC()}
			w.To = to
			var ok bool
			var err error
			if w.backups, ok, err = engine.BackupOptions(r); known(ok, err) != nil {
				return known(ok, err)
			}
			if err := w.archiveForLook(ctx); err != nil {
				return err
			}
			if err := w.aim(ctx, opts.Set); err != nil || w.Planning() {
				return err
			}
			h, _ := r.Spec.ProofHost()
			t, err := r.Target(h.Name)
			if err != nil {
				return err
			}
			s := backup.Scratch{Options: w.backups, Target: t, Purpose: "look"}
			defer func() { err = errors.Join(err, s.Drop(context.WithoutCancel(ctx))) }()
			return w.open(ctx, s, f)
		})
}

// archiveForLook brings the end of the log to the archive where somebody leads; else what is there
// is looked at.
func (w *work) archiveForLook(ctx context.Context) error {
	if _, err := w.leaderHost(ctx); err != nil {
		return nil //nolint:nilerr // nobody leads
	}
	return w.archiveAll(ctx)
}

// open restores into s, and calls f while a server runs there.
func (w *work) open(ctx context.Context, s backup.Scratch,
	f func(context.Context, Sight) error) error {
	// A recovery that pauses before the commit of a DROP TABLE holds that table's lock: who reads
	// it waits for ever (PostgreSQL 18.6). One that ends has none.
	err := s.Restore(ctx, w.Size, append(w.To.arguments(w.Timeline, w.Own), "--set="+w.Set)...)
	if err != nil {
		return err
	}
	reached, err := s.Open(ctx)
	if err != nil {
		return err
	}
	psql := []string{w.PsqlPath(), "-X", "-h", reached.Socket, "-U", w.Spec.PostgreSQL.Superuser}
	return f(ctx, Sight{Reached: reached, Host: s.Target.Name, Target: w.To.String(), Set: w.Set,
		Psql: remote.Cmd{User: "postgres", Argv: append(psql, "-d", "postgres")}.String(),
		ask: func(ctx context.Context, database, statement string) (string, error) {
			res, err := s.Target.Run(ctx, remote.Cmd{User: "postgres", Argv: append(psql, "-Atq", "-d",
				database, "-v", "ON_ERROR_STOP=1", "-c", statement)})
			return string(res.Stdout), remote.OnHost(s.Target.Name, err)
		}})
}
