package checkup

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/failover"
	"github.com/pgha/toolkit/internal/output"
	"github.com/pgha/toolkit/pgha/doctor"
	"github.com/pgha/toolkit/pgha/remote"
)

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// clockOffset is how far the host's clock is outside of the time between question and answer: 0
// when it may be right.
func clockOffset(out []byte, asked, answered time.Time) float64 {
	clock, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		return 0
	}
	said := time.Unix(0, int64(clock*1e9))
	switch {
	case said.Before(asked):
		return said.Sub(asked).Seconds()
	case said.After(answered):
		return said.Sub(answered).Seconds()
	}
	return 0
}

func readUnits(h *doctor.Host, r remote.Result) {
	h.Units = map[string]doctor.Unit{}
	for id, kv := range output.Units(string(r.Stdout)) {
		h.Units[id] = doctor.Unit{Load: kv["LoadState"], Active: kv["ActiveState"],
			Sub:     kv["SubState"],
			Enabled: kv["UnitFileState"], Result: kv["Result"],
			PID: int(number(kv["MainPID"])), Exit: int(number(kv["ExecMainStatus"]))}
	}
}

func readJournals(h *doctor.Host, r remote.Result) {
	h.Journals = map[string][]string{}
	unit := ""
	for line := range strings.Lines(string(r.Stdout)) {
		line = strings.TrimRight(line, "\n")
		if name, ok := strings.CutPrefix(line, "== "); ok {
			unit = name
		} else if unit != "" && line != "" {
			h.Journals[unit] = append(h.Journals[unit], line)
		}
	}
}

// pseudo are file systems that hold nothing of the cluster's.
var pseudo = []string{"devtmpfs", "squashfs", "efivarfs", "ramfs", "proc", "sysfs", "cgroup2",
	"devpts", "fuse.lxcfs"}

func readDisks(h *doctor.Host, r remote.Result) {
	for line := range strings.Lines(string(r.Stdout)) {
		f := strings.Fields(line)
		if len(f) < 7 || f[0] == "Filesystem" || slices.Contains(pseudo, f[1]) {
			continue
		}
		mount := strings.Join(f[6:], " ")
		if strings.HasPrefix(mount, "/run/host") || strings.HasPrefix(mount, "/sys") ||
			strings.HasPrefix(mount, "/dev") || strings.HasPrefix(mount, "/run/credentials") {
			continue
		}
		h.Disks = append(h.Disks, doctor.Disk{Mount: mount, Source: f[0], Type: f[1],
			SizeBytes: number(f[2]) << 10, FreeBytes: number(f[3]) << 10,
			Inodes: number(f[4]), InodesFree: number(f[5])})
	}
}

// readMounts adds what df leaves out: the mounts that one cannot write to. The last mount on a
// folder is the one that counts.
func readMounts(h *doctor.Host, r remote.Result) {
	type mount struct{ source, kind string }
	readOnly := map[string]*mount{}
	for line := range strings.Lines(string(r.Stdout)) {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		delete(readOnly, f[1])
		if slices.Contains(strings.Split(f[3], ","), "ro") {
			readOnly[f[1]] = &mount{f[0], f[2]}
		}
	}
	for i := range h.Disks {
		if readOnly[h.Disks[i].Mount] != nil {
			h.Disks[i].ReadOnly = true
			delete(readOnly, h.Disks[i].Mount)
		}
	}
	for where, m := range readOnly {
		if !slices.Contains(pseudo, m.kind) {
			h.Disks = append(h.Disks, doctor.Disk{Mount: where, Source: m.source, Type: m.kind,
				ReadOnly: true})
		}
	}
	slices.SortFunc(h.Disks, func(a, b doctor.Disk) int {
		return strings.Compare(a.Mount, b.Mount)
	})
}

// readFence reads the files of a fence and of a leader that stands aside, and the routes that let
// nothing out. ip leaves the length of a single address out.
func readFence(h *doctor.Host, r remote.Result) {
	h.Fence = &doctor.Fence{}
	file, rest, _ := strings.Cut(string(r.Stdout), "\n")
	aside, routes, _ := strings.Cut(rest, "\n")
	h.Fence.Aside = failover.ReadAside([]byte(aside))
	if f, there := failover.ReadFence([]byte(file)); there {
		h.Fence.Leader, h.Fence.Since, h.Fence.Until = f.Leader, f.At, f.Ends()
	}
	for line := range strings.Lines(routes) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "prohibit" {
			h.Fence.Prohibited = append(h.Fence.Prohibited, f[1])
		}
	}
}

func readListeners(h *doctor.Host, r remote.Result) {
	for _, l := range output.Listeners(string(r.Stdout)) {
		h.Listeners = append(h.Listeners, doctor.Listener(l))
	}
}

func readAddresses(h *doctor.Host, r remote.Result) {
	h.Addresses = map[string]string{}
	for line := range strings.Lines(string(r.Stdout)) {
		if f := strings.Fields(line); len(f) >= 4 && (f[2] == "inet" || f[2] == "inet6") {
			address, _, _ := strings.Cut(f[3], "/")
			h.Addresses[address] = f[1]
		}
	}
}

// readFirewall keeps the rules of nftables that refuse something, with what is needed to name them
// again.
func readFirewall(h *doctor.Host, r remote.Result) {
	family, table, chain := "", "", ""
	for line := range strings.Lines(string(r.Stdout)) {
		f := strings.Fields(line)
		switch {
		case len(f) >= 3 && f[0] == "table":
			family, table = f[1], f[2]
		case len(f) >= 2 && f[0] == "chain":
			chain = f[1]
		case slices.Contains(f, "drop") || slices.Contains(f, "reject"):
			text, handle, ok := strings.Cut(strings.TrimSpace(line), " # handle ")
			if ok {
				h.Firewall = append(h.Firewall, doctor.FirewallRule{Family: family, Table: table,
					Chain: chain, Handle: handle, Text: text})
			}
		}
	}
}

// watched are the programs of the cluster, as the kernel names their processes.
var watched = []string{"etcd", "patroni", "postgres", "haproxy", "keepalived", "watch-postgresq"}

func readProcesses(h *doctor.Host, r remote.Result) {
	for line := range strings.Lines(string(r.Stdout)) {
		f := strings.Fields(line)
		if len(f) >= 3 && strings.HasPrefix(f[1], "T") && slices.Contains(watched, f[2]) {
			h.Stopped = append(h.Stopped, doctor.Process{PID: int(number(f[0])), Program: f[2]})
		}
	}
}

func readFiles(h *doctor.Host, r remote.Result) {
	h.Files = map[string]doctor.File{}
	for line := range strings.Lines(string(r.Stdout)) {
		if f := strings.SplitN(strings.TrimSpace(line), " ", 4); len(f) == 4 {
			h.Files[f[3]] = doctor.File{Mode: f[0], Owner: f[1], Group: f[2]}
		}
	}
}

func readPackages(h *doctor.Host, r remote.Result) {
	h.Packages = map[string]string{}
	for line := range strings.Lines(string(r.Stdout)) {
		if f := strings.Fields(line); len(f) == 3 && f[2] == "installed" {
			h.Packages[f[0]] = f[1]
		}
	}
}

func readControl(h *doctor.Host, r remote.Result) {
	c := output.ControlData(string(r.Stdout))
	h.Data.SystemID, h.Data.ControlState = c.Identifier, c.State
}
