package power

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/hostport"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/hostlook"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/patroni/host"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// unmanageScript makes of a stopped member a plain cluster of PostgreSQL.
//
//go:embed unmanage.sh
var unmanageScript string

// UnmanageOptions say how Unmanage works.
type UnmanageOptions struct {
	engine.Operation
	// Force cuts transactions and base backups short, as StopOptions.Force does.
	Force bool
}

// UnmanageResult is what Unmanage left.
type UnmanageResult struct {
	// Unit is the service of PostgreSQL on each database host.
	Unit string `json:"unit"`
	// Primary is the host that takes writes, Address its own with PostgreSQL's port.
	Primary string `json:"primary"`
	Address string `json:"address"`
	// Standbys are the hosts that stream from it.
	Standbys []string        `json:"standbys"`
	Elapsed  patroni.Elapsed `json:"seconds"`
}

// plainName is the name of the cluster in Debian's tools. One with a hyphen in it would be no
// instance of postgresql@.service.
const plainName = "main"

// Unmanage takes Patroni, etcd, HAProxy and keepalived out of service and leaves plain PostgreSQL:
// a primary and standbys that stream from it, each a cluster of Debian's postgresql-common that
// starts at boot (postgresql@VERSION-main). Data, roles, certificates and replication slots stay.
// Nobody is promoted by itself any more, the virtual IP is gone, and synchronous_standby_names is
// empty, because a standby that is lost would hold every commit and nobody would take it out.
//
// The whole cluster stops as Stop stops it, so that every standby has all transactions; the member
// that led is the primary, and without a leader the one whose data is most advanced. Files of
// configuration move to /etc/postgresql/VERSION/main, with copies named *.patroni in the data
// directory; those of the other components stay on the hosts, their services are disabled.
//
// It refuses (ErrRefused) before anything is stopped: a host that cannot be reached, a paused
// cluster, settings that wait for a restart, a host whose /etc/postgresql/VERSION/main is of other
// data or that has no pg_createcluster. When it is interrupted run it again: it continues where it
// was.
func Unmanage(ctx context.Context, c *site.Site, opts UnmanageOptions) (UnmanageResult, error) {
	result := UnmanageResult{Standbys: []string{},
		Unit: fmt.Sprintf("postgresql@%d-%s.service", c.Spec.PostgreSQL.Version, plainName)}
	start := time.Now()
	err := engine.Operate(ctx, c, "unmanage", opts.Operation, job.LockHosts,
		func(ctx context.Context, run *job.Job) error {
			primary, err := unmanageStop(ctx, run, opts.Force)
			if err != nil {
				return err
			}
			h, err := run.MemberHost(primary)
			if err != nil {
				return err
			}
			standbys := site.Without(run.Spec.Databases(), []spec.Host{h})
			result.Primary, result.Standbys = h.Name, site.HostNames(standbys)
			result.Address = hostport.Join(h.Address, run.Spec.PostgreSQL.Port)
			if err := leavePlain(ctx, run, h, result.Unit); err != nil {
				return errs.WithNext(err, errs.Text("run %s again when the cause is mended",
					errs.Verb("unmanage")))
			}
			return nil
		})
	result.Elapsed = patroni.Elapsed(time.Since(start))
	return result, err
}

// unmanageStop refuses what cannot be left in order, and stops the cluster. It returns the member
// that is the primary from then on.
func unmanageStop(ctx context.Context, r *job.Job, force bool) (string, error) {
	if err := refuseToStop(ctx, r); err != nil {
		return "", err
	}
	s, err := status.Look(ctx, r.Site)
	if err != nil {
		return "", err
	}
	plain, err := refuseUnmanage(ctx, r, s)
	if err != nil {
		return "", err
	}
	looks, err := hostlook.Hosts(ctx, r, r.Spec.Hosts)
	if err != nil {
		return "", err
	}
	if plain { // an earlier run stopped everything, and has begun to start
		h, err := r.Spec.Host(hostlook.MostAdvanced(r.Spec.Databases(), looks))
		return h.Member, err
	}
	primary, err := stopAll(ctx, r, s, looks, r.Spec.Hosts, force)
	if err == nil && primary == "" {
		err = fmt.Errorf("%w: no host has data", errs.ErrRefused)
	}
	return primary, err
}

// refuseUnmanage asks the database hosts whether they can keep a plain cluster, and tells whether
// any has one already.
func refuseUnmanage(ctx context.Context, r *job.Job, s status.Status) (plain bool, err error) {
	var reasons []string
	for _, m := range s.Members {
		if m.PendingRestart {
			return false, errs.WithNext(fmt.Errorf("%w: settings of %s wait for a restart, and a "+
				"standby might not start with them: %s", errs.ErrRefused, m.Name,
				strings.Join(m.PendingReason, ", ")),
				errs.Text("%s comes first", errs.Verb("restart", "--pending")))
		}
	}
	for _, h := range r.Spec.Databases() {
		t, err := r.Target(h.Name)
		if err != nil {
			return false, err
		}
		res, err := t.Run(ctx, unmanageCommand(r.Spec, h, "look", h))
		if err != nil {
			return false, remote.OnHost(h.Name, err)
		}
		switch said := strings.TrimSpace(string(res.Stdout)); {
		case said == "is plain":
			plain = true
		case said != "":
			reasons = append(reasons, h.Name+": "+said)
		}
	}
	if len(reasons) > 0 {
		return plain, errs.WithNext(fmt.Errorf("%w: %w", errs.ErrRefused, errs.Reasons(reasons)),
			errs.Text("postgresql-common has to be installed, and its cluster %d/%s to be none or "+
				"this one", r.Spec.PostgreSQL.Version, plainName))
	}
	return plain, nil
}

func unmanageCommand(sp *spec.Spec, h spec.Host, word string, primary spec.Host) remote.Cmd {
	role := "standby"
	if h.Name == primary.Name {
		role = "primary"
	}
	return remote.Cmd{Script: unmanageScript, Mutating: word != "look",
		Argv: []string{word, strconv.Itoa(sp.PostgreSQL.Version), sp.PostgreSQL.DataDir,
			strconv.Itoa(sp.PostgreSQL.Port), role, primary.Address}}
}

// leavePlain disables what the cluster had running, and starts PostgreSQL without it, the primary
// first.
func leavePlain(ctx context.Context, r *job.Job, primary spec.Host, unit string) error {
	if err := disableAll(ctx, r); err != nil {
		return err
	}
	standbys := site.Without(r.Spec.Databases(), []spec.Host{primary})
	for _, hosts := range [][]spec.Host{{primary}, standbys} {
		start := func(ctx context.Context, t *remote.Target, h spec.Host) error {
			return startPlain(ctx, r, t, h, primary, unit)
		}
		if err := eachHost(ctx, r, hosts, start); err != nil {
			return err
		}
	}
	if r.Planning() || len(standbys) == 0 {
		return nil
	}
	return awaitStandbys(ctx, r, primary, len(standbys))
}

// disableAll disables the cluster's services on all hosts, and stops what only helps.
func disableAll(ctx context.Context, r *job.Job) error {
	disable := func(ctx context.Context, t *remote.Target, h spec.Host) error {
		units := r.LayoutOf(h).Units(layout.Service, layout.Helper)
		slices.Reverse(units)
		for _, unit := range units {
			_, err := t.Ensure(ctx, remote.Unit{Name: unit, Enabled: remote.No, Running: remote.No})
			if err != nil {
				return err
			}
		}
		return nil
	}
	return eachHost(ctx, r, r.Spec.Hosts, disable)
}

// startPlain makes a plain cluster of a host's data and starts it; the primary takes writes then.
func startPlain(ctx context.Context, r *job.Job, t *remote.Target, h, primary spec.Host,
	unit string) error {
	start := time.Now()
	cmd := unmanageCommand(r.Spec, h, "leave", primary)
	if r.Planning() {
		cmd = unmanageCommand(r.Spec, h, "look", primary)
	}
	res, err := t.Run(ctx, cmd)
	if err != nil {
		return fmt.Errorf("make a plain cluster of %s: %w", r.Spec.PostgreSQL.DataDir, err)
	}
	if !strings.Contains(string(res.Stdout), "is plain") {
		t.OnChange(remote.Change{Host: t.Name, Kind: "cluster", Name: fmt.Sprintf("%d/%s",
			r.Spec.PostgreSQL.Version, plainName), Action: "made of " + r.Spec.PostgreSQL.DataDir,
			Planned: r.Planning(), Duration: time.Since(start)})
	}
	var resources []remote.Resource
	for _, path := range host.StandAside() {
		resources = append(resources, remote.Absent{Path: path})
	}
	// postgresql.service starts at boot what /etc/postgresql says.
	_, err = t.Ensure(ctx, append(resources,
		remote.Unit{Name: "postgresql.service", Enabled: remote.Yes},
		remote.Unit{Name: unit, Running: remote.Yes})...)
	if err != nil || r.Planning() {
		return err
	}
	// systemctl start ends well, too, where a condition of the unit keeps it from starting.
	if _, err := t.Output(ctx, "systemctl", "is-active", "--quiet", unit); err != nil {
		return remote.WithHint(fmt.Errorf("%s does not run: %w", unit, err),
			fmt.Sprintf("systemctl status %s and /var/log/postgresql on %s say why", unit, t.Name))
	}
	if h.Name != primary.Name {
		return nil
	}
	const promote = `SELECT CASE WHEN pg_is_in_recovery() THEN pg_promote() ELSE true END`
	res, err = t.Run(ctx, remote.Cmd{User: "postgres", Mutating: true, Argv: r.Psql("-c", promote)})
	if err == nil && strings.TrimSpace(string(res.Stdout)) != "t" {
		err = fmt.Errorf("%s is not promoted: see /var/log/postgresql", h.Name)
	}
	return err
}

// awaitStandbys waits until as many stream from the primary.
func awaitStandbys(ctx context.Context, r *job.Job, primary spec.Host, n int) error {
	t, err := r.Target(primary.Name)
	if err != nil {
		return err
	}
	return r.Until(ctx, job.MoveWait, "the standbys to stream",
		errs.Text("see /var/log/postgresql on the standbys"),
		func(ctx context.Context) string {
			res, err := t.Run(ctx, remote.Cmd{User: "postgres", Argv: r.Psql("-c",
				"SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")})
			if err != nil {
				return err.Error()
			}
			streams, _ := strconv.Atoi(strings.TrimSpace(string(res.Stdout)))
			if streams < n {
				return fmt.Sprintf("%d of %d stream", streams, n)
			}
			return ""
		})
}
