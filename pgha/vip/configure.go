package vip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
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
// waits until exactly one of them holds the address, and that of before. The packages must be
// installed.
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
	if err != nil || o.planning() || !changed && o.served(before) {
		return err
	}
	return o.await(ctx, fmt.Sprintf("one balancer to hold %s", o.addresses()), o.served)
}

func (o Options) planning() bool {
	return slices.ContainsFunc(o.Balancers, func(b Balancer) bool { return b.Target.Planning() })
}

// rollOut changes the balancers, the holder of the address last, and reports whether any needed it.
//
// Those with another router id do not hear the others, and one of them takes the address beside its
// holder: they are changed without a wait for one holder, so that it does not last. Where the
// adverts get another address, the holder is changed first, while the others are ended; see alone.
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
	last := func(i int) bool { return before[i].serves() }
	if !o.planning() && !deaf {
		holder, err := o.holderOf(ctx, formerAdverts(needs))
		if err != nil {
			return true, err
		}
		if holder >= 0 {
			back, err := o.alone(ctx, holder)
			if err != nil {
				return true, err
			}
			defer func() { err = errors.Join(err, back()) }()
			last = func(i int) bool { return i != holder }
		}
	}
	roll := rollout.Rollout{
		Order: func(_ context.Context, balancers []int) ([]int, error) {
			return rollout.Last(balancers, last), nil
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
	// Those that run come before those that do not: they speak to the peers that they know alone,
	// and a balancer that the holder does not speak to takes the address beside it.
	roll.InTurn = inTurn
	if err := rollout.Run(ctx, roll); err != nil {
		return true, err
	}
	roll.AtOnce, roll.InTurn = atOnce, nil
	return len(atOnce)+len(inTurn) > 0, rollout.Run(ctx, roll)
}

// firstWithin bounds the wait for the first balancer of all.
const firstWithin = 5 * time.Second

// startFirst starts the balancer with the highest priority where none runs yet, and lets it take
// the address before the others are there: without Preempt whoever is first keeps it. One that does
// not take it holds nobody up.
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

// holderOf is the balancer that holds an address which the adverts are to have no more, -1 where
// there is none.
func (o Options) holderOf(ctx context.Context, former netip.Addr) (int, error) {
	if !former.IsValid() {
		return -1, nil
	}
	o.Address, o.Former = former, netip.Addr{}
	seen, err := o.look(ctx)
	return slices.IndexFunc(seen, Holding.has), err
}

// alone ends keepalived on all balancers but one, until back is called: its adverts get another
// address, and to who expects the one of before, or that one already, they are no sign of a holder
// (keepalived 2.2; 2.3 only logs it), so that two would hold it. If this program dies, a timer of
// each host starts it again.
func (o Options) alone(ctx context.Context, holder int) (back func() error, err error) {
	var idle []*remote.Target
	for i, b := range o.Balancers {
		if i != holder && !b.Target.LeftOut {
			idle = append(idle, b.Target)
		}
	}
	back = func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), backWithin)
		defer cancel()
		return release(ctx, idle, "start", "started again")
	}
	if err := release(ctx, idle, "end", "stopped"); err != nil {
		return nil, errors.Join(err, back())
	}
	return back, nil
}

// formerAdverts is the address that adverts have now and will have no more; invalid where there is
// none.
func formerAdverts(needs []remote.Changes) netip.Addr {
	for _, c := range slices.Concat(needs...) {
		if c.Name != ConfigPath {
			continue
		}
		if before, after := advertsIn(c.Diff); before != after {
			if a, err := netip.ParseAddr(before); err == nil {
				return a
			}
		}
	}
	return netip.Addr{}
}

// advertsIn reads the addresses in the adverts before and after a change of the configuration; both
// are empty where the difference does not show them.
func advertsIn(diff string) (before, after string) {
	var inBefore, inAfter bool
	for line := range strings.Lines(diff) {
		sign, text := line[0], strings.TrimSpace(line[1:])
		if strings.HasPrefix(text, "!") {
			continue
		}
		address, _, _ := strings.Cut(text, "/")
		if inBefore && sign != '+' {
			before, inBefore = address, false
		}
		if inAfter && sign != '-' {
			after, inAfter = address, false
		}
		if text == "virtual_ipaddress {" {
			inBefore, inAfter = inBefore || sign != '+', inAfter || sign != '-'
		}
	}
	return before, after
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

// awaitHolder polls until exactly one balancer holds the address that is in the adverts. That of
// before has its holder already while one balancer after the other learns of the new one.
func (o Options) awaitHolder(ctx context.Context) error {
	return o.await(ctx, fmt.Sprintf("one balancer to hold %s", o.advertised()),
		func(seen []Holding) bool {
			if o.Former.IsValid() {
				return len(holders(seen, Holding.hasFormer)) == 1
			}
			return len(holders(seen, Holding.has)) == 1
		})
}

// await polls until the balancers hold what they should.
func (o Options) await(ctx context.Context, what string, done func([]Holding) bool) error {
	err := poll.Until(ctx, poll.Options{
		What: what, Bound: o.Wait, Every: pollInterval,
		Next: errs.Text("see `journalctl -u keepalived -n 50` on the balancers; "+
			"their check needs a HAProxy that answers on 127.0.0.1:%d", o.CheckPort),
		Progress: func(missing string) { o.Progress("waiting for " + what + ": " + missing) },
	}, func(ctx context.Context) (string, error) {
		seen, err := o.look(ctx)
		if err != nil || done(seen) && failures(seen) == nil {
			return "", err
		}
		return o.summary(seen), nil
	})
	if errors.Is(err, errs.ErrTimeout) {
		return fmt.Errorf("%w: %w", ErrNotHeld, err)
	}
	return err
}

// served tells whether one balancer holds all that is to be held.
func (o Options) served(seen []Holding) bool {
	now, former := holders(seen, Holding.has), holders(seen, Holding.hasFormer)
	return len(now) == 1 && (!o.Former.IsValid() || slices.Equal(now, former))
}

// addresses are all that are to be held, in words.
func (o Options) addresses() string {
	if o.Former.IsValid() {
		return o.Address.String() + " and " + o.Former.String()
	}
	return o.Address.String()
}

func (h Holding) has() bool       { return h.Holds }
func (h Holding) hasFormer() bool { return h.Former }
func (h Holding) serves() bool    { return h.Holds || h.Former }

func holders(hs []Holding, has func(Holding) bool) (names []string) {
	for _, h := range hs {
		if has(h) {
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

// summary says who holds what.
func (o Options) summary(hs []Holding) string {
	words := "held by " + anybody(holders(hs, Holding.has))
	if o.Former.IsValid() {
		words += ", and " + o.Former.String() + " by " + anybody(holders(hs, Holding.hasFormer))
	}
	if err := failures(hs); err != nil {
		words += "; " + err.Error()
	}
	return words
}

func anybody(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, " and ")
}
