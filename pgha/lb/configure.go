package lb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/pgha/remote"
)

// dropIn makes systemd bring a crashed HAProxy back at once and for ever, and a reload care for
// former workers. The limit of open files is left as the host has it: raising it fails where the
// host isn't allowed to, and MaxConn fits.
const (
	dropInDir  = "/etc/systemd/system/haproxy.service.d"
	dropInPath = dropInDir + "/pgha.conf"
	dropIn     = `# Written by pgha.
[Unit]
StartLimitIntervalSec=0

[Service]
Restart=always
RestartSec=100ms
ExecReload=-/usr/bin/systemctl start --no-block ` + sessionsUnit + `
`
)

// pollInterval is the pause between two looks at something that is waited for.
const pollInterval = 150 * time.Millisecond

// Configure makes HAProxy run on every balancer with the configuration that Config renders. The package must be installed.
//
// On the hosts it writes /etc/haproxy/haproxy.cfg (accepted by `haproxy -c` first), Patroni's authority below
// /etc/haproxy/certs, a drop-in of haproxy.service, and pgha-sessions.service with its program,
// which a reload starts. Balancers where HAProxy does not run yet are started in parallel; running
// ones are reloaded one after the other, each only once the one before answers and sees the primary
// again, if it saw it, and that of Options.Last behind the others. A reload cuts no session, the
// old process serves its own until they end, for an hour at most, or until their server is down;
// for Checks.Interval at most the write port takes no new ones, until the new process knows the
// primary.
//
// Safe to repeat: where nothing differs nothing is changed, at the cost of one round trip a host. Errors match ErrInvalid,
// ErrNotReady or tell of the host; running balancers behind a failed one are left as they were.
func Configure(ctx context.Context, o Options) error {
	cfg, err := Config(o)
	if err != nil {
		return err
	}
	if len(o.Balancers) == 0 {
		return fmt.Errorf("configure HAProxy: %w: there is no balancer", ErrInvalid)
	}
	o = o.withDefaults()
	resources := resources(cfg, o.PatroniCA)
	needs, states := make([]remote.Changes, len(o.Balancers)), make([]BalancerState, len(o.Balancers))
	err = parallel.Each(o.Balancers, func(i int, t *remote.Target) error {
		var wg sync.WaitGroup
		wg.Go(func() { states[i] = look(ctx, t) }) // of one that does not run there is nothing to know
		var err error
		needs[i], err = t.Preview(ctx, resources...)
		wg.Wait()
		return err
	})
	if err != nil {
		return fmt.Errorf("configure HAProxy: %w", err)
	}
	var fresh, running []*remote.Target
	for i, t := range o.Balancers {
		switch {
		case !needs[i].Any() && !states[i].Reload.Failed:
		case needs[i].Starts(unitName):
			fresh = append(fresh, t)
		default:
			running = append(running, t)
		}
	}
	err = parallel.Each(fresh, func(_ int, t *remote.Target) error {
		return o.settle(ctx, t, resources, BalancerState{})
	})
	if err != nil {
		return fmt.Errorf("configure HAProxy: %w", err)
	}
	if err := o.takeTurns(ctx, running, resources); err != nil {
		return fmt.Errorf("configure HAProxy: %w", err)
	}
	return nil
}

// takeTurns puts running balancers right one after the other, until one fails.
func (o Options) takeTurns(ctx context.Context, running []*remote.Target, resources []remote.Resource) error {
	if len(running) > 1 && o.Last != nil {
		last := o.Last(ctx)
		running = slices.Clone(running)
		slices.SortStableFunc(running, func(a, b *remote.Target) int {
			switch {
			case a.Name == last:
				return 1
			case b.Name == last:
				return -1
			}
			return 0
		})
	}
	for _, t := range running {
		if err := o.settle(ctx, t, resources, look(ctx, t)); err != nil {
			return err
		}
	}
	return nil
}

// resources is everything a balancer needs of this package, in order.
func resources(cfg, ca []byte) []remote.Resource {
	return append(sessionsResources(),
		remote.Dir{FileMeta: remote.FileMeta{Path: certsDir}},
		remote.File{FileMeta: remote.FileMeta{Path: caPath}, Content: ca},
		remote.Dir{FileMeta: remote.FileMeta{Path: dropInDir}},
		remote.File{FileMeta: remote.FileMeta{Path: dropInPath}, Content: []byte(dropIn)},
		remote.File{
			FileMeta: remote.FileMeta{Path: configPath}, Content: cfg,
			Validate: func(path string) remote.Cmd { return remote.Cmd{Argv: []string{"haproxy", "-c", "-f", path}} },
		},
		remote.Unit{Name: unitName, Enabled: remote.Yes, Running: remote.Yes, ReloadOn: []string{configPath, caPath}},
	)
}

// settle puts one balancer right and waits until it is ready, and sees a primary if it saw one
// before. A reload that failed last time is tried again.
func (o Options) settle(ctx context.Context, t *remote.Target, resources []remote.Resource,
	before BalancerState) error {
	changes, err := t.Ensure(ctx, resources...)
	if err == nil && before.Reload.Failed && !changes.Touched(unitName) {
		_, err = t.Do(ctx, unitName, "reloaded", remote.Cmd{Argv: []string{"systemctl", "reload",
			unitName}})
		changes = append(changes, remote.Change{Kind: "unit", Name: unitName, Action: "reloaded"})
	}
	if err != nil || t.Planning() || !changes.Touched(unitName) {
		return err
	}
	if !slices.ContainsFunc(changes, func(c remote.Change) bool {
		return c.Name == unitName && c.Action == "reloaded"
	}) {
		before.Reload = Reload{} // it was started, or only enabled: no reload is on its way
	}
	_, needPrimary := before.Primary()
	return o.await(ctx, []*remote.Target{t}, needPrimary, before.Reload)
}

// WaitPrimary waits until every balancer's write port leads to a primary, for o.Wait at most. Changes nothing. Errors match
// ErrNotReady and say what each balancer last saw.
func WaitPrimary(ctx context.Context, o Options) error {
	o = o.withDefaults()
	if len(o.Balancers) == 0 {
		return fmt.Errorf("wait for the primary: %w: there is no balancer", ErrInvalid)
	}
	return o.await(ctx, o.Balancers, true, Reload{})
}

// await polls the balancers until each answers, has ended the reload that followed before, and, if
// wanted, sees a primary.
func (o Options) await(ctx context.Context, balancers []*remote.Target, needPrimary bool,
	before Reload) error {
	wait, cancel := context.WithTimeout(ctx, o.Wait)
	defer cancel()
	return parallel.Each(balancers, func(_ int, t *remote.Target) error {
		var last BalancerState
		for told := false; ; told = true {
			s := look(wait, t)
			_, primary := s.Primary()
			reloaded := s.Reload.since(before)
			if err := s.Reload.err(); err != nil && s.Err == nil && reloaded {
				return remote.WithHint(remote.OnHost(t.Name, err),
					"mend that (of an address that it cannot bind `ss -ltnp` on "+t.Name+
						" says who has it), then pgha-cli apply; the balancers behind it are as they were")
			}
			if s.Err == nil && reloaded && (primary || !needPrimary) {
				return nil
			}
			if wait.Err() == nil {
				last = s
			}
			if !told {
				o.Progress("waiting for HAProxy on " + t.Name + what(needPrimary))
			}
			select {
			case <-ctx.Done():
				return remote.OnHost(t.Name, ctx.Err())
			case <-wait.Done():
				err := fmt.Errorf("%w: waited %s for HAProxy%s, last seen: %s", ErrNotReady, o.Wait, what(needPrimary), last.summary())
				return remote.WithHint(remote.OnHost(t.Name, err), "see `journalctl -u haproxy -n 50` on "+t.Name)
			case <-time.After(pollInterval):
			}
		}
	})
}

func what(needPrimary bool) string {
	if needPrimary {
		return " to find a primary"
	}
	return " to answer"
}

// summary says in one line how the write port's servers stand.
func (b BalancerState) summary() string {
	if b.Err != nil {
		return b.Err.Error()
	}
	var words []string
	for _, s := range b.Servers {
		if s.Proxy == WriteProxy {
			words = append(words, strings.TrimSpace(s.Name+" "+s.Status+" "+s.Check))
		}
	}
	return strings.Join(words, ", ")
}
