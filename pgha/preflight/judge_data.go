package preflight

import (
	"fmt"
	"slices"
	"strings"
)

// configPath is Patroni's configuration: a host that has pgha's, and trusts the cluster's
// authority, has the cluster's data.
const configPath = "/etc/patroni/config.yml"

// judgeData tells what stands in a data directory's place, or lies in it and is not the cluster's.
func (j *judge) judgeData() {
	for _, d := range j.Want.Data {
		seen := j.Directories[d.Path]
		switch seen.Kind {
		case "link":
			j.stopAt(d.Field,
				fmt.Sprintf(
					"%s (%s) is a symbolic link to %s: when a member's data is copied again a "+
						"folder takes the place of the link", d.Path, d.Field, seen.Target),
				fmt.Sprintf("set %s to %s, or mount the file system at a folder above", d.Field,
					seen.Target))
		case "file":
			j.stopAt(d.Field, fmt.Sprintf("%s (%s) is a file", d.Path, d.Field),
				fmt.Sprintf("move it away, or set %s to another path", d.Field))
		case "directory":
			j.judgeContent(d, seen)
		}
	}
}

func (j *judge) judgeContent(d Data, seen Directory) {
	away := fmt.Sprintf("if nobody needs it move it away: mv %[1]s %[1]s.old; else set %[2]s to "+
		"another path",
		d.Path, d.Field)
	if seen.Mount {
		away = fmt.Sprintf("empty it if nobody needs it, or set %s to a folder below it that "+
			"does not exist yet",
			d.Field)
	}
	names := strings.Fields(seen.Entries)
	lost := slices.Contains(names, "lost+found")
	names = slices.DeleteFunc(names, func(n string) bool {
		return n == "lost+found" || d.Etcd && n == "default"
	})
	switch {
	case d.Etcd && j.Member,
		!d.Etcd && j.Member && (j.ours(configPath) || j.ours(j.Want.Begun)):
	case !d.Etcd && seen.Identifier != "" && seen.Identifier == j.Cluster:
		// A host that was a member before, or the disk of one: Patroni brings its data in line.
	case d.Etcd && seen.Etcd:
		j.stopAt(d.Field, fmt.Sprintf("%s (%s) holds the data of an etcd member that is not this "+
			"cluster's",
			d.Path, d.Field), away)
	case !d.Etcd && seen.Version != "":
		j.stopAt(d.Field, fmt.Sprintf("%s (%s) holds the data of a PostgreSQL %s that is not "+
			"this cluster's",
			d.Path, d.Field, seen.Version), away)
	case len(names) > 0:
		j.stopAt(d.Field, fmt.Sprintf("%s (%s) is not empty, and what is in it is not this "+
			"cluster's: %s",
			d.Path, d.Field, strings.Join(names, ", ")), away)
	case lost && !d.Etcd:
		j.stopAt(d.Field, fmt.Sprintf("%s (%s) is a mount point with lost+found in it: initdb "+
			"wants an empty folder",
			d.Path, d.Field),
			fmt.Sprintf("set %s to a folder below it, such as %s/main", d.Field, d.Path))
	}
}

// judgeSpace reports file systems that are full, have no inodes left, or are read-only. Where
// packages have yet to be installed that stops apply. On a host that runs only what apply itself
// writes to does: what fills the disks of services is often what the apply is to mend.
func (j *judge) judgeSpace() {
	for _, d := range j.ReadOnly {
		j.stop("the file system of "+d+" is read-only",
			"see why in `journalctl -k -g 'remount|I/O error'`, then remount it: mount -o "+
				"remount,rw "+d)
	}
	type total struct {
		kib, inodes int64
		paths       []string
		stops       bool
	}
	needs, mounts := j.needs(), []string{}
	totals, left := map[string]*total{}, map[string]Space{}
	if len(j.Spaces) != len(needs) {
		return
	}
	for i, n := range needs {
		if n.bare && !j.bare() {
			continue
		}
		s := j.Spaces[i]
		if totals[s.Mount] == nil {
			totals[s.Mount], left[s.Mount] = &total{}, s
			mounts = append(mounts, s.Mount)
		}
		t := totals[s.Mount]
		t.kib, t.inodes, t.paths = t.kib+n.kib, t.inodes+n.inodes, append(t.paths, n.path)
		t.stops = t.stops || j.bare() || !n.services
	}
	for _, mount := range mounts {
		t, s := totals[mount], left[mount]
		say := j.warn
		if t.stops {
			say = j.stop
		}
		if s.KiB < t.kib {
			say(fmt.Sprintf("only %d MiB are free on %s, where %d are needed (%s)",
				s.KiB>>10, mount,
				(t.kib+1023)>>10, strings.Join(t.paths, ", ")),
				"free space there (du -xh -d 1 "+mount+
					" | sort -h shows where it went), or enlarge it")
		}
		if s.Inodes > 0 && s.InodesFree < t.inodes {
			say(fmt.Sprintf("only %d inodes are free on %s, where %d are needed (%s)",
				s.InodesFree, mount,
				t.inodes, strings.Join(t.paths, ", ")),
				"remove files there (du -x --inodes -d 1 "+mount+" | sort -n shows where they are)")
		}
	}
}
