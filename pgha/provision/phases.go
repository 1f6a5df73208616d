package provision

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/change"
	"github.com/pgha/toolkit/pgha/connstring"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/inspect"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/serving"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/vip"
)

// ReadyName is the phase that waits until an application could write.
const ReadyName = "ready"

// StandardPhases returns the phases of Apply. The slice is the caller's own: append to it, insert,
// or replace.
//
// Databases and balancers go their own ways at the same time and meet in the last phase. etcd forms
// while PostgreSQL's packages are still being installed: it needs none of them.
func StandardPhases() []engine.Phase {
	return []engine.Phase{
		{Name: engine.PreflightName, Run: engine.Standard(PreflightPhase)},
		{Name: "install balancers", After: []string{engine.PreflightName},
			Run: engine.Standard(installBalancers)},
		{Name: "install databases", After: []string{engine.PreflightName},
			Run: engine.Standard(installDatabases)},
		{Name: "etcd", After: []string{engine.PreflightName}, Run: engine.Standard(EtcdPhase)},
		{Name: "haproxy", After: []string{"install balancers"}, Run: engine.Standard(HAProxyPhase)},
		{Name: "pooler", After: []string{"haproxy"}, Run: engine.Standard(PoolerPhase)},
		{Name: "keepalived", After: []string{"pooler"}, Run: engine.Standard(KeepalivedPhase)},
		{Name: "pgbackrest", After: []string{"install balancers", "install databases"},
			Run: engine.Standard(BackupPhase)},
		// PostgreSQL archives from its first moment, so the repository is there before it.
		{Name: "patroni", After: []string{"install databases", "etcd", "pgbackrest"},
			Run: engine.Standard(PatroniPhase)},
		{Name: "archive", After: []string{"patroni"}, Run: engine.Standard(ArchivePhase)},
		{Name: "databases", After: []string{"patroni"}, Run: engine.Standard(DatabasesPhase)},
		{Name: ReadyName, Run: engine.Standard(ReadyPhase)},
	}
}

// PreflightPhase refuses to touch any host while one of them cannot work.
func PreflightPhase(ctx context.Context, run *job.Job) error {
	report, err := inspect.Preflight(ctx, run.Site, inspect.PreflightOptions{})
	if err != nil {
		return err
	}
	return judge(ctx, run, report)
}

// JudgePhase is PreflightPhase for one who has looked a moment ago: it judges what was seen then.
func JudgePhase(report inspect.PreflightReport) func(context.Context, *job.Job) error {
	return func(ctx context.Context, run *job.Job) error {
		run.Mu.Lock()
		run.Facts = report.Facts
		run.Mu.Unlock()
		return judge(ctx, run, report)
	}
}

// judge tells warnings and refuses what has to be refused.
func judge(ctx context.Context, run *job.Job, report inspect.PreflightReport) error {
	if err := inspect.JudgeState(run.Site, report.Facts); err != nil {
		return err
	}
	if err := RefuseIncomplete(ctx, run, report.Facts); err != nil {
		return err
	}
	hosts := map[string][]string{}
	for _, w := range report.Warnings() {
		hosts[w.Problem] = append(hosts[w.Problem], w.Host)
	}
	for _, problem := range slices.Sorted(maps.Keys(hosts)) {
		run.Warn(strings.Join(hosts[problem], ", "), problem)
	}
	if err := report.Err(); err != nil {
		return err
	}
	if err := refuseEvents(ctx, run); err != nil {
		return err
	}
	if err := unfinishedRoles(run); err != nil {
		return err
	}
	warnShortened(run)
	return settlePasswords(ctx, run)
}

// warnShortened names authorities that end before their certificates should.
func warnShortened(run *job.Job) {
	for _, name := range layout.AuthorityNames() {
		authority, _ := layout.AuthorityNamed(name)
		if end, short := run.Credentials().Shortened(run.Site.Spec, authority); short {
			run.WarnNext("", errs.Text("certificates of %s end with its authority on %s, before their "+
				"time: %s replaces that", name, end.Format(time.DateOnly), rotateCA([]string{name})))
		}
	}
}

func installBalancers(ctx context.Context, run *job.Job) error {
	targets, err := run.Balancers()
	if err != nil {
		return err
	}
	plain := *run.Spec
	plain.Pooler = nil // its packages are its own phase's: they may come from another repository
	packages := site.Layout(&plain, spec.Host{Role: spec.RoleBalancer}).Packages()
	return remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		base, err := ownOf(ctx, run, t, spec.RoleDatabase)
		if err != nil {
			return err
		}
		_, err = t.Ensure(ctx, append(base, packages)...)
		return err
	})
}

func installDatabases(ctx context.Context, run *job.Job) error {
	opts, err := engine.PatroniOptions(run)
	if err != nil {
		return err
	}
	host := layout.Host{patroni.ServerLayout(opts), patroni.Layout(opts)}
	targets, err := run.Databases()
	if err != nil {
		return err
	}
	return remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		if err := setTimeZone(ctx, run, t); err != nil {
			return err
		}
		repository, err := repository(ctx, run, t)
		if err != nil {
			return err
		}
		resources := append(site.BaseResources(run.Spec), host.BeforePackages()...)
		resources = append(resources, repository...)
		_, err = t.Ensure(ctx, append(resources, host.Packages())...)
		return aboutRepository(err)
	})
}

// aboutRepository adds what to do when apt does not trust the repository.
func aboutRepository(err error) error {
	var exit *remote.ExitError
	if errors.As(err, &exit) && (strings.Contains(exit.Stderr, "NO_PUBKEY") ||
		strings.Contains(exit.Stderr, "is not signed") ||
		strings.Contains(exit.Stderr, "Missing key")) {
		return remote.WithHint(err,
			"apt does not trust the repository: postgresql.repository.key_file of the spec must "+
				"be the key it is signed with")
	}
	return err
}

// HAProxyPhase configures HAProxy.
func HAProxyPhase(ctx context.Context, run *job.Job) error {
	opts, err := engine.BalancerOptions(run)
	if err != nil || len(opts.Balancers) == 0 {
		return err
	}
	return lb.Configure(ctx, opts)
}

// KeepalivedPhase configures keepalived, and then takes away a pooler that it asks for no more.
func KeepalivedPhase(ctx context.Context, run *job.Job) error {
	opts, ok, err := engine.AddressOptions(run)
	if err == nil && ok {
		err = vip.Configure(ctx, opts)
	}
	if err != nil {
		return err
	}
	return removePoolers(ctx, run)
}

// EtcdPhase installs etcd and forms its cluster.
func EtcdPhase(ctx context.Context, run *job.Job) error {
	opts, err := engine.EtcdOptions(run)
	if err != nil {
		return err
	}
	targets, err := run.EtcdHosts()
	if err != nil {
		return err
	}
	err = remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		resources, err := ownOf(ctx, run, t, spec.RoleDatabase, spec.RoleBalancer)
		if err != nil {
			return err
		}
		h, err := run.Spec.Host(t.Name)
		if err != nil {
			return err
		}
		packages := site.EtcdLayouts(h, etcd.Layout(opts)).Packages()
		if len(packages.Names) > 0 {
			resources = append(resources, packages)
		}
		if len(resources) == 0 {
			return nil
		}
		_, err = t.Ensure(ctx, resources...)
		return err
	})
	if err != nil {
		return err
	}
	return etcd.Bootstrap(ctx, opts)
}

// ownOf sets a host's time zone and returns what else every host has, whatever runs on it. Where it
// has one of the roles as well that is the business of their phase, and there is nothing to do.
func ownOf(ctx context.Context, run *job.Job, t *remote.Target,
	others ...spec.Role) ([]remote.Resource, error) {
	h, err := run.Spec.Host(t.Name)
	if err != nil || slices.ContainsFunc(others, h.Has) {
		return nil, err
	}
	return site.BaseResources(run.Spec), setTimeZone(ctx, run, t)
}

// PatroniPhase starts the database cluster. In one that runs, Patroni's roles get back what they
// lack.
func PatroniPhase(ctx context.Context, run *job.Job) error {
	opts, err := engine.PatroniOptions(run)
	if err != nil {
		return err
	}
	if err := engine.TryFirstStart(ctx, run); err != nil {
		return err
	}
	if err := restoreRights(ctx, run, opts); err != nil {
		return err
	}
	if err := patroni.Bootstrap(ctx, opts); err != nil {
		return err
	}
	return dropSlots(ctx, run, opts)
}

// dropSlots drops what the last apply wrote of replication slots and the specification names no
// more, where preflight has seen them.
func dropSlots(ctx context.Context, run *job.Job, o patroni.Options) error {
	run.Mu.Lock()
	hosts := map[string]change.Host{}
	for name, f := range run.Facts {
		hosts[name] = f.Running
	}
	run.Mu.Unlock()
	removed, there := change.RemovedSlots(run.Spec, hosts), map[string][]string{}
	for _, h := range run.Spec.Databases() {
		use := hosts[h.Name].InUse
		if use == nil {
			continue
		}
		for _, s := range use.Slots {
			if slices.Contains(removed, s.Name) {
				there[h.Member] = append(there[h.Member], s.Name)
			}
		}
	}
	if len(there) == 0 {
		return nil
	}
	return patroni.DropSlots(ctx, o, there)
}

// restoreRights gives Patroni's roles what preflight has seen them lack. Without a leader nobody
// can, and a cluster that gets one back is not held up for it.
func restoreRights(ctx context.Context, run *job.Job, o patroni.Options) error {
	run.Mu.Lock()
	facts := run.Facts
	run.Mu.Unlock()
	for _, f := range facts {
		d := f.Running.Databases
		if d == nil || len(d.Lacking) == 0 {
			continue
		}
		run.Progress(strings.Join(d.Lacking, "; "))
		err := patroni.SetRights(ctx, o)
		if errors.Is(err, patroni.ErrNoLeader) || errors.Is(err, remote.ErrLeftOut) {
			run.Warn("", strings.Join(d.Lacking, "; ")+": no leader at hand to grant it; run apply "+
				"again")
			return nil
		}
		return err
	}
	return nil
}

// awaitNoted waits until somebody may take over from the leader, where commits wait for replicas.
func awaitNoted(ctx context.Context, run *job.Job) error {
	if run.Spec.Patroni.SynchronousMode == spec.SynchronousOff {
		return nil
	}
	o, err := run.PatroniOptions()
	if err != nil {
		return err
	}
	return patroni.AwaitNoted(ctx, o)
}

// readyWait bounds the wait for the first write through the virtual IP.
const readyWait = 60 * time.Second

// ReadyPhase waits until an application could write, in a synchronous mode also until somebody may
// take over from the leader, and asks meanwhile whether PostgreSQL takes
// all that its files say.
func ReadyPhase(ctx context.Context, run *job.Job) error {
	if run.Planning() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	var refused error
	var asking sync.WaitGroup
	asking.Go(func() { refused = serving.RefusedAtLast(ctx, run) })
	defer asking.Wait()
	what := "SQL through " + connstring.HostPort(connstring.WriteEndpoint(run.Spec))
	run.Progress("waiting for " + what)
	err := poll.Until(ctx, poll.Options{
		What: what, Every: 200 * time.Millisecond,
		Next: errs.Text("run %s to see which layer is at fault", errs.Verb("verify")),
	}, func(ctx context.Context) (string, error) {
		if err := run.Ping(ctx); err != nil {
			return "", err
		}
		return "", site.PingPools(ctx, run.Site)
	})
	if err != nil {
		return err
	}
	if err := awaitNoted(ctx, run); err != nil {
		return err
	}
	asking.Wait()
	return refused
}
