package backup

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// ErrFailed: pgBackRest has not done what it was to do; the error has its own words.
var ErrFailed = errs.New(errs.Unhealthy, "pgBackRest failed")

// ErrRunning: a backup is being made already.
var ErrRunning = errs.New(errs.Locked, "a backup is being made")

// Take makes a backup, and returns it. It runs as a unit on the repository's host, so that it goes
// on when this program ends; then the next call waits for that one and returns ErrRunning. After a
// full backup those go that are older than RetentionDays.
//
// A replica is read where one streams, else the leader. Progress receives how far it is, in bytes.
// Nothing changes on the databases' hosts but the load: a fast checkpoint, and reads.
func Take(ctx context.Context, o Options, t Type) (Set, error) {
	o = o.WithDefaults()
	before, err := List(ctx, o)
	if err != nil {
		return Set{}, err
	}
	if before.Running {
		return Set{}, fmt.Errorf("%w: %s", ErrRunning, amount(before.Done, before.Total))
	}
	unit := "pgha-backup@" + string(t) + ".service"
	err = o.runUnit(ctx, o.Repository.Target, unit, "backup", func(ctx context.Context) {
		if now, err := List(ctx, o); err == nil && now.Running {
			o.Progress("backing up: " + amount(now.Done, now.Total))
		}
	})
	if err != nil {
		return Set{}, fmt.Errorf("make a backup: %w", err)
	}
	if o.Repository.Target.Planning() {
		return Set{}, nil
	}
	after, err := List(ctx, o)
	if err != nil {
		return Set{}, err
	}
	newest, ok := after.Newest()
	if last, had := before.Newest(); !ok || had && last.Label == newest.Label {
		return Set{}, fmt.Errorf("make a backup: %w: there is no new one in the repository",
			ErrFailed)
	}
	return newest, nil
}

// Expire deletes backups and write-ahead log that are older than RetentionDays says. It never
// leaves fewer than one full backup. Safe to repeat.
func Expire(ctx context.Context, o Options) error {
	o = o.WithDefaults()
	t := o.Repository.Target
	if _, err := t.Do(ctx, "backups", "expired", remote.Cmd{User: systemUser,
		Argv: o.pgbackrest("expire")}); err != nil {
		return fmt.Errorf("expire backups: %w", remote.OnHost(t.Name, err))
	}
	return nil
}

// runUnit starts a unit that ends by itself, and waits until it has; meanwhile is called at times.
func (o Options) runUnit(ctx context.Context, t *remote.Target, unit, what string,
	meanwhile func(context.Context)) error {
	if _, err := t.Do(ctx, unit, "started", remote.Cmd{Argv: []string{"systemctl", "start",
		"--no-block", unit}}); err != nil || t.Planning() {
		return remote.OnHost(t.Name, err)
	}
	err := poll.Until(ctx, poll.Options{What: "the end of " + unit + " on " + t.Name,
		Every: time.Second}, func(ctx context.Context) (string, error) {
		state, err := t.Output(ctx, "systemctl", "show", "-P", "ActiveState", unit)
		if err != nil {
			return "", err
		}
		if s := strings.TrimSpace(state); s == "activating" || s == "active" || s == "reloading" {
			meanwhile(ctx)
			return s, nil
		}
		return "", nil
	})
	if err != nil {
		return err
	}
	result, err := t.Output(ctx, "systemctl", "show", "-P", "Result", unit)
	if err != nil {
		return remote.OnHost(t.Name, err)
	}
	if strings.TrimSpace(result) == "success" {
		return nil
	}
	words, _ := t.Output(ctx, "journalctl", "--output=cat", "--no-pager", "-n", "4",
		"_SYSTEMD_INVOCATION_ID="+o.invocation(ctx, t, unit))
	return errs.WithNext(remote.OnHost(t.Name, fmt.Errorf("%w: %s: %s", ErrFailed,
		strings.TrimSpace(result), said([]byte(words)))),
		errs.Text("journalctl -u %s on %s, and the files in /var/log/pgbackrest there, have "+
			"more; %s looks at the way between the hosts", unit, t.Name, errs.Verb("backup", "check")))
}

// invocation identifies the last run of a unit in the journal.
func (o Options) invocation(ctx context.Context, t *remote.Target, unit string) string {
	id, _ := t.Output(ctx, "systemctl", "show", "-P", "InvocationID", unit)
	return strings.TrimSpace(id)
}

// amount says how far something is: "1.2 of 4.0 GB".
func amount(done, total int64) string {
	switch {
	case total <= 0:
		return "it looks for what has changed"
	case total < 1<<30:
		return fmt.Sprintf("%d of %d MB", done>>20, total>>20)
	}
	return fmt.Sprintf("%.1f of %.1f GB", float64(done)/(1<<30), float64(total)/(1<<30))
}
