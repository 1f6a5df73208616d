package restore

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/hostlook"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/provision"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// Source is what a cluster that has no databases begins with.
type Source struct {
	spec.BootstrapFrom
	// Key that the backups are encrypted with, where BootstrapFrom.Repository is set and KeyFile is
	// not. The zero value means that they are not encrypted.
	Key pki.Secret
	// Fresh: databases that are there are refused before anything is changed. Else they stay, and
	// the source is not read.
	Fresh bool
}

// SourceOf returns the backups of a cluster as a source for the cluster of sp, which may be the
// same one after the loss of all its hosts. It reads the key from the state directory of the first.
// The error matches ErrNone for a cluster without backups, and errs.ErrRefused for a repository
// that is a directory on a host of another cluster, which nobody else reads, and for one that both
// clusters would write in the same place.
func SourceOf(ctx context.Context, of, sp *spec.Spec, to string) (Source, error) {
	if of.Backup == nil || len(of.Backup.Repository) == 0 || sp.Backup == nil {
		return Source{}, known(false, nil)
	}
	if _, err := parseTarget(to, time.Now()); err != nil {
		return Source{}, err
	}
	r := of.Backup.Repository[0]
	from := Source{BootstrapFrom: spec.BootstrapFrom{Cluster: of.Cluster, To: to}, Fresh: true}
	same := of.Cluster == sp.Cluster && reflect.DeepEqual(of.Backup.Repository, sp.Backup.Repository)
	switch {
	case same && of.StateDir == sp.StateDir:
		return from, nil
	case same:
		return from, errs.WithNext(fmt.Errorf("%w: both clusters would write in one place of the "+
			"repository", errs.ErrRefused), errs.Text("give the new one another name in the field "+
			"cluster, or another path in backup.repository"))
	case r.Type == spec.RepositoryHost:
		return from, errs.WithNext(fmt.Errorf("%w: the repository of %s is a directory on its host %s, "+
			"which hosts of another cluster cannot read", errs.ErrRefused, of.Cluster, r.Host),
			errs.Text("write backup.bootstrap_from into the new specification, with a repository of "+
				"type sftp that names that host and %s, and run %s with it", r.Path, errs.Verb("apply")))
	}
	from.Repository = &r
	if of.Backup.Encrypted {
		state, err := site.StateOf(ctx, of, true)
		if err != nil {
			return from, err
		}
		if from.Key, err = state.BackupKey(); err != nil {
			return from, err
		}
	}
	return from, nil
}

// Phases are provision.StandardPhases with one more, "data", before PostgreSQL's first start: where
// no database host has data, the first one is filled with what the source has. Where one has,
// nothing is done.
//
// The copy is restored beside the place of the data, a server that nobody reaches replays the log,
// and Patroni's roles get the passwords of this cluster; then it becomes the data, and Patroni
// leads with it. The system identifier is that of the source. Safe to repeat after it was cut off.
//
// The phases fail with errs.ErrRefused for a moment that the source does not cover, ErrHasData as
// Source.Fresh says, and backup.ErrUnreachable.
func Phases(from Source) []engine.Phase {
	const patroni = "patroni"
	var list []engine.Phase
	if from.Fresh {
		list = append(list, engine.Phase{Name: "no databases", Run: engine.Standard(refuseData)})
	}
	for _, p := range provision.StandardPhases() {
		if p.Name == patroni {
			list = append(list, engine.Phase{Name: "data", After: []string{"pgbackrest"},
				Run: engine.Standard(from.fill)})
			p.After = append(p.After, "data")
		}
		list = append(list, p)
	}
	return list
}

// PhasesOf are those of an Apply: Phases where the specification says what the cluster begins with,
// else nil, the standard ones.
func PhasesOf(sp *spec.Spec) []engine.Phase {
	if sp.Backup == nil || sp.Backup.BootstrapFrom == nil {
		return nil
	}
	return Phases(Source{BootstrapFrom: *sp.Backup.BootstrapFrom})
}

// ErrHasData: the cluster has databases already.
var ErrHasData = errs.New(errs.Refused, "the cluster has databases already")

// fill is the phase.
func (from Source) fill(ctx context.Context, run *job.Job) error {
	to, err := parseTarget(from.To, time.Now())
	if err != nil {
		return err
	}
	w := &work{Job: run, since: time.Now().UTC()}
	w.To, w.Host = to, run.Spec.Databases()[0].Name
	if w.backups, err = from.options(ctx, run); err != nil {
		return err
	}
	there, err := hasData(ctx, run)
	if err != nil {
		return err
	}
	if there != "" {
		return from.giveBack(ctx, w)
	}
	t, err := run.Target(w.Host)
	if err != nil {
		return err
	}
	if run.Planning() {
		_, err := t.Do(ctx, run.Spec.PostgreSQL.DataDir, "filled from the backups of "+from.Cluster,
			remote.Cmd{Argv: []string{"true"}})
		return err
	}
	if from.Repository != nil {
		if err := backup.Borrow(ctx, w.backups); err != nil {
			return err
		}
	}
	if err := w.aim(ctx, ""); err != nil {
		return err
	}
	if err := w.copyBackup(ctx); err != nil {
		return err
	}
	if err := backup.MarkBeginning(ctx, w.backups, t); err != nil {
		return err
	}
	if err := w.replay(ctx); err != nil {
		return err
	}
	if w.reached != nil && w.reached.LastCommit != nil {
		run.Warn("", fmt.Sprintf("the databases are those of %s: the last commit that is there is of %s",
			from.Cluster, w.reached.LastCommit.UTC().Format(time.RFC3339)))
	}
	return from.giveBack(ctx, w)
}

// refuseData refuses hosts that have databases.
func refuseData(ctx context.Context, run *job.Job) error {
	there, err := hasData(ctx, run)
	if err != nil || there == "" {
		return err
	}
	return errs.WithNext(fmt.Errorf("%w: %s has data", ErrHasData, there), errs.Text("if an earlier run "+
		"was cut off after it had filled it, %s finishes; %s brings a cluster that runs back to a "+
		"moment", errs.Verb("apply"), errs.Verb("restore", "--to")))
}

// options are those by which the backups are read.
func (from Source) options(ctx context.Context, run *job.Job) (backup.Options, error) {
	if from.Repository == nil {
		o, ok, err := engine.BackupOptions(run)
		return o, known(ok, err)
	}
	key := from.Key
	if from.KeyFile != "" {
		text, err := os.ReadFile(from.KeyFile)
		if err != nil {
			return backup.Options{}, fmt.Errorf("read the key of the backups: %w", err)
		}
		key = pki.NewSecret([]byte(strings.TrimSpace(string(text))))
	}
	o, err := site.BorrowedOptions(ctx, run.Site, run.Target, from.Cluster, *from.Repository, key)
	o.Progress = run.Progress
	return o, err
}

func (from Source) giveBack(ctx context.Context, w *work) error {
	if from.Repository == nil || w.Planning() {
		return nil
	}
	return backup.GiveBack(ctx, w.backups)
}

// hasData names a host that has databases; "" for none.
func hasData(ctx context.Context, run *job.Job) (string, error) {
	looks, err := hostlook.Hosts(ctx, run, run.Spec.Databases())
	for _, h := range run.Spec.Databases() {
		if looks[h.Name].Control.Identifier != "" {
			return h.Name, err
		}
	}
	return "", err
}
