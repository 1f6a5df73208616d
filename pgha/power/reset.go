package power

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/hostlook"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/provision"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// ResetOptions say how Reset works. There is nothing to choose: the caller has decided.
type ResetOptions struct {
	engine.Operation
}

// ResetResult is what Reset did.
type ResetResult struct {
	// OldSystemIdentifier is that of the databases that are gone, as far as it was known;
	// NewSystemIdentifier that of the cluster that was made in their place.
	OldSystemIdentifier string `json:"old_system_identifier"`
	NewSystemIdentifier string `json:"new_system_identifier"`
	// Emptied directories, in the order in which they were.
	Emptied []EmptiedDirectory `json:"emptied"`
	Elapsed patroni.Elapsed    `json:"seconds"`
}

// EmptiedDirectory is a data directory whose contents are gone.
type EmptiedDirectory struct {
	Host  string `json:"host"`
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

// Reset deletes all databases and the state in etcd, on all database hosts, and forms the cluster
// again: with the same certificates, passwords and configuration, but nothing else. It returns once
// an application can write through the virtual IP to the new, empty database. Nothing brings the
// old one back but a backup. Settings that were changed in Patroni's dynamic configuration fall
// back to the specification's.
//
// Before anything is stopped every host is asked what is about to be deleted, and ErrRefused is
// returned if a directory is not what it should be: etcd's must have member/wal and nothing of
// others in it, PostgreSQL's a control file, and no tablespace or WAL elsewhere that would be left
// behind; neither may be a symbolic link or have a file system mounted below it. Hosts that cannot
// be reached, or that preflight objects to, are refused as well, as is a paused cluster.
//
// Then Patroni is stopped on the replicas, on the leader, and etcd, in this order; the balancers go
// on and keep the address. The contents of etcd's directories are deleted, then PostgreSQL's, by a
// script that looks again right before it does. When Reset is interrupted run it again: it
// continues where it was.
//
// Backups of the old databases stay in the repository, which is told of the new ones. Archives and
// backups that the specification does not know are not touched: an archive that the old cluster
// wrote to is no place for the new one's WAL.
func Reset(ctx context.Context, c *site.Site, opts ResetOptions) (ResetResult, error) {
	result := ResetResult{Emptied: []EmptiedDirectory{}}
	start := time.Now()
	err := engine.Operate(ctx, c, "reset", opts.Operation, job.LockHosts,
		func(ctx context.Context, run *job.Job) error {
			dirs, err := prepareReset(ctx, run)
			if err != nil {
				return err
			}
			result.OldSystemIdentifier = oldIdentifier(dirs)
			if !run.Planning() {
				if err := markReset(ctx, run); err != nil {
					return err
				}
			}
			if err := stopForReset(ctx, run); err != nil {
				return err
			}
			for _, kind := range []dataKind{etcdData, postgresqlData} {
				emptied, err := wipe(ctx, run,
					slices.DeleteFunc(full(dirs), func(d dataDir) bool { return d.kind != kind }))
				result.Emptied = append(result.Emptied, emptied...)
				if err != nil {
					return errs.WithNext(err,
						errs.Text("the cluster is stopped; run %s again when the cause is mended",
							errs.Verb("reset")))
				}
			}
			if result.NewSystemIdentifier, err = formAgain(ctx, run,
				result.OldSystemIdentifier); err != nil ||
				run.Planning() {
				return err
			}
			return unmarkReset(ctx, run)
		})
	result.Elapsed = patroni.Elapsed(time.Since(start))
	return result, err
}

// prepareReset refuses what has to be refused, and describes what will be deleted.
func prepareReset(ctx context.Context, r *job.Job) ([]dataDir, error) {
	if err := refuseToStop(ctx, r); err != nil {
		return nil, err
	}
	// Forming needs what preflight finds out about the hosts, and must not fail for what it would
	// have told.
	if err := provision.PreflightPhase(ctx, r); err != nil {
		return nil, fmt.Errorf("%w: %w", errs.ErrRefused, err)
	}
	dirs, err := dataDirs(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := refuseReset(dirs); err != nil {
		return nil, err
	}
	if found := identifiers(dirs); len(found) > 1 {
		var each []string
		for _, id := range slices.Sorted(maps.Keys(found)) {
			each = append(each, id+" on "+strings.Join(found[id], ", "))
		}
		r.Warn("", "the hosts have databases of different clusters: "+strings.Join(each, "; "))
	}
	return dirs, nil
}

// refuseToStop refuses what nobody may be stopped for: a host that would go on, and a Patroni that
// would leave PostgreSQL running.
func refuseToStop(ctx context.Context, r *job.Job) error {
	for _, h := range r.Spec.Hosts {
		if err := r.Unreachable[h.Name]; err != nil {
			return remote.WithHint(fmt.Errorf("%w: %w", errs.ErrRefused, err),
				"all hosts have to be there: one that is left keeps its old data, and its part "+
					"in the cluster")
		}
	}
	status, err := status.Look(ctx, r.Site)
	if err != nil {
		return err
	}
	if status.Paused {
		return errs.WithNext(fmt.Errorf("%w: Patroni would leave PostgreSQL running",
			patroni.ErrPaused),
			errs.Text("%s comes first", errs.Verb("resume")))
	}
	return nil
}

// stopForReset stops the databases in order. That they end well does not matter any more.
func stopForReset(ctx context.Context, r *job.Job) error {
	status, err := status.Look(ctx, r.Site)
	if err != nil {
		return err
	}
	leader := status.Leader()
	replicas := slices.DeleteFunc(r.Spec.Databases(),
		func(h spec.Host) bool { return h.Member == leader })
	for _, hosts := range [][]spec.Host{replicas, site.Without(r.Spec.Databases(), replicas)} {
		if err := stopMembers(ctx, r, hosts); err != nil {
			return err
		}
	}
	return stopUnit(ctx, r, r.Spec.EtcdHosts(), etcd.Unit)
}

// wipe empties directories of different hosts, all at once.
func wipe(ctx context.Context, r *job.Job, dirs []dataDir) ([]EmptiedDirectory, error) {
	var targets []*remote.Target
	for _, d := range dirs {
		t, err := r.Target(d.host.Name)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	done := make([]bool, len(dirs))
	err := remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		i := slices.Index(targets, t)
		d := dirs[i]
		start := time.Now()
		res, err := t.Run(ctx, resetCommand(r.Site, "wipe", d))
		if err != nil {
			again := dataDir{}
			again.read(string(res.Stdout))
			return fmt.Errorf("empty %s: %w", d.path,
				errors.Join(err, errs.Reasons(again.refusals)))
		}
		done[i] = true
		t.OnChange(remote.Change{Host: t.Name, Kind: "directory", Name: d.path, Action: d.String(),
			Planned: r.Planning(), Duration: time.Since(start)})
		return nil
	})
	var emptied []EmptiedDirectory
	for i, d := range dirs {
		if done[i] {
			emptied = append(emptied, EmptiedDirectory{Host: d.host.Name, Path: d.path,
				Bytes: d.bytes})
		}
	}
	return emptied, err
}

// formAgain forms the cluster by the phases of Apply and returns its system identifier.
func formAgain(ctx context.Context, r *job.Job, old string) (string, error) {
	if r.Planning() {
		return "", r.Changed(r.Spec.Databases()[0].Member,
			remote.Change{Kind: "cluster", Name: r.Spec.Cluster, Action: "formed again, empty"})
	}
	for _, phase := range []func(context.Context, *job.Job) error{provision.EtcdPhase,
		provision.BackupPhase, provision.PatroniPhase,
		provision.HAProxyPhase, provision.KeepalivedPhase, provision.ReadyPhase,
		provision.DatabasesPhase} {
		if err := phase(ctx, r); err != nil {
			return "", errs.WithNext(fmt.Errorf("form the cluster again: %w", err),
				errs.Text("the old data is gone; %s again finishes what was begun",
					errs.Verb("reset")))
		}
	}
	databases := r.Spec.Databases()
	looks, err := hostlook.Hosts(ctx, r, databases)
	if err != nil {
		return "", err
	}
	id := ""
	for _, h := range databases {
		switch now := looks[h.Name].Control.Identifier; {
		case looks[h.Name].Err != nil:
			return "", looks[h.Name].Err
		case now == "" || now == old || id != "" && now != id:
			return "", fmt.Errorf("%s has the system identifier %q, not that of a new cluster",
				h.Name, now)
		default:
			id = now
		}
	}
	if err := provision.RegisterBackups(ctx, r, old); err != nil {
		return "", err
	}
	return id, r.Changed(databases[0].Member, remote.Change{Kind: "cluster", Name: r.Spec.Cluster,
		Action: "formed again with the system identifier " + id})
}
