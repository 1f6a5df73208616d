package hostlook

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/pgha/toolkit/internal/output"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// Look is what a host says of the cluster's services on it, of its boot and of PostgreSQL's data.
type Look struct {
	// active and enabled are systemd's words for each unit; enabled is "" for a unit that does not
	// exist.
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
	return slices.Contains([]string{"active", "reloading", "activating", "deactivating"},
		l.Active[unit])
}

// bootCommand prints when PID 1 started by the kernel's clock, and the kernel's boot id. The first
// could be the same for two boots of a machine, the second is the same for all boots of a
// container. It fails while systemd does not answer, at the end of a boot or the beginning of the
// next.
var bootCommand = []string{"sh", "-c",
	"systemctl show --property=UserspaceTimestampMonotonic && cat /proc/sys/kernel/random/boot_id"}

// serverCommand succeeds if the process that postmaster.pid names lives and is PostgreSQL.
func serverCommand(dataDir string) []string {
	return []string{"sh", "-c",
		`read -r pid <"$1/postmaster.pid" && [ "$(cat "/proc/$pid/comm")" = postgres ]`,
		"sh", dataDir}
}

// Hosts asks hosts, all at once and each in one round trip. A host that cannot be asked has err
// set.
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
		append([]string{"systemctl", "show", "--property=Id,ActiveState,UnitFileState", "--"},
			units...),
		bootCommand,
		{"test", "-e", "/run/reboot-required"},
	}
	if h.Has(spec.RoleDatabase) {
		questions = append(questions, serverCommand(c.Spec.PostgreSQL.DataDir), c.ControlCommand())
	}
	res, err := t.Batch(ctx, questions...)
	if err != nil {
		return Look{Err: remote.OnHost(h.Name, err)}
	}
	l := Look{Active: map[string]string{}, Enabled: map[string]string{},
		RebootRequired: res[2].ExitCode == 0}
	if res[1].ExitCode == 0 {
		l.Boot = strings.TrimSpace(string(res[1].Stdout))
	}
	for id, kv := range output.Units(string(res[0].Stdout)) {
		l.Active[id], l.Enabled[id] = kv["ActiveState"], kv["UnitFileState"]
	}
	if h.Has(spec.RoleDatabase) {
		l.Server = res[3].ExitCode == 0
		l.Control = output.ControlData(string(res[4].Stdout))
	}
	return l
}

// ControlData is what PostgreSQL's control file says of a data directory; all zero when there is
// none.
type ControlData = output.Control

// MostAdvanced returns the host whose data is ahead of all others', the first of equals; "" when no
// host has data.
func MostAdvanced(hosts []spec.Host, looks map[string]Look) string {
	best := ""
	for _, h := range hosts {
		d := looks[h.Name].Control
		if d.Identifier == "" || best != "" && !d.Ahead(looks[best].Control) {
			continue
		}
		best = h.Name
	}
	return best
}
