package vip

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

//go:embed release.sh
var releaseScript string

const (
	// moveWithin bounds the wait until the address has moved: a second at most by AdvertInterval's
	// default, and what a busy host adds.
	moveWithin = 10 * time.Second
	// backWithin is when a host starts keepalived again by itself.
	backWithin = 30 * time.Second
)

// MoveResult is what Move did.
type MoveResult struct {
	// From and To are the balancers that held the address before and hold it now.
	From string `json:"from"`
	To   string `json:"to"`
}

// Move gives the address to the balancer of that name, and returns when it alone holds it. The
// sessions through the former holder are cut: their clients connect again.
//
// keepalived is ended on all other balancers, the holder's last, and started again when the address
// has moved. If this program dies in between, a timer of each host starts it again within 30 s.
//
// It refuses (ErrRefused) a name that no balancer has, a balancer whose HAProxy does not answer or
// whose keepalived does not run, and one that would not keep the address (Options.Preempt, and
// another has a higher priority). ErrNotHeld is an address that did not move in time; keepalived
// runs everywhere then, too. Safe to repeat: where the balancer holds the address nothing is done.
func Move(ctx context.Context, o Options, to string) (MoveResult, error) {
	result := MoveResult{To: to}
	fail := func(err error) (MoveResult, error) {
		return result, fmt.Errorf("move the virtual IP to %s: %w", to, err)
	}
	if err := o.ready(); err != nil {
		return fail(err)
	}
	o = o.withDefaults()
	i := slices.IndexFunc(o.Balancers, func(b Balancer) bool { return b.Name == to })
	if i < 0 {
		var names []string
		for _, b := range o.Balancers {
			names = append(names, b.Name)
		}
		return fail(errs.WithNext(fmt.Errorf("%w: no balancer has that name", errs.ErrRefused),
			errs.Text("the balancers are %s", strings.Join(names, ", "))))
	}
	before, err := o.look(ctx)
	if err == nil {
		err = failures(before)
	}
	if err != nil {
		return fail(err)
	}
	result.From = strings.Join(holders(before, Holding.has), " and ")
	if result.From == to {
		return result, nil
	}
	if err := o.refuseMove(ctx, i); err != nil {
		return fail(err)
	}
	if err := o.move(ctx, i, before); err != nil {
		return fail(err)
	}
	return result, nil
}

// refuseMove says why balancer i would not get the address, or not keep it.
func (o Options) refuseMove(ctx context.Context, i int) error {
	to := o.Balancers[i]
	for _, b := range o.Balancers {
		if o.Preempt && b.Priority > to.Priority {
			return errs.WithNext(fmt.Errorf("%w: %s has a higher priority and would take it back",
				errs.ErrRefused, b.Name),
				errs.Text("with preempt: false in the specification the address stays where it is"))
		}
	}
	for _, needed := range []struct {
		argv    []string
		problem string
	}{
		{[]string{scriptPath, strconv.Itoa(o.CheckPort)}, "its HAProxy does not answer"},
		// Nobody would have the address while it is waited for.
		{[]string{"systemctl", "is-active", "--quiet", Unit}, "its keepalived does not run"},
	} {
		_, err := to.Target.Run(ctx, remote.Cmd{Argv: needed.argv, Timeout: lookTimeout})
		if exit := (*remote.ExitError)(nil); errors.As(err, &exit) {
			return errs.WithNext(fmt.Errorf("%w: %s", errs.ErrRefused, needed.problem),
				errs.Text("%s shows why", errs.Verb("doctor")))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// move makes balancer i the only one that can have the address, until it has it.
func (o Options) move(ctx context.Context, i int, before []Holding) (err error) {
	var idle, holding, others []*remote.Target
	for j, b := range o.Balancers {
		switch {
		case j == i:
		case before[j].Holds:
			holding = append(holding, b.Target)
		default:
			idle = append(idle, b.Target)
		}
	}
	others = slices.Concat(idle, holding)
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), backWithin)
		defer cancel()
		err = errors.Join(err, release(ctx, others, "start", "started again"))
		if err == nil && !o.planning() {
			err = o.awaitOnly(ctx, i)
		}
	}()
	if err := release(ctx, idle, "end", "stopped"); err != nil {
		return err
	}
	if err := release(ctx, holding, "end", "stopped"); err != nil || o.planning() {
		return err
	}
	return o.awaitOnly(ctx, i)
}

// release ends keepalived, or starts it again, on hosts at the same time.
func release(ctx context.Context, targets []*remote.Target, word, action string) error {
	return remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		_, err := t.Do(ctx, Unit, action, remote.Cmd{Script: releaseScript,
			Argv: []string{word, strconv.Itoa(int(backWithin.Seconds()))}, Timeout: lookTimeout})
		return err
	})
}

// awaitOnly polls until balancer i alone holds the address.
func (o Options) awaitOnly(ctx context.Context, i int) error {
	err := poll.Until(ctx, poll.Options{
		What:  fmt.Sprintf("%s alone to hold %s", o.Balancers[i].Name, o.Address),
		Bound: moveWithin, Every: pollInterval,
		Next: errs.Text("see `journalctl -u keepalived -n 50` on %s", o.Balancers[i].Name),
	}, func(ctx context.Context) (string, error) {
		seen, err := o.look(ctx)
		if err != nil || seen[i].Holds && len(holders(seen, Holding.has)) == 1 && failures(seen) == nil {
			return "", err
		}
		return o.summary(seen), nil
	})
	if errors.Is(err, errs.ErrTimeout) {
		return fmt.Errorf("%w: %w", ErrNotHeld, err)
	}
	return err
}
