package inspect

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/etcdrelease"
	"github.com/pgha/toolkit/pgha/advisor"
	"github.com/pgha/toolkit/pgha/advisor/measure"
	"github.com/pgha/toolkit/pgha/change"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/pooler"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// Limits of preflight.
const (
	// minFreeBytes is the least free space on a database host: PostgreSQL's packages, an empty
	// cluster and some WAL.
	minFreeBytes = 2 << 30
	// MaxClockOffset is how far a host's clock may be from this machine's. Certificates are
	// backdated by five minutes, but logs of hosts that differ by more than this cannot be read
	// together.
	MaxClockOffset = 2 * time.Second
)

// PreflightOptions say what Preflight looks at.
type PreflightOptions struct {
	// Ports tries the whole port matrix even when the cluster's services run already.
	Ports bool
	// Measure asks more than apply has to know: disks and network, for the rules of Advise. It
	// takes a second or two.
	Measure bool
	// Timeout bounds the questions to one host, which a healthy one answers within a second or two;
	// 0 means 30 s.
	Timeout time.Duration
}

// PreflightReport is what Preflight saw.
type PreflightReport struct {
	// Facts by host name.
	Facts map[string]preflight.Facts `json:"facts"`
	// Findings in the spec's order of hosts.
	Findings []preflight.Finding `json:"findings"`
	// RoutesTried is the number of connections that were tried between hosts; 0 when the services
	// run already.
	RoutesTried int `json:"routes_tried"`
}

// Warnings returns the findings that do not stop apply.
func (r PreflightReport) Warnings() []preflight.Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings),
		func(f preflight.Finding) bool { return !f.Warning })
}

// Err returns all findings that stop apply as one error, or nil.
func (r PreflightReport) Err() error {
	var stops []error
	for _, f := range stopping(r.Findings) {
		if f.Field != "" {
			stops = append(stops, fmt.Errorf("%w: %s; %s", errs.ErrRefused, f.Text(), f.Remedy))
			continue
		}
		stops = append(stops, fmt.Errorf("%s: %s; %s", f.Host, f.Text(), f.Remedy))
	}
	return errs.Join(stops...)
}

// stopping are the findings that stop apply. Where the specification is not of this cluster nothing
// else is of interest: that packages of another version are missing, say.
func stopping(findings []preflight.Finding) []preflight.Finding {
	stops := slices.DeleteFunc(slices.Clone(findings),
		func(f preflight.Finding) bool { return f.Warning })
	if refused := slices.DeleteFunc(slices.Clone(stops),
		func(f preflight.Finding) bool { return f.Field == "" }); len(refused) > 0 {
		return refused
	}
	return stops
}

// Preflight looks whether the hosts can become the cluster: operating system, systemd, root, clock,
// disk, packages that are available, everything that package preflight judges, and every connection
// that one host has to open to another; whether what runs there already can become what the
// specification says, by the table of package change; whether PostgreSQL starts with settings and
// rules that it does not have yet, by a trial on its hosts (package trial); and whether the
// specification goes together, by the rules of Advise (warnings; notes are left to it). It changes
// nothing.
func Preflight(ctx context.Context, c *site.Site, opts PreflightOptions) (PreflightReport, error) {
	report := PreflightReport{Facts: map[string]preflight.Facts{}}
	timeout := cmp.Or(opts.Timeout, 30*time.Second)
	var mu sync.Mutex
	var store *change.Store
	var asking sync.WaitGroup
	asking.Go(func() { store = askStore(ctx, c) })
	err := remote.Each(ctx, c.Targets(), func(ctx context.Context, t *remote.Target) error {
		h, err := c.Spec.Host(t.Name)
		if err != nil {
			return err
		}
		bounded, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		facts, err := look(bounded, c, t, h)
		if err != nil && bounded.Err() != nil && ctx.Err() == nil {
			err = remote.WithHint(fmt.Errorf("it takes commands but has not answered simple "+
				"questions within %v: %w",
				timeout, err),
				"log in there and see what hangs: df on a network file system that is gone, "+
					"apt-cache, a full process table")
		}
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		report.Facts[t.Name] = facts
		return nil
	})
	asking.Wait()
	if err != nil {
		return report, err
	}
	c.Mu.Lock()
	c.Facts = report.Facts
	c.Mu.Unlock()
	fresh := true
	own, _ := store.Own(c.Spec)
	for _, h := range c.Spec.Hosts {
		facts, reached := report.Facts[h.Name]
		if !reached {
			continue
		}
		facts.Premises.Member, facts.Premises.Stranger = belongs(c, h, facts)
		facts.Premises.Cluster = own.SystemIdentifier
		report.Facts[h.Name] = facts
		report.Findings = append(report.Findings, judgeHost(c, h, facts)...)
		fresh = fresh && !preflight.Runs(want(c, h), facts.Premises)
	}
	refused := judgeChange(c.Spec, report.Facts, store)
	if len(refused) == 0 { // what is not of this cluster is not tried
		if refused, err = JudgeServers(ctx, c, report.Facts, false); err != nil {
			return report, err
		}
	}
	report.Findings = append(report.Findings, refused...)
	unfit, err := judgeContents(ctx, c, report.Facts, fresh)
	if err != nil {
		return report, err
	}
	report.Findings = append(report.Findings, unfit...)
	if err := JudgeState(c, report.Facts); err != nil {
		report.Findings = append(report.Findings, preflight.Finding{Problem: err.Error(),
			Remedy: errs.NextOf(err)})
	}
	report.Findings = append(report.Findings, judgeAlarms(store)...)
	report.Findings = append(report.Findings, judgeNetwork(c, report.Facts)...)
	report.Findings = append(report.Findings, judgeSorting(c.Spec, report.Facts)...)
	report.Findings = append(report.Findings, advisedFindings(ctx, c, opts.Measure, fresh)...)
	Place(c, report.Findings)
	if opts.Ports || fresh {
		blocked, err := CheckPorts(ctx, c)
		if err != nil {
			return report, err
		}
		report.RoutesTried = len(Routes(c))
		for _, b := range blocked {
			report.Findings = append(report.Findings,
				preflight.Finding{Host: b.From, Problem: b.String(),
					Remedy: errs.Text("open it in the firewalls between the two hosts")})
		}
	}
	return report, nil
}

// Place says where the specification has the fields that findings are about.
func Place(c *site.Site, found []preflight.Finding) {
	var names []string
	for _, h := range c.Spec.Hosts {
		names = append(names, h.Name)
	}
	preflight.Place(found, names, c.Spec.At)
}

// advisedFindings are the advisor's warnings about the cluster as a whole. Measured are the hosts,
// and the leader where there can be one; what cannot be measured is for Advise to tell.
func advisedFindings(ctx context.Context, c *site.Site, measured, fresh bool) []preflight.Finding {
	var facts advisor.Facts
	if measured {
		bounded, cancel := context.WithTimeout(ctx, measure.AdviseTimeout)
		defer cancel()
		facts, _ = measure.Measure(bounded, c, !fresh)
	}
	var found []preflight.Finding
	for _, r := range advisor.Remarks(c.Spec, facts) {
		if r.Severity != advisor.Note {
			found = append(found, preflight.Finding{Problem: r.What + ": " + r.Why,
				Remedy:  errs.Text("set %s", r.Set),
				Warning: true})
		}
	}
	return found
}

// judgeHost compares one host's facts with what its role needs.
func judgeHost(c *site.Site, h spec.Host, f preflight.Facts) []preflight.Finding {
	var found []preflight.Finding
	add := func(warning bool, problem, remedy string) {
		found = append(found, preflight.Finding{Host: h.Name, Problem: problem,
			Remedy: errs.Text("%s", remedy), Warning: warning})
	}
	if !supported(f) {
		add(false, fmt.Sprintf("%s %s is not supported", f.Distribution, f.Release),
			"use Debian 12, 13 or testing, or Ubuntu 22.04 or 24.04")
	}
	if !f.Init {
		add(false, "PID 1 is not systemd", "pgha manages its services with systemd units")
	}
	if !f.Root {
		add(false, "commands do not run as root", "log in as root, or as a user with sudo")
	}
	if f.UnfinishedReset != "" {
		found = append(found, preflight.Finding{Host: h.Name, Problem: f.UnfinishedReset,
			Remedy: errs.Text("run %s again", errs.Verb("reset")), Warning: true})
	}
	if f.ClockOffset.Abs() > MaxClockOffset {
		add(false, fmt.Sprintf("the clock is off by %s", f.ClockOffset.Round(100*time.Millisecond)),
			"set up a time service (chrony), and correct the clock")
	} else if !f.ClockSynced {
		add(true, "the time service does not report a synchronised clock",
			"set up chrony or systemd-timesyncd")
	}
	if h.Has(spec.RoleDatabase) && f.FreeBytes < minFreeBytes {
		// What runs and fills its disk is perhaps what apply is to mend.
		add(f.Premises.Member, fmt.Sprintf("only %d MiB are free in /var/lib", f.FreeBytes>>20),
			fmt.Sprintf("free at least %d MiB", minFreeBytes>>20))
	}
	if most := c.Spec.Balancer.MaxConnections; f.OpenFiles > 0 && lb.OpenFiles(most) > f.OpenFiles {
		found = append(found, preflight.Finding{Host: h.Name, Field: "balancer.max_connections",
			Problem: fmt.Sprintf(
				"balancer.max_connections is %d, for which HAProxy on %s wants %d open files; it "+
					"may have %d",
				most, h.Name, lb.OpenFiles(most), f.OpenFiles),
			Remedy: errs.Text(
				"write %d or less, or raise LimitNOFILE there (systemctl edit haproxy.service) "+
					"and restart HAProxy",
				(f.OpenFiles-lb.OpenFiles(0))/2)})
	}
	if f.Premises.Stranger {
		add(false, "it belongs to a cluster with another certificate authority",
			"point state_dir of the spec to the state directory that this cluster was applied "+
				"with, or restore it from its backup")
	}
	found = append(found, preflight.Judge(want(c, h), f.Premises)...)
	if missing := missingPackages(c, h, f); len(missing) > 0 {
		add(false, "apt offers no "+strings.Join(missing, ", "),
			"run apt-get update there, or set postgresql.source and etcd.source to where they "+
				"are available")
	}
	if faults := etcdrelease.Faults(f.Candidates["etcd-server"]); len(faults) > 0 &&
		c.Spec.Runs(h, spec.RoleEtcd) && c.Spec.Etcd.Source == spec.SourceDistribution {
		add(true, fmt.Sprintf("the distribution's etcd %s has known faults: %s",
			f.Candidates["etcd-server"],
			strings.Join(faults, "; ")),
			"use etcd.source: release or archive; a running cluster goes to the newest release "+
				"of its own series first")
	}
	if problem := tooOld(f.Candidates["patroni"]); problem != "" && h.Has(spec.RoleDatabase) &&
		c.Spec.PostgreSQL.Source == spec.SourceDistribution {
		add(false, problem, "use postgresql.source: pgdg, which carries a current Patroni")
	}
	if v := f.Candidates["pgbouncer"]; v != "" && c.Spec.Pools(h) && !f.Pooler {
		if err := pooler.CheckVersion(v); err != nil &&
			c.Spec.PostgreSQL.Source == spec.SourceDistribution {
			found = append(found, preflight.Finding{Host: h.Name, Problem: err.Error(),
				Remedy: errs.NextOf(err)})
		}
	}
	return found
}

// tooOld says why a version of the patroni package cannot be used, or "".
func tooOld(version string) string {
	if version == "" {
		return ""
	}
	if err := patroni.CheckVersion(version); err != nil {
		return err.Error()
	}
	return ""
}

// missingPackages lists packages that would have to come from where the host installs from now, but
// cannot. Those that a repository of the spec will bring are not looked for before it is set up.
func missingPackages(c *site.Site, h spec.Host, f preflight.Facts) []string {
	brought := c.Spec.PostgreSQL.Source != spec.SourceDistribution
	if h.Has(spec.RoleDatabase) && brought {
		return nil
	}
	var missing []string
	for _, name := range c.LayoutOf(h).Packages().Names {
		if name == "pgbouncer" && brought {
			continue
		}
		if _, ok := f.Candidates[name]; !ok {
			missing = append(missing, name)
		}
	}
	return missing
}

// supported tells whether the host runs a system that pgha was made for.
func supported(f preflight.Facts) bool {
	switch f.Distribution {
	case "debian":
		return slices.Contains([]string{"", "12", "13", "14"}, f.Release)
	case "ubuntu":
		return slices.Contains([]string{"22.04", "24.04"}, f.Release)
	}
	return false
}
