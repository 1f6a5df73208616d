package lb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/pgha/remote"
)

// Drain tells the running HAProxy of every balancer, all at the same time, to send no new session
// of its read port to these backends; sessions that there are go on. The write port is left as it
// is: should one of them lead all the same, it gets what it has to.
//
// The configuration is not changed: a reload, or Refill, ends it. A backend that a balancer does
// not know is left out, and so is a balancer that is left out. Safe to repeat. When the targets
// only plan, nothing is told, and it is reported. Errors name the balancer.
func Drain(ctx context.Context, o Options, backends ...string) error {
	return o.tell(ctx, "drain", "read port drained of ", backends)
}

// Refill takes Drain back.
func Refill(ctx context.Context, o Options, backends ...string) error {
	return o.tell(ctx, "ready", "read port opened to ", backends)
}

// tell sets the state of servers of the read port.
func (o Options) tell(ctx context.Context, state, done string, backends []string) error {
	o = o.withDefaults()
	if len(backends) == 0 {
		return nil
	}
	words := make([]string, len(backends))
	for i, name := range backends {
		words[i] = "set server " + ReadProxy + "/" + name + " state " + state
	}
	return parallel.Each(o.Balancers, func(_ int, t *remote.Target) error {
		if t.LeftOut {
			return nil
		}
		res, err := t.Do(ctx, Unit, done+strings.Join(backends, ", "), remote.Cmd{
			Argv:  []string{"perl", "-", socketPath, strings.Join(words, ";")},
			Stdin: strings.NewReader(runtimeScript), Timeout: lookTimeout,
		})
		if err == nil {
			err = refusals(string(res.Stdout))
		}
		if err != nil {
			return remote.WithHint(fmt.Errorf("tell HAProxy: %w", remote.OnHost(t.Name, err)),
				"see `systemctl status haproxy` and `journalctl -u haproxy -n 50` on "+t.Name)
		}
		return nil
	})
}

// refusals are what HAProxy has against words that it was told; a server that it does not know gets
// no session anyway.
func refusals(said string) error {
	var lines []string
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if line != "" && !slices.Contains([]string{"No such server.", "No such backend."}, line) {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return errors.New(strings.Join(lines, "; "))
}
