package lb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/internal/rollout"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

// dropIn makes systemd bring a crashed HAProxy back at once and for ever, and a reload care for
// former workers. The limit of open files is left as the host has it: raising it fails where the
// host isn't allowed to, and MaxConn fits.
const (
	dropInDir  = "/etc/systemd/system/" + Unit + ".d"
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

// Configure makes HAProxy run on every balancer with the configuration that Config renders. The
// package must be installed.
//
// On the hosts it writes /etc/haproxy/haproxy.cfg (accepted by `haproxy -c` first), Patroni's
// authority below /etc/haproxy/certs, a drop-in of haproxy.service, and pgha-sessions.service with
// its program, which a reload starts. Balancers where HAProxy does not run yet are started in
// parallel; running ones are reloaded one after the other, each only once the one before answers
// and sees the primary again, if it saw it, and that of Options.Last behind the others. A reload
// cuts no session, the old process serves its own until they end, for an hour at most, or until
// their server is down; for Checks.Interval at most new ones at the write port wait, until the new
// process knows the primary. Another authority takes a reload, too: what is committed over
// HAProxy's socket does not reach servers without a certificate (2.6.12 and 3.2.26,
// findings/haproxy-authority-of-a-server-without-a-certificate.sh).
//
// A balancer that is left out stays as it is, and is not asked.
//
// Safe to repeat: where nothing differs nothing is changed, at the cost of one round trip a host.
// Errors match ErrInvalid, ErrNotReady or name the host; running balancers behind a failed one
// are left as they were.
func Configure(ctx context.Context, o Options) error {
	cfg, err := Config(o)
	if err != nil {
		return err
	}
	if len(o.Balancers) == 0 {
		return fmt.Errorf("configure HAProxy: %w: there is no balancer", ErrInvalid)
	}
	o = o.withDefaults()
	resources := resources(Layout(o), cfg, o.PatroniCA)
	atOnce, inTurn, err := rollout.Sort(len(o.Balancers), func(i int) (rollout.Need, error) {
		return need(ctx, o.Balancers[i], resources)
	})
	if err == nil {
		err = o.rollOut(ctx, atOnce, inTurn, resources)
	}
	if err != nil {
		return fmt.Errorf("configure HAProxy: %w", err)
	}
	return nil
}

// need looks at a balancer's files and at its HAProxy at the same time.
func need(ctx context.Context, t *remote.Target,
	resources []remote.Resource) (rollout.Need, error) {
	if t.LeftOut {
		return rollout.Nothing, nil
	}
	var state BalancerState
	var wg sync.WaitGroup
	wg.Go(func() { state = look(ctx, t) }) // of one that does not run there is nothing to know
	needs, err := t.Preview(ctx, resources...)
	wg.Wait()
	switch {
	case !needs.Any() && !state.Reload.Failed:
		return rollout.Nothing, err
	case needs.Starts(Unit):
		return rollout.AtOnce, err
	}
	return rollout.InTurn, err
}

// rollOut changes the balancers, that of Options.Last last.
func (o Options) rollOut(ctx context.Context, atOnce, inTurn []int,
	resources []remote.Resource) error {
	return rollout.Run(ctx, rollout.Rollout{
		AtOnce: atOnce, InTurn: inTurn, Order: o.order,
		Change: func(ctx context.Context, i int) (func(context.Context) error, error) {
			t, before := o.Balancers[i], BalancerState{}
			if slices.Contains(inTurn, i) {
				before = look(ctx, t)
			}
			return o.change(ctx, t, resources, before)
		},
	})
}

// order puts the balancer of Options.Last behind the others.
func (o Options) order(ctx context.Context, balancers []int) ([]int, error) {
	if len(balancers) == 1 || o.Last == nil {
		return balancers, nil
	}
	last := o.Last(ctx)
	return rollout.Last(balancers, func(i int) bool { return o.Balancers[i].Name == last }), nil
}

// resources is everything a balancer needs of this package, in order.
func resources(l layout.Layout, cfg, ca []byte) []remote.Resource {
	config := l.Place(ConfigPath, cfg)
	config.Validate = func(path string) remote.Cmd {
		return remote.Cmd{Argv: []string{"haproxy", "-c", "-f", path}}
	}
	return append(sessionsResources(l),
		l.Folder(certsDir), l.Place(caPath, ca),
		l.Folder(dropInDir), l.Place(dropInPath, []byte(dropIn)),
		config,
		remote.Unit{Name: Unit, Enabled: remote.Yes, Running: remote.Yes,
			ReloadOn: []string{ConfigPath, caPath}},
	)
}

// change puts one balancer right. It has settled once it is ready, and sees a primary if it saw one
// before. A reload that failed last time is tried again.
func (o Options) change(ctx context.Context, t *remote.Target, resources []remote.Resource,
	before BalancerState) (settled func(context.Context) error, err error) {
	changes, err := t.Ensure(ctx, resources...)
	if err == nil && before.Reload.Failed && !changes.Touched(Unit) {
		_, err = t.Do(ctx, Unit, "reloaded", remote.Cmd{Argv: []string{"systemctl", "reload",
			Unit}})
		changes = append(changes, remote.Change{Kind: "unit", Name: Unit, Action: "reloaded"})
	}
	if err != nil || t.Planning() || !changes.Touched(Unit) {
		return nil, err
	}
	if !slices.ContainsFunc(changes, func(c remote.Change) bool {
		return c.Name == Unit && c.Action == "reloaded"
	}) {
		before.Reload = Reload{} // it was started, or only enabled: no reload is on its way
	}
	_, needPrimary := before.Primary()
	return func(ctx context.Context) error {
		return o.await(ctx, []*remote.Target{t}, needPrimary, before.Reload)
	}, nil
}

// WaitPrimary waits until every balancer's write port leads to a primary, for o.Wait at most.
// Changes nothing. Errors match ErrNotReady and say what each balancer last saw.
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
	return parallel.Each(balancers, func(_ int, t *remote.Target) error {
		err := poll.Until(ctx, poll.Options{
			What: "HAProxy" + purpose(needPrimary), Bound: o.Wait,
			Next:     errs.Text("see `journalctl -u haproxy -n 50` on %s", t.Name),
			Progress: o.onceWaiting(t, needPrimary),
		}, func(ctx context.Context) (string, error) {
			return missing(ctx, t, needPrimary, before)
		})
		if errors.Is(err, errs.ErrTimeout) {
			err = fmt.Errorf("%w: %w", ErrNotReady, err)
		}
		return remote.OnHost(t.Name, err)
	})
}

// missing looks at one balancer and says what await still waits for.
func missing(ctx context.Context, t *remote.Target, needPrimary bool,
	before Reload) (string, error) {
	s := look(ctx, t)
	if s.Err != nil {
		return s.summary(), nil
	}
	reloaded := s.Reload.since(before)
	if err := s.Reload.err(); err != nil && reloaded {
		return "", poll.Stop(errs.WithNext(remote.OnHost(t.Name, err),
			errs.Text("mend that (of an address that it cannot bind `ss -ltnp` on %s says who "+
				"has it), then %s; the balancers behind it are as they were", t.Name,
				errs.Verb("apply"))))
	}
	if _, primary := s.Primary(); reloaded && (primary || !needPrimary) {
		return "", nil
	}
	return cmp.Or(s.summary(), "no server"), nil
}

// onceWaiting reports once that a balancer is waited for: how its servers are changes all the time.
func (o Options) onceWaiting(t *remote.Target, needPrimary bool) func(string) {
	once := sync.OnceFunc(func() {
		o.Progress("waiting for HAProxy on " + t.Name + purpose(needPrimary))
	})
	return func(string) { once() }
}

// purpose is what a HAProxy is waited for to do.
func purpose(needPrimary bool) string {
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
