package restore

import (
	"context"
	_ "embed"
	"strings"

	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
)

//go:embed move.sh
var moveScript string

// move runs move.sh on hosts, all at once.
func (w *work) move(ctx context.Context, targets []*remote.Target, what string,
	argv ...string) error {
	return remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		_, err := t.Do(ctx, w.Spec.PostgreSQL.DataDir, what, remote.Cmd{Script: moveScript, Argv: argv})
		return err
	})
}

func (w *work) putAside(ctx context.Context) error {
	targets, err := w.Databases()
	if err != nil {
		return err
	}
	return w.move(ctx, targets, "put aside", "aside", w.Spec.PostgreSQL.DataDir, w.keptDir())
}

func (w *work) copyBackup(ctx context.Context) error {
	s, err := w.scratch()
	if err != nil {
		return err
	}
	return s.Restore(ctx, w.Size, append(w.To.arguments(w.Timeline, w.Own),
		"--set="+w.Set)...)
}

// replay starts a server on the copy, alone, until it has replayed to the target and been promoted;
// then the copy takes the place of the data.
func (w *work) replay(ctx context.Context) error {
	s, err := w.scratch()
	if err != nil {
		return err
	}
	there := w.Planning()
	if !there {
		look, err := s.Target.Output(ctx, "sh", "-c", `[ -e "$1" ] && echo there || echo gone`, "sh",
			s.Directory()+"/data")
		if err != nil {
			return err
		}
		there = strings.TrimSpace(look) == "there"
	}
	if there {
		reached, err := s.Open(ctx)
		if err != nil {
			return err
		}
		w.reached = &reached
		if err := settle(ctx, w.Job, s, reached); err != nil {
			return err
		}
		if err := s.Finish(ctx); err != nil {
			return err
		}
	}
	return w.move(ctx, []*remote.Target{s.Target}, "filled with what was restored", "place",
		s.Directory(), w.Spec.PostgreSQL.DataDir)
}

// settle gives the restored server, which runs, the passwords that Patroni's roles have today:
// those of its time may be others.
func settle(ctx context.Context, r *job.Job, s backup.Scratch, reached backup.Reached) error {
	if r.Planning() {
		return nil
	}
	po, err := engine.PatroniOptions(r)
	if err != nil {
		return err
	}
	return patroni.SetPasswordsAt(ctx, po, s.Target, reached.Socket)
}

// bringBack puts the data of before in its place; what was restored is put aside.
func (w *work) bringBack(ctx context.Context) error {
	s, err := w.scratch()
	if err != nil {
		return err
	}
	if err := s.Drop(ctx); err != nil {
		return err
	}
	targets, err := w.Databases()
	if err != nil {
		return err
	}
	return w.move(ctx, targets, "put back", "back", w.Spec.PostgreSQL.DataDir, w.keptDir(),
		w.undoneDir())
}

// ownTimeline lets the data of before go on on a new timeline. On its own one a later failover
// would take the next number, which the restored databases have used: its segments would not be
// those in the archive, and archiving would stop (exit 45 of pgBackRest 2.60).
func (w *work) ownTimeline(ctx context.Context) error {
	t, err := w.Target(w.Host)
	if err != nil {
		return err
	}
	return backup.NewTimeline(ctx, w.backups, t)
}

// dropUndone deletes what was restored.
func (w *work) dropUndone(ctx context.Context) error {
	targets, err := w.Databases()
	if err != nil {
		return err
	}
	return w.move(ctx, targets, "deleted what was restored", "drop", w.undoneDir())
}
