package status

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/failover"
	"github.com/pgha/toolkit/internal/output"
	"github.com/pgha/toolkit/pgha/health"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/record"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/trail"
)

// ServiceStatus is what systemd says of one of the cluster's units on a host.
type ServiceStatus struct {
	Host string `json:"host"`
	Unit string `json:"unit"`
	// Active is systemd's word: active, inactive, failed, ...
	Active string `json:"active"`
	// AtBoot: the unit is enabled.
	AtBoot bool `json:"at_boot"`
}

// DiskStatus is the file system below a folder that PostgreSQL or etcd grows in.
type DiskStatus struct {
	Host string `json:"host"`
	Path string `json:"path"`
	// Size and Free are bytes, for an ordinary user.
	Size int64 `json:"size_bytes"`
	Free int64 `json:"free_bytes"`
	// Inodes and InodesFree are files that there can be, 0 where that has no limit.
	Inodes     int64 `json:"inodes"`
	InodesFree int64 `json:"inodes_free"`
	// ReadOnly: not even root can write there.
	ReadOnly bool `json:"read_only,omitempty"`
}

// hostSaid is what a host said of itself.
type hostSaid struct {
	services []ServiceStatus
	disks    []DiskStatus
	reset    string
	fences   []FenceStatus
	// last is what its trail of operations ends with.
	last record.Operation
	// certificates are the files of a database host, in PEM, by their paths; nil for others.
	certificates map[string][]byte
	err          error
}

// notReadOnly names the folders in which nothing can be written. It runs in the shell that asks.
const notReadOnly = `for d; do [ ! -d "$d" ] || [ -w "$d" ] || echo "$d"; done`

// lookAtHosts asks every host in one round trip. Programs are few: one for the units, one for the
// last operation, one for the disks, one for all certificates and the fence.
func lookAtHosts(ctx context.Context, c *site.Site) map[string]hostSaid {
	said := map[string]hostSaid{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, t := range c.Targets() {
		h, err := c.Spec.Host(t.Name)
		if err != nil {
			continue
		}
		wg.Go(func() {
			answer := lookAtHost(ctx, c, t, h)
			mu.Lock()
			defer mu.Unlock()
			said[h.Name] = answer
		})
	}
	wg.Wait()
	return said
}

// hostWithin bounds the look at one host: one that hangs is a problem, and holds nobody up.
const hostWithin = 10 * time.Second

func lookAtHost(ctx context.Context, c *site.Site, t *remote.Target, h spec.Host) hostSaid {
	ctx, cancel := context.WithTimeoutCause(ctx, hostWithin,
		fmt.Errorf("no answer within %s", hostWithin))
	defer cancel()
	units, folders := judgedUnits(c, h), foldersOf(c.Spec, h)
	questions := [][]string{
		append([]string{"systemctl", "show", "--property=Id,ActiveState,UnitFileState", "--"},
			units...),
		{"tail", "-n", "1", "--", trail.File}}
	const more = 2 // answers before those of hosts with data
	if len(folders) > 0 {
		certificates := []string{"grep", "-H", "", "--"}
		for _, at := range certs.OfHost(c.Spec, h) {
			certificates = append(certificates, at.File)
		}
		certificates = append(certificates, failover.FencePath)
		questions = append(questions, site.LookAtReset,
			append([]string{"stat", "-f", "-c", "%i %S %b %c %a %d %n", "--"}, folders...),
			append([]string{"sh", "-c", notReadOnly, "look"}, folders...), certificates)
	}
	res, err := t.Batch(ctx, questions...)
	if err != nil {
		if ctx.Err() != nil {
			err = remote.OnHost(h.Name, context.Cause(ctx))
		}
		return hostSaid{err: err}
	}
	said := hostSaid{services: readServices(h.Name, units, string(res[0].Stdout)),
		last: lastRecord(string(res[1].Stdout))}
	if len(folders) > 0 {
		res = res[more:]
		said.reset = site.UnfinishedReset(string(res[0].Stdout))
		said.disks = readDisks(h.Name, string(res[1].Stdout), string(res[2].Stdout))
		said.certificates = readFiles(string(res[3].Stdout))
		said.fences = fenceOf(h.Name, said.certificates)
	}
	return said
}

// foldersOf are where data of a host grows; none on a balancer. Of those on one file system
// readDisks keeps the first.
func foldersOf(sp *spec.Spec, h spec.Host) []string {
	var folders []string
	if h.Has(spec.RoleDatabase) {
		folders = append(folders, sp.PostgreSQL.DataDir,
			path.Join(sp.PostgreSQL.DataDir, "pg_wal"))
	}
	if sp.Runs(h, spec.RoleEtcd) {
		folders = append(folders, sp.Etcd.DataDir)
	}
	return folders
}

// readServices reads what systemctl show says of units.
func readServices(host string, units []string, text string) []ServiceStatus {
	var list []ServiceStatus
	seen := output.Units(text)
	for _, unit := range units {
		kv := seen[unit]
		list = append(list, ServiceStatus{Host: host, Unit: unit, Active: kv["ActiveState"],
			AtBoot: kv["UnitFileState"] == "enabled"})
	}
	return list
}

// readDisks reads what stat -f says of folders: the file system's identifier, the size of a block,
// blocks, inodes, blocks for an ordinary user, free inodes. Folders that do not exist are left out,
// and of those on one file system the first is kept. What is free is no part of that: it changes
// between two answers. A file system without an identifier has 0.
func readDisks(host, text, readOnly string) []DiskStatus {
	var list []DiskStatus
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSpace(line), " ", 7)
		if len(fields) != 7 {
			continue
		}
		var n [5]int64
		for i := range n {
			n[i], _ = strconv.ParseInt(fields[i+1], 10, 64) //nolint:errcheck // 0 is not judged
		}
		d := DiskStatus{Host: host, Path: fields[6], Size: n[1] * n[0], Free: n[3] * n[0],
			Inodes: n[2], InodesFree: n[4],
			ReadOnly: slices.Contains(strings.Split(strings.TrimSpace(readOnly), "\n"), fields[6])}
		one := strings.Join(fields[:4], " ")
		if fields[0] == "0" {
			one = strings.Join(fields[:6], " ")
		}
		one += fmt.Sprint(d.ReadOnly)
		if !seen[one] {
			list = append(list, d)
		}
		seen[one] = true
	}
	return list
}

// readFiles reads files as grep -H prints them.
func readFiles(text string) map[string][]byte {
	files := map[string][]byte{}
	for line := range strings.Lines(text) {
		if file, content, ok := strings.Cut(line, ":"); ok {
			files[file] = append(files[file], content...)
		}
	}
	return files
}

// heard takes over what the hosts said, in the order of the specification.
func (s *Status) heard(c *site.Site, said map[string]hostSaid) {
	for _, h := range c.Spec.Hosts {
		answer, asked := said[h.Name]
		if !asked {
			continue
		}
		if answer.err != nil {
			s.Unreachable[h.Name] = answer.err.Error()
		}
		s.Services = append(s.Services, answer.services...)
		s.Disks = append(s.Disks, answer.disks...)
		s.Fences = append(s.Fences, answer.fences...)
		if answer.reset != "" {
			s.UnfinishedReset = answer.reset
		}
	}
}

func hostProblems(s Status) []string {
	var found []string
	for _, host := range slices.Sorted(maps.Keys(s.Unreachable)) {
		found = append(found, s.Unreachable[host])
	}
	return found
}

func serviceProblems(s Status) []string {
	var found []string
	for _, u := range s.Services {
		switch {
		case u.Active == "":
			found = append(found, fmt.Sprintf("%s on %s is not known to systemd", u.Unit, u.Host))
		// Patroni says that it is reloading until the next round of its loop.
		case u.Active != "active" && u.Active != "reloading":
			found = append(found, fmt.Sprintf("%s on %s is %s", u.Unit, u.Host, u.Active))
		case !u.AtBoot:
			found = append(found, fmt.Sprintf("%s on %s does not start at boot", u.Unit, u.Host))
		}
	}
	return found
}

func diskProblems(s Status) []string {
	var found []string
	for _, d := range s.Disks {
		switch {
		case d.ReadOnly:
			found = append(found, fmt.Sprintf("%s on %s can only be read", d.Path, d.Host))
		case health.Full(d.Size, d.Free):
			found = append(found, fmt.Sprintf("the disk of %s on %s is full", d.Path, d.Host))
		case health.Full(d.Inodes, d.InodesFree):
			found = append(found, fmt.Sprintf("the disk of %s on %s has no inode left", d.Path,
				d.Host))
		}
	}
	return found
}

func resetProblems(s Status) []string {
	if s.UnfinishedReset == "" {
		return nil
	}
	return []string{s.UnfinishedReset}
}
