package hostlook

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// Look is what a host says of the cluster's services on it, of its boot and of PostgreSQL's data.
type Look struct {
	// active and enabled are systemd's words for each unit; enabled is "" for a unit that does not exist.
	Active, Enabled map[string]string
	// boot differs between any two boots of the host; "" while the host goes down or comes up.
	Boot string
	// rebootRequired: the distribution asks for a reboot.
	RebootRequired bool
	// server: a postmaster runs on the data directory, whoever started it.
	Server  bool
	Control ControlData
	// err is why the host could not be asked; everything else is zero then.
	Err error
}

// Runs tells whether systemd has the unit up, or is busy with it.
func (l Look) Runs(unit string) bool {
	return slices.Contains([]string{"active", "reloading", "activating", "deactivating"}, l.Active[unit])
}

// bootCommand prints when PID 1 started by the kernel's clock, and the kernel's boot id. The first could be the same for two
// boots of a machine, the second is the same for all boots of a container. It fails while systemd does not answer, at the
// end of a boot or the beginning of the next.
var bootCommand = []string{"sh", "-c", "systemctl show --property=UserspaceTimestampMonotonic && cat /proc/sys/kernel/random/boot_id"}

// serverCommand succeeds if the process that postmaster.pid names lives and is PostgreSQL.
func serverCommand(dataDir string) []string {
	return []string{"sh", "-c", `read -r pid <"$1/postmaster.pid" && [ "$(cat "/proc/$pid/comm")" = postgres ]`, "sh", dataDir}
}

// Hosts asks hosts, all at once and each in one round trip. A host that cannot be asked has err set.
func Hosts(ctx context.Context, r *job.Job, hosts []spec.Host) (map[string]Look, error) {
	looks := map[string]Look{}
	var mu sync.Mutex
	targets, err := site.Finder(r.Target).All(hosts)
	if err != nil {
		return nil, err
	}
	err = remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		h, err := r.Spec.Host(t.Name)
		if err != nil {
			return err
		}
		look := LookAt(ctx, r.Site, t, h)
		mu.Lock()
		defer mu.Unlock()
		looks[h.Name] = look
		return ctx.Err()
	})
	return looks, err
}

// LookAt asks one host in one round trip.
func LookAt(ctx context.Context, c *site.Site, t *remote.Target, h spec.Host) Look {
	units := c.UnitsOf(h)
	questions := [][]string{
		append([]string{"systemctl", "show", "--property=Id,ActiveState,UnitFileState", "--"}, units...),
		bootCommand,
		{"test", "-e", "/run/reboot-required"},
	}
	if h.Role == spec.RoleDatabase {
		questions = append(questions, serverCommand(c.Spec.PostgreSQL.DataDir), c.ControlCommand())
	}
	res, err := t.Batch(ctx, questions...)
	if err != nil {
		return Look{Err: remote.OnHost(h.Name, err)}
	}
	l := Look{Active: map[string]string{}, Enabled: map[string]string{}, RebootRequired: res[2].ExitCode == 0}
	if res[1].ExitCode == 0 {
		l.Boot = strings.TrimSpace(string(res[1].Stdout))
	}
	for block := range strings.SplitSeq(string(res[0].Stdout), "\n\n") {
		kv := site.KeyValues(block)
		l.Active[kv["Id"]], l.Enabled[kv["Id"]] = kv["ActiveState"], kv["UnitFileState"]
	}
	if h.Role == spec.RoleDatabase {
		l.Server = res[3].ExitCode == 0
		l.Control = parseControlData(string(res[4].Stdout))
	}
	return l
}

// ControlData is what PostgreSQL's control file says of a data directory; all zero when there is none.
type ControlData struct {
	Identifier string
	State      string
	Timeline   int64
	Checkpoint uint64 // position of the latest one in the WAL
}

// Primary tells whether the server took writes when it stopped, in whatever way.
func (d ControlData) Primary() bool {
	return slices.Contains([]string{"shut down", "shutting down", "in production", "in crash recovery"}, d.State)
}

func parseControlData(text string) ControlData {
	var d ControlData
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name {
		case "Database system identifier":
			d.Identifier = value
		case "Database cluster state":
			d.State = value
		case "Latest checkpoint's TimeLineID":
			d.Timeline, _ = strconv.ParseInt(value, 10, 64)
		case "Latest checkpoint location":
			high, low, _ := strings.Cut(value, "/")
			h, _ := strconv.ParseUint(high, 16, 32)
			l, _ := strconv.ParseUint(low, 16, 32)
			d.Checkpoint = h<<32 | l
		}
	}
	return d
}

// ahead tells whether a data directory has what other lacks, as far as control files tell: a later timeline, or on the same
// one the writes of the primary.
func (d ControlData) ahead(other ControlData) bool {
	if d.Timeline != other.Timeline {
		return d.Timeline > other.Timeline
	}
	if d.Primary() != other.Primary() {
		return d.Primary()
	}
	return d.Checkpoint > other.Checkpoint
}

// MostAdvanced returns the host whose data is ahead of all others', the first of equals; "" when no host has data.
func MostAdvanced(hosts []spec.Host, looks map[string]Look) string {
	best := ""
	for _, h := range hosts {
		d := looks[h.Name].Control
		if d.Identifier == "" || best != "" && !d.ahead(looks[best].Control) {
			continue
		}
		best = h.Name
	}
	return best
}
