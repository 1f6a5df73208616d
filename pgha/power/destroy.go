package power

import (
	"context"
	_ "embed"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// destroyScript takes from a host what apply has put there.
//
//go:embed destroy.sh
var destroyScript string

// DestroyOptions say how Destroy works. There is nothing to choose: the caller has decided.
type DestroyOptions struct {
	engine.Operation
}

// DestroyResult is what Destroy did.
type DestroyResult struct {
	// SystemIdentifier is that of the databases that are gone, "" where it was not known.
	SystemIdentifier string `json:"system_identifier"`
	// Emptied directories, in the order in which they were.
	Emptied []EmptiedDirectory `json:"emptied"`
	// Kept are copies of files that others had written before Apply replaced them.
	Kept    []KeptFile      `json:"kept"`
	Elapsed patroni.Elapsed `json:"seconds"`
}

// KeptFile is a file that stays on a host.
type KeptFile struct {
	Host string `json:"host"`
	Path string `json:"path"`
}

// Destroy deletes all databases and takes from the hosts what Apply has put there: services are
// stopped and disabled, the data directories of PostgreSQL and etcd emptied, configuration,
// certificates, passwords, units and etcd's programs deleted. Nothing brings the databases back but
// a backup.
//
// Packages and accounts stay, folders that packages own or that are not empty, copies of files that
// others had written (DestroyResult.Kept), the trail of operations, WAL archives and backups. So
// does the state directory: the next Apply makes a new cluster with the same authorities and
// passwords.
//
// It refuses (ErrRefused) before anything is stopped what Reset refuses about data directories, a
// host that cannot be reached, and a paused cluster. When it is interrupted run it again: it
// continues where it was.
func Destroy(ctx context.Context, c *site.Site, opts DestroyOptions) (DestroyResult, error) {
	result := DestroyResult{Emptied: []EmptiedDirectory{}, Kept: []KeptFile{}}
	start := time.Now()
	err := engine.Operate(ctx, c, "destroy", opts.Operation, job.LockHosts,
		func(ctx context.Context, run *job.Job) error {
			if err := refuseToStop(ctx, run); err != nil {
				return err
			}
			dirs, err := dataDirs(ctx, run)
			if err == nil {
				err = refuseReset(dirs)
			}
			if err != nil {
				return err
			}
			result.SystemIdentifier = oldIdentifier(dirs)
			s, err := status.Look(ctx, run.Site)
			if err != nil {
				return err
			}
			if err := stopBalancers(ctx, run, s, run.Spec.Balancers()); err != nil {
				return err
			}
			if err := stopForReset(ctx, run); err != nil {
				return err
			}
			if result.Emptied, err = wipe(ctx, run, full(dirs)); err != nil {
				return destroyAgain(err)
			}
			if result.Kept, err = takeAway(ctx, run, run.Spec.Hosts,
				func(h spec.Host) []string { return belongings(run.Site, h) }); err != nil {
				return destroyAgain(err)
			}
			return nil
		})
	if result.Emptied == nil {
		result.Emptied = []EmptiedDirectory{}
	}
	result.Elapsed = patroni.Elapsed(time.Since(start))
	return result, err
}

func destroyAgain(err error) error {
	return errs.WithNext(err, errs.Text("run %s again when the cause is mended",
		errs.Verb("destroy")))
}

// takeAway removes units and files from hosts: what belongs to the cluster on each.
func takeAway(ctx context.Context, r *job.Job, hosts []spec.Host,
	belongings func(spec.Host) []string) ([]KeptFile, error) {
	word := "remove"
	if r.Planning() {
		word = "look"
	}
	kept := map[string][]KeptFile{}
	var mu sync.Mutex
	remove := func(ctx context.Context, t *remote.Target, h spec.Host) error {
		start := time.Now()
		res, err := t.Run(ctx, remote.Cmd{Script: destroyScript, Mutating: word == "remove",
			Argv: []string{word, strings.Join(belongings(h), "\n")}})
		if err != nil {
			return fmt.Errorf("take away what the cluster has on it: %w", err)
		}
		for line := range strings.Lines(string(res.Stdout)) {
			kind, name, _ := strings.Cut(strings.TrimSpace(line), " ")
			change := remote.Change{Host: t.Name, Kind: kind, Name: name, Action: "removed",
				Planned: r.Planning(), Duration: time.Since(start)}
			switch kind {
			case "kept":
				mu.Lock()
				kept[t.Name] = append(kept[t.Name], KeptFile{t.Name, name})
				mu.Unlock()
				continue
			case "unit":
				change.Action = "disabled"
			case "dir":
				change.Kind = "directory"
			}
			t.OnChange(change)
		}
		return nil
	}
	err := eachHost(ctx, r, hosts, remove)
	all := []KeptFile{}
	for _, h := range hosts {
		all = append(all, kept[h.Name]...)
	}
	return all, err
}

// belongings are what apply puts on a host, in the order in which it goes: what was made last
// first, and at the very end the note that says whose host it is.
func belongings(c *site.Site, h spec.Host) []string {
	on := c.LayoutOf(h)
	var list []string
	for _, unit := range on.Units(layout.Service, layout.Helper) {
		list = append(list, "unit "+unit)
	}
	files := on.Files()
	if c.Spec.Runs(h, spec.RoleEtcd) && c.Spec.Etcd.Source != spec.SourceDistribution {
		files = append(files, etcd.Programs()...)
	}
	for _, f := range files {
		kind := "file "
		if f.Dir {
			kind = "dir "
		}
		list = append(list, kind+f.Path)
	}
	list = append(list, "file "+site.SharedFile, "file "+site.SharedRecord)
	slices.Reverse(list)
	// Folders are made before what is in them, so reversed they come behind it, but for those that
	// two components share.
	slices.SortStableFunc(list, func(a, b string) int {
		return order(a) - order(b)
	})
	return append(list, "file "+vault.NoteFile, "file "+site.ResetFile, "dir "+path.Dir(vault.NoteFile))
}

func order(line string) int {
	switch {
	case strings.HasPrefix(line, "unit "):
		return 0
	case strings.HasPrefix(line, "file "):
		return 1
	}
	return 2
}
