package pgha

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/vip"
)

// StandardPhases returns the phases of Apply. The slice is the caller's own: append to it, insert, or replace.
//
// Databases and balancers go their own ways at the same time and meet in the last phase. etcd forms while PostgreSQL's
// packages are still being installed: it needs none of them.
func StandardPhases() []Phase {
	return []Phase{
		{Name: preflightName, Run: standard(preflightPhase)},
		{Name: "install balancers", After: []string{"preflight"}, Run: standard(installBalancers)},
		{Name: "install databases", After: []string{"preflight"}, Run: standard(installDatabases)},
		{Name: "etcd", After: []string{"preflight"}, Run: standard(etcdPhase)},
		{Name: "haproxy", After: []string{"install balancers"}, Run: standard(haproxyPhase)},
		{Name: "keepalived", After: []string{"haproxy"}, Run: standard(keepalivedPhase)},
		{Name: "patroni", After: []string{"install databases", "etcd"}, Run: standard(patroniPhase)},
		{Name: "ready", Run: standard(readyPhase)},
	}
}

// preflightName is the phase that changes nothing, not even the state directory.
const preflightName = "preflight"

// preflightPhase refuses to touch any host while one of them cannot work.
func preflightPhase(ctx context.Context, run *job) error {
	report, err := run.Preflight(ctx, PreflightOptions{})
	if err != nil {
		return err
	}
	if err := run.JudgeState(stateNotes(report.Facts)); err != nil {
		return err
	}
	if err := run.refuseIncomplete(ctx, report.Facts); err != nil {
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
	return run.settlePasswords(ctx)
}

func installBalancers(ctx context.Context, run *job) error {
	names := append(lb.PackageNames(), vip.PackageNames()...)
	quiet := append(lb.QuietUnits(), vip.QuietUnits()...)
	targets, err := run.balancers()
	if err != nil {
		return err
	}
	return remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		if err := run.setTimeZone(ctx, t); err != nil {
			return err
		}
		resources := append(run.baseResources(), remote.Packages{Names: names, Quiet: quiet})
		_, err := t.Ensure(ctx, resources...)
		return err
	})
}

func installDatabases(ctx context.Context, run *job) error {
	packages := remote.Packages{Names: patroni.PackageNames(run.Spec.PostgreSQL.Version), Quiet: patroni.QuietUnits()}
	targets, err := run.databases()
	if err != nil {
		return err
	}
	return remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		if err := run.setTimeZone(ctx, t); err != nil {
			return err
		}
		repository, err := run.repository(ctx, t)
		if err != nil {
			return err
		}
		resources := append(run.baseResources(), patroni.PrePackageResources()...)
		resources = append(resources, repository...)
		_, err = t.Ensure(ctx, append(resources, packages)...)
		return aboutRepository(err)
	})
}

// aboutRepository adds what to do when apt does not trust the repository.
func aboutRepository(err error) error {
	var exit *remote.ExitError
	if errors.As(err, &exit) && (strings.Contains(exit.Stderr, "NO_PUBKEY") || strings.Contains(exit.Stderr, "is not signed") || strings.Contains(exit.Stderr, "Missing key")) {
		return remote.WithHint(err, "apt does not trust the repository: postgresql.repository.key_file of the spec must be the key it is signed with")
	}
	return err
}

func haproxyPhase(ctx context.Context, run *job) error {
	opts, err := run.lbOptions()
	if err != nil || len(opts.Balancers) == 0 {
		return err
	}
	return lb.Configure(ctx, opts)
}

func keepalivedPhase(ctx context.Context, run *job) error {
	opts, ok, err := run.vipOptions()
	if err != nil || !ok {
		return err
	}
	return vip.Configure(ctx, opts)
}

func etcdPhase(ctx context.Context, run *job) error {
	opts, err := run.etcdOptions()
	if err != nil {
		return err
	}
	targets, err := run.databases()
	if err != nil {
		return err
	}
	packages := remote.Packages{Names: etcd.PackageNames(opts.Source), Quiet: etcd.QuietUnits(opts.Source)}
	if len(packages.Names) > 0 {
		err = remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
			_, err := t.Ensure(ctx, packages)
			return err
		})
	}
	if err != nil {
		return err
	}
	return etcd.Bootstrap(ctx, opts)
}

func patroniPhase(ctx context.Context, run *job) error {
	opts, err := run.patroniOptions()
	if err != nil {
		return err
	}
	if err := run.tryFirstStart(ctx); err != nil {
		return err
	}
	return patroni.Bootstrap(ctx, opts)
}

// readyWait bounds the wait for the first write through the virtual IP.
const readyWait = 60 * time.Second

// readyPhase waits until an application could write, and asks meanwhile whether PostgreSQL takes all that its files say.
func readyPhase(ctx context.Context, run *job) error {
	if run.planning() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	var refused error
	var asking sync.WaitGroup
	asking.Go(func() { refused = run.refusedAtLast(ctx) })
	defer asking.Wait()
	run.Progress("waiting for SQL through " + hostPort(writeEndpoint(run.Spec)))
	for {
		err := run.ping(ctx)
		if err == nil {
			asking.Wait()
			return refused
		}
		select {
		case <-ctx.Done():
			return remote.WithHint(fmt.Errorf("no SQL through %s within %s: %w", hostPort(writeEndpoint(run.Spec)), readyWait, err),
				"run pgha-cli verify to see which layer is at fault")
		case <-time.After(200 * time.Millisecond):
		}
	}
}
