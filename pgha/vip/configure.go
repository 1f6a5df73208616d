package vip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/internal/rollout"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// dropIn makes systemd bring a crashed keepalived back at once and for ever.
const (
	dropInDir  = "/etc/systemd/system/" + Unit + ".d"
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

// Configure makes keepalived run on every balancer with the configuration that Config renders, and
// waits until exactly one of them holds the address. The packages must be installed.
//
// On the hosts it writes /etc/keepalived (the configuration, once `keepalived -t` accepts it, and
// the check scripts), a drop-in of keepalived.service, and adds the system user keepalived_script.
// Balancers where keepalived does not run yet are started in parallel; running ones are reloaded
// one after the other, the holder of the address last, each only while exactly one balancer holds
// it. A reload keeps the address where it is unless the change itself moves it.
//
// A balancer whose Target is left out stays as it is, and is not asked.
//
// Safe to repeat: where nothing differs nothing is changed, at the cost of two round trips a host.
// Errors match ErrInvalid, ErrNotHeld or name the host, with keepalived's own words where it
// refuses a reload; running balancers behind a failed one are left as they were.
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
	for i, b := range o.Balancers {
		if b.Target.LeftOut {
			continue
		}
		if wishes[i], err = o.resources(i); err != nil {
			return err
		}
	}
	changed, err := o.rollOut(ctx, before, wishes)
	if err != nil || o.planning() || !changed && len(holders(before)) == 1 {
		return err
	}
	return o.awaitHolder(ctx)
}

func (o Options) planning() bool {
	return slices.ContainsFunc(o.Balancers, func(b Balancer) bool { return b.Target.Planning() })
}

// rollOut changes the balancers, the holder of the address last, and reports whether any needed it.
//
// Those with another router id do not hear the others, and one of them takes the address beside its
// holder: they are changed without a wait for one holder, so that it does not last.
func (o Options) rollOut(ctx context.Context, before []Holding,
	wishes [][]remote.Resource) (changed bool, err error) {
	needs := make([]remote.Changes, len(o.Balancers))
	atOnce, inTurn, err := rollout.Sort(len(needs), func(i int) (_ rollout.Need, err error) {
		needs[i], err = o.Balancers[i].Target.Preview(ctx, wishes[i]...)
		switch {
		case !needs[i].Any():
			return rollout.Nothing, err
		case needs[i].Starts(Unit):
			return rollout.AtOnce, err
		}
		return rollout.InTurn, err
	})
	if err != nil {
		return false, err
	}
	deaf := slices.ContainsFunc(needs, changesRouterID)
	if len(atOnce) == len(o.Balancers) {
		if err := o.startFirst(ctx, wishes); err != nil {
			return true, err
		}
	}
	roll := rollout.Rollout{
		Order: func(_ context.Context, balancers []int) ([]int, error) {
			return rollout.Last(balancers, func(i int) bool { return before[i].Holds }), nil
		},
		Change: func(ctx context.Context, i int) (func(context.Context) error, error) {
			t := o.Balancers[i].Target
			changes, err := t.Ensure(ctx, wishes[i]...)
			if err != nil || o.planning() || slices.Contains(atOnce, i) {
				return nil, err
			}
			return func(ctx context.Context) error {
				if err := awaitReload(ctx, t, changes); err != nil || deaf {
					return err
				}
				return o.awaitHolder(ctx)
			}, nil
		},
	}
	// Those that run first: they speak to the peers that they know alone, and a balancer that the
	// holder does not speak to takes the address beside it.
	roll.InTurn = inTurn
	if err := rollout.Run(ctx, roll); err != nil {
		return true, err
	}
	roll.AtOnce, roll.InTurn = atOnce, nil
	return len(atOnce)+len(inTurn) > 0, rollout.Run(ctx, roll)
}

// firstWithin bounds the wait for the first balancer of all.
const firstWithin = 5 * time.Second

// startFirst starts the balancer with the highest priority where none runs yet, and lets it take the
// address before the others are there: without Preempt whoever is first keeps it. One that does not
// take it holds nobody up.
func (o Options) startFirst(ctx context.Context, wishes [][]remote.Resource) error {
	first := 0
	for i, b := range o.Balancers {
		if b.Priority > o.Balancers[first].Priority {
			first = i
		}
	}
	t := o.Balancers[first].Target
	if _, err := t.Ensure(ctx, wishes[first]...); err != nil || o.planning() {
		return err
	}
	o.Wait = min(o.Wait, firstWithin)
	if err := o.awaitHolder(ctx); !errors.Is(err, ErrNotHeld) {
		return err
	}
	return nil
}

// changesRouterID tells whether a balancer's file gets another router id in place of one that it
// has.
func changesRouterID(needs remote.Changes) bool {
	return slices.ContainsFunc(needs, func(c remote.Change) bool {
		return c.Name == ConfigPath && strings.Contains(c.Diff, "\n-    virtual_router_id ")
	})
}

// resources is everything balancer i needs of this package, in order. The check script belongs to
// root, not to the user it runs as: that user must not be able to decide what is run.
func (o Options) resources(i int) ([]remote.Resource, error) {
	cfg, err := Config(o, i)
	if err != nil {
		return nil, err
	}
	l := Layout(o)
	config := l.Place(ConfigPath, cfg)
	config.Validate = func(path string) remote.Cmd {
		return remote.Cmd{Script: validateScript, Argv: []string{path}}
	}
	list := []remote.Resource{
		remote.User{Name: scriptUser},
		l.Folder(configDir), l.Place(scriptPath, checkScript),
	}
	if len(o.PoolerPorts) > 0 {
		list = append(list, l.Place(poolerPath, checkPoolerScript))
	}
	return append(list,
		l.Folder(dropInDir), l.Place(dropInPath, []byte(dropIn)),
		config,
		remote.Unit{Name: Unit, Enabled: remote.Yes, Running: remote.Yes,
			ReloadOn: []string{ConfigPath}}), nil
}

// awaitHolder polls until exactly one balancer holds the address.
func (o Options) awaitHolder(ctx context.Context) error {
	what := fmt.Sprintf("one balancer to hold %s", o.Address)
	err := poll.Until(ctx, poll.Options{
		What: what, Bound: o.Wait, Every: pollInterval,
		Next: errs.Text("see `journalctl -u keepalived -n 50` on the balancers; "+
			"their check needs a HAProxy that answers on 127.0.0.1:%d", o.CheckPort),
		Progress: func(missing string) { o.Progress("waiting for " + what + ": " + missing) },
	}, func(ctx context.Context) (string, error) {
		seen, err := o.look(ctx)
		if err != nil || len(holders(seen)) == 1 && failures(seen) == nil {
			return "", err
		}
		return summary(seen), nil
	})
	if errors.Is(err, errs.ErrTimeout) {
		return fmt.Errorf("%w: %w", ErrNotHeld, err)
	}
	return err
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
	var failed []error
	for _, h := range hs {
		failed = append(failed, h.Err)
	}
	return errs.Join(failed...)
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
