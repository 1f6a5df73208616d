package power

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// resetScript is the only thing that deletes data.
//
//go:embed reset.sh
var resetScript string

// dataKind is whose data a directory holds.
type dataKind string

const (
	etcdData       dataKind = "etcd"
	postgresqlData dataKind = "postgresql"
)

// dataDir is a directory that Reset is to empty, as its host describes it.
type dataDir struct {
	host       spec.Host
	kind       dataKind
	path       string
	bytes      int64
	identifier string // PostgreSQL's, also "" where it cannot be read
	empty      bool
	begun      bool // an earlier reset was interrupted while it emptied it
	refusals   []string
}

func (d dataDir) String() string {
	s := fmt.Sprintf("emptied, %d MiB", d.bytes>>20)
	switch {
	case d.begun:
		return s + " that an interrupted reset has left"
	case d.identifier != "":
		return s + " with the system identifier " + d.identifier
	}
	return s
}

// resetCommand is the script for one directory.
func resetCommand(c *site.Site, word string, d dataDir) remote.Cmd {
	return remote.Cmd{Script: resetScript, Mutating: word == "wipe",
		Argv: []string{word, string(d.kind), d.path, c.Spec.Cluster, c.ControlCommand()[0],
			d.identifier}}
}

// dataDirs asks the hosts about etcd's directories and PostgreSQL's: etcd's of all hosts come
// first.
func dataDirs(ctx context.Context, r *job.Job) ([]dataDir, error) {
	var dirs []dataDir
	for _, h := range r.Spec.EtcdHosts() {
		dirs = append(dirs, dataDir{host: h, kind: etcdData, path: r.Spec.Etcd.DataDir})
	}
	for _, h := range r.Spec.Databases() {
		dirs = append(dirs, dataDir{host: h, kind: postgresqlData,
			path: r.Spec.PostgreSQL.DataDir})
	}
	return dirs, parallel.Each(dirs, func(i int, _ dataDir) error {
		return describe(ctx, r, &dirs[i])
	})
}

// describe fills in what the host says of a directory.
func describe(ctx context.Context, r *job.Job, d *dataDir) error {
	t, err := r.Target(d.host.Name)
	if err != nil {
		return err
	}
	res, err := t.Run(ctx, resetCommand(r.Site, "look", *d))
	if err != nil {
		return remote.OnHost(t.Name, fmt.Errorf("look at %s: %w", d.path, err))
	}
	d.read(string(res.Stdout))
	return nil
}

// read takes what the script printed.
func (d *dataDir) read(printed string) {
	for line := range strings.Lines(printed) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "kib":
			kib, _ := strconv.ParseInt(rest, 10, 64)
			d.bytes = kib << 10
		case "identifier":
			d.identifier = rest
		case "empty":
			d.empty = true
		case "begun":
			d.begun = true
		case "refuse":
			d.refusals = append(d.refusals, rest)
		}
	}
}

// refuseReset says why these directories must not be emptied: nil, or an error that matches
// ErrRefused.
func refuseReset(dirs []dataDir) error {
	var reasons []string
	hint := "reset deletes nothing but what it knows: look at it on the host, and move away what " +
		"is to be kept"
	for _, d := range dirs {
		for _, why := range d.refusals {
			reasons = append(reasons, fmt.Sprintf("%s on %s: %s", d.path, d.host.Name, why))
			if strings.Contains(why, "pg_tblspc/") {
				hint = "drop the tablespaces first (DROP TABLESPACE), or move them away by hand"
			}
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	return remote.WithHint(fmt.Errorf("%w: %s", errs.ErrRefused, strings.Join(reasons, "; ")), hint)
}

// identifiers returns the distinct system identifiers, with the hosts that have each.
func identifiers(dirs []dataDir) map[string][]string {
	found := map[string][]string{}
	for _, d := range dirs {
		if d.identifier != "" {
			found[d.identifier] = append(found[d.identifier], d.host.Name)
		}
	}
	return found
}

// oldIdentifier is the one that most hosts have, of equals the one of the first host.
func oldIdentifier(dirs []dataDir) string {
	best, hosts := "", identifiers(dirs)
	for _, d := range dirs {
		if d.identifier != "" && len(hosts[d.identifier]) > len(hosts[best]) {
			best = d.identifier
		}
	}
	return best
}

// full returns the directories in which there is something.
func full(dirs []dataDir) []dataDir {
	return slices.DeleteFunc(slices.Clone(dirs), func(d dataDir) bool { return d.empty })
}
