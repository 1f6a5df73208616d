package provision

import (
	"context"
	"errors"
	"fmt"

	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/hostlook"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/remote"
)

// BackupPhase sets pgBackRest up on the hosts that have databases or keep backups.
func BackupPhase(ctx context.Context, run *job.Job) error {
	opts, ok, err := engine.BackupOptions(run)
	if err != nil || !ok {
		return err
	}
	if err := refuseOtherCipher(ctx, run, opts); err != nil {
		return err
	}
	if err := backup.Configure(ctx, opts); err != nil || run.Planning() ||
		opts.Repository.Target.LeftOut {
		return err
	}
	return backup.Reach(ctx, opts)
}

// refuseEvents refuses calendar events that systemd of the repository's host does not take.
func refuseEvents(ctx context.Context, run *job.Job) error {
	opts, ok, err := engine.BackupOptions(run)
	if err != nil || !ok || opts.Repository.Target.LeftOut {
		return err
	}
	b, t := run.Spec.Backup, opts.Repository.Target
	for _, e := range []struct{ field, event string }{{"full", b.Full},
		{"differential", b.Differential}, {"incremental", b.Incremental}, {"proof", b.Proof}} {
		if e.event == "" {
			continue
		}
		var exit *remote.ExitError
		_, err := t.Output(ctx, "systemd-analyze", "calendar", e.event)
		switch {
		case errors.As(err, &exit):
			return errs.WithNext(fmt.Errorf("%w: backup.%s: systemd of %s does not understand %q",
				errs.ErrRefused, e.field, t.Name, e.event), errs.Text("write a calendar event as "+
				"systemd.time(7) has it, such as Sun 03:00; `systemd-analyze calendar` tries one"))
		case err != nil:
			return remote.OnHost(t.Name, err)
		}
	}
	return nil
}

// refuseOtherCipher refuses to write files in another form than those that are in the repository:
// who reads it can read one of the two.
func refuseOtherCipher(ctx context.Context, run *job.Job, o backup.Options) error {
	other, err := backup.OtherKey(ctx, o)
	if err != nil {
		return err
	}
	if other {
		return errs.WithNext(fmt.Errorf("%w: %s encrypts backups with another key than the state "+
			"directory has: they could not be read any more", errs.ErrRefused, o.Repository.Target.Name),
			errs.Text("put %s of the state directory back from its backup, or what stands behind "+
				"repo1-cipher-pass= in %s on that host into it",
				run.State.Path(vault.SecretFile("backup", "")), backup.ConfigPath))
	}
	have, err := backup.List(ctx, o)
	wants := run.Spec.Backup.Encrypted
	if err != nil || have.Encrypted == wants { // none yet, or as it is wanted
		return nil
	}
	return errs.WithNext(fmt.Errorf("%w: backup.encrypted is %t, and the repository on %s was made "+
		"with %t", errs.ErrRefused, wants, o.Repository.Target.Name, have.Encrypted),
		errs.Text("write encrypted: %t again, or another path for a new repository", have.Encrypted))
}

// ArchivePhase gives the cluster its place in the repository, and says if that has no backup yet.
func ArchivePhase(ctx context.Context, run *job.Job) error {
	opts, ok, err := engine.BackupOptions(run)
	if err == nil {
		err = removeFormer(ctx, run, opts)
	}
	if err != nil || !ok || opts.Repository.Target.LeftOut {
		return err
	}
	err = RegisterBackups(ctx, run, "")
	if run.Planning() && err != nil && !errors.Is(err, backup.ErrForeign) {
		run.Warn("", "the repository cannot be read now, so nothing is planned for it: "+err.Error())
		return nil
	}
	if err != nil || run.Planning() {
		return err
	}
	found, err := backup.List(ctx, opts)
	if _, any := found.Newest(); err == nil && !any {
		run.WarnNext("", errs.Text("there is no backup yet: %s makes the first one",
			errs.Verb("backup")))
	}
	return err
}

// removeFormer takes backups away from hosts that have no part in them any more. Servers archive
// nothing by then.
func removeFormer(ctx context.Context, run *job.Job, o backup.Options) error {
	var targets []*remote.Target
	for _, h := range run.Spec.Hosts {
		run.Mu.Lock()
		there := run.Facts[h.Name].Backup
		run.Mu.Unlock()
		if !there || o.Has(h.Name) {
			continue
		}
		t, err := run.Target(h.Name)
		if err != nil {
			return err
		}
		targets = append(targets, t)
	}
	if len(targets) > 0 && run.Spec.Backup == nil {
		run.Warn("", "the specification says nothing of backups any more: their timers and "+
			"pgBackRest's configuration go, and the repository stays as it is")
	}
	return backup.Remove(ctx, targets)
}

// RegisterBackups gives the cluster its place in the repository. former is the system identifier of
// the databases before these, whose backups stay; "" for none.
func RegisterBackups(ctx context.Context, run *job.Job, former string) error {
	opts, ok, err := engine.BackupOptions(run)
	if err != nil || !ok {
		return err
	}
	system, err := systemIdentifier(ctx, run)
	if err != nil {
		return err
	}
	return backup.Register(ctx, opts, system, []string{former})
}

// systemIdentifier is that of the databases; "" where there are none yet.
func systemIdentifier(ctx context.Context, run *job.Job) (string, error) {
	looks, err := hostlook.Hosts(ctx, run, run.Spec.Databases())
	if err != nil {
		return "", err
	}
	id := ""
	for _, h := range run.Spec.Databases() {
		now := looks[h.Name].Control.Identifier
		if id != "" && now != "" && now != id {
			return "", fmt.Errorf("%w: databases with the system identifiers %s and %s",
				errs.ErrRefused, id, now)
		}
		if now != "" {
			id = now
		}
	}
	return id, nil
}
