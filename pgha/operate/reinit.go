package operate

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/bytesize"
	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
)

// ReinitializeOptions say which member is copied again.
type ReinitializeOptions struct {
	engine.Operation
	// Member, or its host, whose data is deleted and copied again.
	Member string
	// Force also allows deleting the only healthy copy besides the leader's, and ends a copy that
	// is under way.
	Force bool
	// FromLeader copies from the leader and not from a replica. Needs Patroni 4.1.
	FromLeader bool
	// FromBackup makes the copy of the newest backup and of the archive's log, so that no member
	// sends more than what is not archived yet. Where that fails another member is copied. Excludes
	// FromLeader.
	FromBackup bool
}

// ReinitializeResult is what Reinitialize did.
type ReinitializeResult struct {
	patroni.ReinitializeResult
	// Backup is what the copy was made of; nil for a member.
	Backup *backup.Copied `json:"backup,omitempty"`
}

// Reinitialize deletes the data of a replica, makes it again, of another replica where one runs, of
// the leader or of a backup, and waits until it streams; progress comes in bytes. See
// patroni.Reinitialize and, with FromBackup, backup.ReplicaCommand for refusals and errors. There
// is no time limit but ctx's and patroni's 12 hours.
func Reinitialize(ctx context.Context, c *site.Site,
	opts ReinitializeOptions) (ReinitializeResult, error) {
	var result ReinitializeResult
	member, err := c.Member(opts.Member)
	if err != nil {
		return result, err
	}
	if opts.FromBackup {
		if opts.FromLeader {
			return result, errs.WithNext(fmt.Errorf("%w: a copy is made of a backup or of the leader",
				patroni.ErrInvalid), errs.Text("leave one of the two out"))
		}
		if c.Spec.Backup == nil {
			return result, backup.ErrNone
		}
	}
	err = engine.Operate(ctx, c, "reinit", opts.Operation, job.LockEtcd,
		func(ctx context.Context, run *job.Job) error {
			po, err := engine.PatroniOptions(run)
			if err != nil {
				return err
			}
			ro := patroni.ReinitializeOptions{
				Member: member, Force: opts.Force, AllowLast: opts.Force,
				FromLeader: opts.FromLeader,
				Copying:    func(ctx context.Context) { followCopy(ctx, run, po, member) },
			}
			if !opts.FromBackup {
				result.ReinitializeResult, err = patroni.Reinitialize(ctx, po, ro)
				return err
			}
			return result.fromBackup(ctx, run, po, ro)
		})
	return result, err
}

// fromBackup is Reinitialize with a backup.
func (result *ReinitializeResult) fromBackup(ctx context.Context, run *job.Job,
	po patroni.Options, ro patroni.ReinitializeOptions) error {
	bo, _, err := engine.BackupOptions(run)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(po.Members, func(m patroni.Member) bool { return m.Name == ro.Member })
	on := po.Members[i].Target
	command, set, err := backup.ReplicaCommand(ctx, bo, on)
	if err != nil {
		return err
	}
	ro.Command = command
	ro.Copying = func(ctx context.Context) { followRestore(ctx, run, on, bo.DataDir, set) }
	if result.ReinitializeResult, err = patroni.Reinitialize(ctx, po, ro); err != nil || run.Planning() {
		return err
	}
	copied, ok, err := backup.LastCopied(ctx, on)
	if ok {
		result.Backup = &copied
	} else if err == nil {
		run.Progress("warning: the backup could not be used, and another member was copied; see " +
			"`journalctl -u patroni -n 50` on " + on.Name)
	}
	return err
}

// followRestore reports how many bytes of a backup are there, until ctx ends.
func followRestore(ctx context.Context, r *job.Job, t *remote.Target, data string, set backup.Set) {
	for ctx.Err() == nil {
		text, err := t.Output(ctx, "du", "-s", "--block-size=1", data)
		if size, _, ok := strings.Cut(text, "\t"); err == nil && ok {
			there, _ := strconv.ParseInt(size, 10, 64)
			r.Progress(fmt.Sprintf("restoring backup %s on %s: %s of %s", set.Label, t.Name,
				bytesize.Text(min(there, set.Size)), bytesize.Text(set.Size)))
		}
		_ = poll.Pause(ctx, copyingEvery)
	}
}

// copyingEvery is how often a copy's size is asked for.
const copyingEvery = 2 * time.Second

// followCopy reports how many bytes of a member's copy have been sent, until ctx ends.
func followCopy(ctx context.Context, r *job.Job, po patroni.Options, member string) {
	for ctx.Err() == nil {
		for _, c := range patroni.Copies(ctx, po) {
			if c.To == member && c.Streamed > 0 {
				r.Progress(c.String())
			}
		}
		_ = poll.Pause(ctx, time.Second)
	}
}
