package operate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/pooler"
	"github.com/pgha/toolkit/pgha/remote"
)

// HoldReaders holds the readers of the poolers while replicas stop: see Hold.Replica. back is to be
// called in any case, when they have stopped or the operation has failed. Without replicas, or
// without a pooler, nobody is held.
func HoldReaders(ctx context.Context, r *job.Job, members []string) (back func(), err error) {
	h := &Hold{run: r}
	if len(members) == 0 {
		return func() {}, nil
	}
	if _, err := h.reach(); err != nil {
		return func() {}, err
	}
	return h.replicas(ctx, members), nil
}

// Replica holds the readers of the poolers while a replica is restarted: each balancer's until its
// HAProxy sends nobody there any more, or the replica is back, which is when the function that it
// returns is called; and never for longer than pooler.Lead. Where readers cannot be held it warns,
// and those of that replica lose their session. Without a pooler it does nothing.
func (h *Hold) Replica(ctx context.Context, member string) (back func()) {
	return h.replicas(ctx, []string{member})
}

// replicas is Replica for several that go at the same time.
func (h *Hold) replicas(ctx context.Context, members []string) (back func()) {
	if len(h.pools.Balancers) == 0 || h.run.Planning() {
		return func() {}
	}
	// Those who were held for the leader go on first: they end the timers, too.
	h.wg.Wait()
	h.run.Progress("holding the readers of the poolers")
	held, err := pooler.Pause(ctx, h.pools, pooler.PauseOptions{Only: pooler.Read, Tries: 1})
	if err != nil {
		h.run.Warn("", "readers of the poolers are not held, and those of "+
			strings.Join(members, ", ")+" lose their session: "+err.Error())
		return func() {}
	}
	h.leftOut(held)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pooler.Lead)
	failed := make([]error, len(h.pools.Balancers))
	var wg sync.WaitGroup
	for i, b := range h.pools.Balancers {
		wg.Go(func() {
			awaitDown(ctx, b.Target, members)
			failed[i] = h.resume(b.Target, "")
		})
	}
	return func() {
		cancel()
		wg.Wait()
		if err := errors.Join(failed...); err != nil {
			h.run.WarnNext("", errs.Text("%v", err))
		}
	}
}

// leftOut warns of what a pause has left out.
func (h *Hold) leftOut(held pooler.Held) {
	for _, silent := range held.Silent {
		h.run.Warn("", "a pooler does not answer, and nobody is held there: "+silent)
	}
	if len(held.Sessions) > 0 {
		h.run.Warn("", "clients that keep their session (pool mode session) cannot be held, and "+
			"lose it: "+strings.Join(held.Sessions, ", ")+"; transaction mode would hold them")
	}
}

// awaitDown waits until a balancer sends no reads to the members, or ctx ends.
func awaitDown(ctx context.Context, t *remote.Target, members []string) {
	_ = poll.Until(ctx, poll.Options{What: "no reads of " + strings.Join(members, ", "), Bound: pooler.Lead,
		Every: 100 * time.Millisecond}, func(ctx context.Context) (string, error) {
		states, err := lb.State(ctx, lb.Options{Balancers: []*remote.Target{t}})
		if err != nil {
			return "", err
		}
		for _, s := range states[0].Servers {
			if s.Proxy == lb.ReadProxy && slices.Contains(members, s.Name) && s.Up() {
				return s.Name + " is a replica to it", nil
			}
		}
		return "", states[0].Err
	})
}
