package vip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/pgha/remote"
)

// dropIn makes systemd bring a crashed keepalived back at once and for ever.
const (
	dropInDir  = "/etc/systemd/system/keepalived.service.d"
	dropInPath = dropInDir + "/pgha.conf"
	dropIn     = `# Written by pgha.
[Unit]
StartLimitIntervalSec=0

[Service]
Restart=always
RestartSec=100ms
# Adverts are due every 200 ms, also on a busy host.
CPUWeight=1000
`
)

const (
	// lookTimeout bounds one question to one balancer.
	lookTimeout = 15 * time.Second
	// pollInterval is the pause between two looks at something that is waited for.
	pollInterval = 100 * time.Millisecond
)

// Configure makes keepalived run on every balancer with the configuration that Config renders, and waits until exactly one
// of them holds the address. The packages must be installed.
//
// On the hosts it writes /etc/keepalived (the configuration, once `keepalived -t` accepts it, and the check script), a
// drop-in of keepalived.service, and adds the system user keepalived_script. Balancers where keepalived does not run yet
// are started in parallel; running ones are reloaded one after the other, the holder of the address last, each only while
// exactly one balancer holds it. A reload keeps the address where it is unless the change itself moves it.
//
// Safe to repeat: where nothing differs nothing is changed, at the cost of two round trips a host. Errors match ErrInvalid,
// ErrNotHeld or tell of the host, with keepalived's own words where it refuses a reload; running balancers behind a failed one are left as they were.
func Configure(ctx context.Context, o Options) error {
	if err := o.configure(ctx); err != nil {
		return fmt.Errorf("configure keepalived: %w", err)
	}
	return nil
}

func (o Options) configure(ctx context.Context) error {
	if err := o.ready(); err != nil {
		return err
	}
	o = o.withDefaults()
	before, err := o.look(ctx)
	if err != nil {
		return err
	}
	if err := failures(before); err != nil {
		return err
	}
	for i := range o.Balancers {
		o.Balancers[i].Interface = cmp.Or(o.Balancers[i].Interface, before[i].Interface)
	}
	wishes := make([][]remote.Resource, len(o.Balancers))
	needs := make([]remote.Changes, len(o.Balancers))
	for i := range o.Balancers {
		if wishes[i], err = o.resources(i); err != nil {
			return err
		}
	}
	err = o.each(func(i int, t *remote.Target) error {
		var err error
		needs[i], err = t.Preview(ctx, wishes[i]...)
		return err
	})
	if err != nil {
		return err
	}
	err = o.each(func(i int, t *remote.Target) error {
		if !needs[i].Starts(unitName) {
			return nil
		}
		_, err := t.Ensure(ctx, wishes[i]...)
		return err
	})
	if err != nil {
		return err
	}
	planning := slices.ContainsFunc(o.Balancers, func(b Balancer) bool { return b.Target.Planning() })
	if err := o.takeTurns(ctx, before, needs, wishes, planning); err != nil || planning {
		return err
	}
	if len(holders(before)) == 1 && !slices.ContainsFunc(needs, remote.Changes.Any) {
		return nil
	}
	return o.awaitHolder(ctx)
}

// takeTurns changes the running balancers, first those without the address. Those with another router id do not hear the
// others, and one of them takes the address beside its holder: they are changed without a wait, so that it does not last.
func (o Options) takeTurns(ctx context.Context, before []Holding, needs []remote.Changes, wishes [][]remote.Resource, planning bool) error {
	deaf := slices.ContainsFunc(needs, changesRouterID)
	for _, holders := range []bool{false, true} {
		for i, b := range o.Balancers {
			if before[i].Holds != holders || !needs[i].Any() || needs[i].Starts(unitName) {
				continue
			}
			changes, err := b.Target.Ensure(ctx, wishes[i]...)
			if err == nil && !planning {
				err = awaitReload(ctx, b.Target, changes)
			}
			if err != nil {
				return err
			}
			if planning || deaf {
				continue
			}
			if err := o.awaitHolder(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// changesRouterID tells whether a balancer's file gets another router id in place of one that it has.
func changesRouterID(needs remote.Changes) bool {
	return slices.ContainsFunc(needs, func(c remote.Change) bool {
		return c.Name == configPath && strings.Contains(c.Diff, "\n-    virtual_router_id ")
	})
}

// resources is everything balancer i needs of this package, in order. The check script belongs to root, not to the user
// it runs as: that user shall not be able to decide what is run.
func (o Options) resources(i int) ([]remote.Resource, error) {
	cfg, err := Config(o, i)
	if err != nil {
		return nil, err
	}
	return []remote.Resource{
		remote.User{Name: scriptUser},
		remote.Dir{FileMeta: remote.FileMeta{Path: configDir}},
		remote.File{FileMeta: remote.FileMeta{Path: scriptPath, Mode: 0o755}, Content: checkScript},
		remote.Dir{FileMeta: remote.FileMeta{Path: dropInDir}},
		remote.File{FileMeta: remote.FileMeta{Path: dropInPath}, Content: []byte(dropIn)},
		remote.File{
			FileMeta: remote.FileMeta{Path: configPath}, Content: cfg,
			Validate: func(path string) remote.Cmd { return remote.Cmd{Script: validateScript, Argv: []string{path}} },
		},
		remote.Unit{Name: unitName, Enabled: remote.Yes, Running: remote.Yes, ReloadOn: []string{configPath}},
	}, nil
}

// awaitHolder polls until exactly one balancer holds the address.
func (o Options) awaitHolder(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, o.Wait)
	defer cancel()
	var last []Holding
	for {
		seen, err := o.look(wait)
		if err == nil {
			last = seen
			if len(holders(seen)) == 1 && failures(seen) == nil {
				return nil
			}
			o.Progress(fmt.Sprintf("waiting for one balancer to hold %s: %s", o.Address, summary(seen)))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wait.Done():
			err := fmt.Errorf("%w: waited %s for %s, last seen: %s", ErrNotHeld, o.Wait, o.Address, summary(last))
			return remote.WithHint(err, "see `journalctl -u keepalived -n 50` on the balancers; their check needs a HAProxy that answers on 127.0.0.1:"+fmt.Sprint(o.CheckPort))
		case <-time.After(pollInterval):
		}
	}
}

func holders(hs []Holding) (names []string) {
	for _, h := range hs {
		if h.Holds {
			names = append(names, h.Host)
		}
	}
	return names
}

func failures(hs []Holding) error {
	var errs []error
	for _, h := range hs {
		errs = append(errs, h.Err)
	}
	return errors.Join(errs...)
}

func summary(hs []Holding) string {
	names := holders(hs)
	words := "held by nobody"
	if len(names) > 0 {
		words = "held by " + strings.Join(names, " and ")
	}
	if err := failures(hs); err != nil {
		words += "; " + err.Error()
	}
	return words
}

// each runs f for all balancers in parallel and joins the errors in the balancers' order.
func (o Options) each(f func(int, *remote.Target) error) error {
	return parallel.Each(o.Balancers, func(i int, b Balancer) error { return f(i, b.Target) })
}
