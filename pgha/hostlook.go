package pgha

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// hostLook is what a host says of the cluster's services on it, of its boot and of PostgreSQL's data.
type hostLook struct {
	// active and enabled are systemd's words for each unit; enabled is "" for a unit that does not exist.
	active, enabled map[string]string
	// boot differs between any two boots of the host; "" while the host goes down or comes up.
	boot string
	// rebootRequired: the distribution asks for a reboot.
	rebootRequired bool
	// server: a postmaster runs on the data directory, whoever started it.
	server  bool
	control controlData
	// err is why the host could not be asked; everything else is zero then.
	err error
}

// runs tells whether systemd has the unit up, or is busy with it.
func (l hostLook) runs(unit string) bool {
	return slices.Contains([]string{"active", "reloading", "activating", "deactivating"}, l.active[unit])
}

// unitsOf are the cluster's units on a host, in the order in which they are started.
func (c *Cluster) unitsOf(h spec.Host) []string {
	switch {
	case h.Role == spec.RoleDatabase:
		return []string{etcdUnit, patroniUnit}
	case c.Spec.VIP == nil:
		return []string{haproxyUnit}
	}
	return []string{haproxyUnit, keepalivedUnit}
}

// bootCommand prints when PID 1 started by the kernel's clock, and the kernel's boot id. The first could be the same for two
// boots of a machine, the second is the same for all boots of a container. It fails while systemd does not answer, at the
// end of a boot or the beginning of the next.
var bootCommand = []string{"sh", "-c", "systemctl show --property=UserspaceTimestampMonotonic && cat /proc/sys/kernel/random/boot_id"}

// serverCommand succeeds if the process that postmaster.pid names lives and is PostgreSQL.
func serverCommand(dataDir string) []string {
	return []string{"sh", "-c", `read -r pid <"$1/postmaster.pid" && [ "$(cat "/proc/$pid/comm")" = postgres ]`, "sh", dataDir}
}

// controlCommand prints the control file of the data directory.
func (c *Cluster) controlCommand() []string {
	return []string{fmt.Sprintf("/usr/lib/postgresql/%d/bin/pg_controldata", c.Spec.PostgreSQL.Version), "-D", c.Spec.PostgreSQL.DataDir}
}

// look asks hosts, all at once and each in one round trip. A host that cannot be asked has err set.
func (r *job) look(ctx context.Context, hosts []spec.Host) (map[string]hostLook, error) {
	looks := map[string]hostLook{}
	var mu sync.Mutex
	targets, err := finder(r.Target).all(hosts)
	if err != nil {
		return nil, err
	}
	err = remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		h, err := r.Spec.Host(t.Name)
		if err != nil {
			return err
		}
		look := r.lookAt(ctx, t, h)
		mu.Lock()
		defer mu.Unlock()
		looks[h.Name] = look
		return ctx.Err()
	})
	return looks, err
}

func (c *Cluster) lookAt(ctx context.Context, t *remote.Target, h spec.Host) hostLook {
	units := c.unitsOf(h)
	questions := [][]string{
		append([]string{"systemctl", "show", "--property=Id,ActiveState,UnitFileState", "--"}, units...),
		bootCommand,
		{"test", "-e", "/run/reboot-required"},
	}
	if h.Role == spec.RoleDatabase {
		questions = append(questions, serverCommand(c.Spec.PostgreSQL.DataDir), c.controlCommand())
	}
	res, err := t.Batch(ctx, questions...)
	if err != nil {
		return hostLook{err: remote.OnHost(h.Name, err)}
	}
	l := hostLook{active: map[string]string{}, enabled: map[string]string{}, rebootRequired: res[2].ExitCode == 0}
	if res[1].ExitCode == 0 {
		l.boot = strings.TrimSpace(string(res[1].Stdout))
	}
	for block := range strings.SplitSeq(string(res[0].Stdout), "\n\n") {
		kv := keyValues(block)
		l.active[kv["Id"]], l.enabled[kv["Id"]] = kv["ActiveState"], kv["UnitFileState"]
	}
	if h.Role == spec.RoleDatabase {
		l.server = res[3].ExitCode == 0
		l.control = parseControlData(string(res[4].Stdout))
	}
	return l
}

// controlData is what PostgreSQL's control file says of a data directory; all zero when there is none.
type controlData struct {
	identifier string
	state      string
	timeline   int64
	checkpoint uint64 // position of the latest one in the WAL
}

// primary tells whether the server took writes when it stopped, in whatever way.
func (d controlData) primary() bool {
	return slices.Contains([]string{"shut down", "shutting down", "in production", "in crash recovery"}, d.state)
}

func parseControlData(text string) controlData {
	var d controlData
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name {
		case "Database system identifier":
			d.identifier = value
		case "Database cluster state":
			d.state = value
		case "Latest checkpoint's TimeLineID":
			d.timeline, _ = strconv.ParseInt(value, 10, 64)
		case "Latest checkpoint location":
			high, low, _ := strings.Cut(value, "/")
			h, _ := strconv.ParseUint(high, 16, 32)
			l, _ := strconv.ParseUint(low, 16, 32)
			d.checkpoint = h<<32 | l
		}
	}
	return d
}

// ahead tells whether a data directory has what other lacks, as far as control files tell: a later timeline, or on the same
// one the writes of the primary.
func (d controlData) ahead(other controlData) bool {
	if d.timeline != other.timeline {
		return d.timeline > other.timeline
	}
	if d.primary() != other.primary() {
		return d.primary()
	}
	return d.checkpoint > other.checkpoint
}

// mostAdvanced returns the host whose data is ahead of all others', the first of equals; "" when no host has data.
func mostAdvanced(hosts []spec.Host, looks map[string]hostLook) string {
	best := ""
	for _, h := range hosts {
		d := looks[h.Name].control
		if d.identifier == "" || best != "" && !d.ahead(looks[best].control) {
			continue
		}
		best = h.Name
	}
	return best
}
