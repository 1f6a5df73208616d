package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/bytesize"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/spec"
)

func hostsUnreachable(f Facts) []Finding {
	var list []Finding
	voters := len(f.Spec.EtcdHosts())
	away := 0
	for _, h := range f.Hosts {
		if h.Runs(f.Spec, spec.RoleEtcd) && h.Error != "" && h.Refused == "" {
			away++
		}
	}
	majorityAway := 2*(voters-away) < voters
	for _, h := range f.Hosts {
		if h.Error == "" {
			continue
		}
		explained := []symptom{{"etcd-quorum-lost", "", ""}, {"no-primary", "", ""},
			{"etcd-member-missing", "", h.Name}, {"slot-inactive", "", slotOf(h.Name)},
			{"synchronous-standby-missing", "", ""},
			{"virtual-ip-missing", "", ""}, {"backend-down", h.Name, ""}}
		consequence := "one balancer less; if it held the virtual IP another takes it"
		lost := f.parts(h)
		if lost != "" {
			consequence = lost + " less: " + nextLoss(f)
		}
		advice := errs.Text("look at its power and its network; once it is back its services " +
			"start by themselves")
		if lost != "" && majorityAway {
			consequence = lost + " less; etcd has no majority: " +
				"nobody can be elected, and without failsafe_mode there are no writes"
			advice = errs.Text("look at its power and its network; if most database hosts are "+
				"lost for good, with their disks: %s goes on from one that is left",
				errs.Verb("recover", "--from", "MEMBER"))
		}
		if h.Refused != "" {
			consequence = "what runs there is not known, and may be well; apply and plan refuse to " +
				"work without it"
			advice = errs.Text("%s", h.Refused)
		}
		if strings.Contains(h.Error, spec.ErrLookup.Error()) {
			consequence = "what runs there is not known; apply and plan refuse to work until the " +
				"name has an address"
			advice = errs.Text("mend the name, or write the host's IP address; once an apply has " +
				"seen the name's address doctor can do without the look-up")
		}
		list = append(list, Finding{ID: "host-unreachable", Host: h.Name, Severity: Error,
			Title:       h.Name + " cannot be asked",
			Consequence: consequence, Evidence: []string{oneLine(h.Error)}, Advice: advice,
			explains: explained})
	}
	return list
}

// parts are what the cluster loses with a host, "" for a balancer.
func (f Facts) parts(h *Host) string {
	var list []string
	if h.Runs(f.Spec, spec.RoleDatabase) {
		list = append(list, "one copy of the data")
	}
	if h.Runs(f.Spec, spec.RoleEtcd) {
		list = append(list, "one vote of etcd")
	}
	return strings.Join(list, " and ")
}

// nextLoss is what the loss of a database host leads to: a risk while somebody takes writes.
func nextLoss(f Facts) string {
	if slices.ContainsFunc(f.sqlHosts(), func(h *Host) bool { return !h.SQL.Recovery }) {
		return "the next loss may stop all writes"
	}
	return "nobody takes writes now"
}

// relevant tells whether a mount holds something that the cluster's programs write to.
func relevant(sp *spec.Spec, mount string) bool {
	for _, path := range []string{sp.PostgreSQL.DataDir, sp.Etcd.DataDir, "/etc", "/var/log",
		"/var/lib",
		"/run", "/tmp"} {
		if mount == "/" || path == mount || strings.HasPrefix(path, mount+"/") {
			return true
		}
	}
	return strings.HasPrefix(mount, sp.PostgreSQL.DataDir+"/") ||
		strings.HasPrefix(mount, sp.Etcd.DataDir+"/") ||
		strings.HasPrefix(mount, "/var/")
}

// Limits of disks, in percent of use.
const (
	fullAt       = 98
	nearlyFullAt = 90
)

func disks(f Facts) []Finding {
	var list []Finding
	for _, h := range f.answering() {
		for _, d := range h.Disks {
			if relevant(f.Spec, d.Mount) {
				list = append(list, judgeDisk(f.Spec, h, d)...)
			}
		}
	}
	return list
}

func judgeDisk(sp *spec.Spec, h *Host, d Disk) []Finding {
	found := Finding{Host: h.Name, Subject: d.Mount, Severity: Error,
		explains: diskSymptoms(sp, h, d.Mount)}
	used := func(total, free int64) int64 {
		if total == 0 {
			return 0
		}
		return (total - free) * 100 / total
	}
	switch blocks, inodes := used(d.SizeBytes, d.FreeBytes), used(d.Inodes, d.InodesFree); {
	case d.ReadOnly:
		found.ID, found.Title = "file-system-read-only", d.Mount+" is mounted read-only"
		found.Consequence = "what writes there fails: PostgreSQL stops, etcd leaves the quorum"
		found.Evidence = []string{fmt.Sprintf("/proc/mounts: %s on %s type %s is ro", d.Source,
			d.Mount, d.Type)}
		found.Advice = errs.Text(
			"the kernel does this by itself after an error of the disk: read `dmesg` first, and " +
				"check the file system if it tells of one")
		found.Remedy = on(h.Name, "mount -o remount,bind,rw "+d.Mount+" || mount -o remount,rw "+
			d.Mount)
	case blocks >= fullAt:
		found.ID, found.Title = "disk-full", fmt.Sprintf("%s is full", d.Mount)
		found.Consequence = "PostgreSQL crashes or refuses writes when it cannot write its log; " +
			"Patroni cannot fail over from that"
		found.Evidence = []string{fmt.Sprintf("%s of %s are left on %s", bytesize.Text(d.FreeBytes),
			bytesize.Text(d.SizeBytes), d.Source)}
		found.Advice = errs.Text("free space; never delete files of pg_wal by hand. "+
			"What is largest: du -xah %s | sort -h | tail -20", d.Mount)
	case inodes >= fullAt:
		found.ID, found.Title = "inodes-exhausted", fmt.Sprintf("%s has no inode left", d.Mount)
		found.Consequence = "no file can be created although there is space: PostgreSQL cannot " +
			"make a new WAL segment"
		found.Evidence = []string{fmt.Sprintf("%d of %d inodes are left on %s", d.InodesFree,
			d.Inodes, d.Source)}
		found.Advice = errs.Text("find the folder with very many files: "+
			"du --inodes -x %s | sort -n | tail -20", d.Mount)
	case blocks >= nearlyFullAt || inodes >= nearlyFullAt:
		found.ID, found.Severity, found.Title = "disk-nearly-full", Warning,
			fmt.Sprintf("%s is %d %% full", d.Mount, max(blocks, inodes))
		found.Consequence = "when it is full PostgreSQL stops"
		found.Evidence = []string{fmt.Sprintf("%s of %s and %d of %d inodes are left",
			bytesize.Text(d.FreeBytes), bytesize.Text(d.SizeBytes), d.InodesFree, d.Inodes)}
		found.Advice = errs.Text("free space or enlarge it; slots and a failing archiver keep " +
			"WAL, see their findings")
	default:
		return nil
	}
	return []Finding{found}
}

// diskSymptoms is what can follow when nothing can be written below a mount.
func diskSymptoms(sp *spec.Spec, h *Host, mount string) []symptom {
	var list []symptom
	below := func(path string) bool {
		return mount == "/" || path == mount || strings.HasPrefix(path+"/", mount+"/") ||
			strings.HasPrefix(mount, path+"/")
	}
	if h.Runs(sp, spec.RoleBalancer) {
		list = append(balancerSymptoms(h.Name), keepalivedSymptoms(h.Name)...)
	}
	if h.Runs(sp, spec.RoleEtcd) && below(sp.Etcd.DataDir) {
		list = append(list, etcdSymptoms(h.Name)...)
	}
	if h.Runs(sp, spec.RoleDatabase) && below(sp.PostgreSQL.DataDir) {
		list = append(list, databaseSymptoms(h.Name)...)
		list = append(list, symptom{"archive-failing", h.Name, ""},
			symptom{"data-directory-permissions", h.Name, ""})
	}
	return list
}

// maxClockOffset is the difference from which certificates and logs suffer, as preflight has it.
const maxClockOffset = 2.0

func clocks(f Facts) []Finding {
	var list []Finding
	for _, h := range f.answering() {
		offset := h.Clock.OffsetSeconds
		switch {
		case offset > maxClockOffset || offset < -maxClockOffset:
			list = append(list, Finding{ID: "clock-wrong", Host: h.Name, Severity: Error,
				Title: fmt.Sprintf("the clock of %s is off by %.1f s", h.Name, offset),
				Consequence: "certificates seem expired or not yet valid, and logs of several " +
					"hosts cannot be read together",
				Evidence: []string{fmt.Sprintf("%+.3f s against the machine that asked", offset)},
				Remedy:   on(h.Name, "timedatectl set-ntp true"),
				Advice:   errs.Text("if no time service is installed: apt-get install chrony")})
		case !h.Clock.Synchronised && !h.Clock.Container:
			list = append(list, Finding{ID: "clock-unsynchronised", Host: h.Name, Severity: Warning,
				Title:       "nothing keeps the clock of " + h.Name + " right",
				Consequence: "it will drift until certificates and logs suffer",
				Evidence:    []string{"timedatectl: NTPSynchronized=no"},
				Remedy:      on(h.Name, "timedatectl set-ntp true"),
				Advice:      errs.Text("if no time service is installed: apt-get install chrony")})
		}
	}
	return list
}

func missingSoftware(f Facts) []Finding {
	var list []Finding
	for _, ch := range f.Drift {
		found := Finding{Host: ch.Host, Subject: ch.Name, Severity: Error,
			Evidence: []string{fmt.Sprintf("apply would have it %s", ch.Action)}, Remedy: apply()}
		h := f.host(ch.Host)
		if h == nil {
			continue
		}
		for _, u := range f.units(h) {
			found.explains = append(found.explains, unitSymptoms(h.Name, u)...)
			found.explains = append(found.explains, symptom{"unit-stopped", h.Name, u},
				symptom{"file-differs", h.Name, ""})
		}
		switch ch.Kind {
		case "package":
			found.ID, found.Title, found.Consequence = "package-missing",
				"package "+ch.Name+" is missing",
				"what it brings cannot run, or not start again"
		case "user", "group":
			found.ID, found.Title, found.Consequence = "account-missing",
				"the system's "+ch.Kind+" "+ch.Name+" is missing or different",
				"the program that runs as it cannot start"
		default:
			continue
		}
		list = append(list, found)
	}
	return list
}

// versions reports packages that differ between the hosts of a role, and releases of etcd.
func versions(f Facts) []Finding {
	var list []Finding
	for i, hosts := range [][]*Host{f.databases(), f.balancers()} {
		seen := map[string]map[string][]string{}
		for _, h := range hosts {
			for name, version := range h.Packages {
				if seen[name] == nil {
					seen[name] = map[string][]string{}
				}
				seen[name][version] = append(seen[name][version], h.Name)
			}
		}
		if i == 0 {
			seen["etcd"] = map[string][]string{}
			for _, h := range f.voters() {
				if h.Etcd != nil && h.Etcd.Version != "" {
					seen["etcd"][h.Etcd.Version] = append(seen["etcd"][h.Etcd.Version], h.Name)
				}
			}
		}
		for name, byVersion := range seen {
			if len(byVersion) < 2 {
				continue
			}
			var evidence []string
			for version, hosts := range byVersion {
				evidence = append(evidence, version+" on "+strings.Join(hosts, ", "))
			}
			slices.Sort(evidence)
			list = append(list, Finding{ID: "versions-differ", Subject: name, Severity: Warning,
				Title: name + " is not of one version",
				Consequence: "fine while an upgrade goes on; afterwards members behave " +
					"differently, and nobody has tested the mixture",
				Evidence: evidence,
				Advice: errs.Text("upgrade the older ones, replicas first: "+
					"apt-get install --only-upgrade %s", name)})
		}
	}
	slices.SortFunc(list, func(a, b Finding) int { return strings.Compare(a.Subject, b.Subject) })
	return list
}

// oneLine makes evidence of a complaint.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 300 {
		s = s[:300] + "..."
	}
	return s
}
