package operate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/pooler"
	"github.com/pgha/toolkit/pgha/remote"
)

// Hold keeps the clients of the poolers waiting while the primary is stopped and another one, or
// the same, takes its place: what they see is a slow transaction. Begin it before the primary is
// asked to stop, and End it in any case. Without a pooler it does nothing.
type Hold struct {
	run    *job.Job
	pools  pooler.Options
	on     bool
	force  bool
	before string        // the server that wrote before
	done   chan struct{} // closed when the operation has ended
	began  time.Time
	wg     sync.WaitGroup
	mu     sync.Mutex
	failed []error
	took   time.Duration
}

// PrepareHold gets ready: it looks which server writes, and which poolers there are. A balancer
// that cannot be reached is left out with a warning: its clients are not held. Nobody is held yet.
func PrepareHold(ctx context.Context, r *job.Job, force bool) (*Hold, error) {
	h := &Hold{run: r, force: force, done: make(chan struct{})}
	on, err := h.reach()
	if err != nil || !on {
		return h, err
	}
	h.on = true
	if h.before, err = writer(ctx, r.Site, r.WriteRoute()); err != nil {
		// Then nobody could tell when to let them go on.
		r.Warn("", "clients of the poolers are not held: no write goes through: "+err.Error())
		h.on = false
	}
	return h, ctx.Err()
}

// reach looks which poolers there are that can be reached, and tells whether there is one.
func (h *Hold) reach() (bool, error) {
	r := h.run
	o, ok, err := engine.PoolerOptions(r)
	if err != nil || !ok || r.Planning() {
		return false, err
	}
	var reached []pooler.Balancer
	for _, b := range o.Balancers {
		if b.Target.LeftOut {
			continue
		}
		if why := r.Unreachable[b.Target.Name]; why != nil {
			r.Warn(b.Target.Name, "clients of its pooler are not held: "+why.Error())
			continue
		}
		reached = append(reached, b)
	}
	o.Balancers = reached
	h.pools = o
	return len(reached) > 0, nil
}

// writerSQL is a write without a table, and names the server that has made it: a transaction with a
// number of its own is in the write-ahead log.
const writerSQL = "SELECT concat_ws(' ', inet_server_addr(), pg_postmaster_start_time()) " +
	"FROM pg_current_xact_id()"

// writer makes a write, and tells by which server: its address, and since when it runs.
func writer(ctx context.Context, c *site.Site, route site.Route) (name string, err error) {
	err = c.WithSQL(ctx, route, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, writerSQL).Scan(&name)
	})
	return name, err
}

// Begin holds the clients, and returns when none has a session with PostgreSQL any more. From then
// on each balancer lets them go on as soon as a write went through its own write port to another
// server than before, or to the same one restarted; and by its timer in any case. An error matches
// errs.ErrRefused where a transaction does not end; with force that is a warning, and clients of
// the poolers see what others see.
func (h *Hold) Begin(ctx context.Context) error {
	if !h.on {
		return nil
	}
	h.run.Progress("holding the clients of the poolers")
	start := time.Now()
	held, err := pooler.Pause(ctx, h.pools, pooler.PauseOptions{})
	h.leftOut(held)
	switch {
	case err != nil && h.force:
		h.run.Warn("", "clients of the poolers are not held: "+err.Error())
		return nil
	case errors.Is(err, pooler.ErrBusy):
		return errs.WithNext(fmt.Errorf("%w: %w%s", errs.ErrRefused, err, h.oldest(ctx)),
			errs.Text("wait for it or end it; --force goes ahead, and clients see errors"))
	case err != nil:
		return errs.WithNext(fmt.Errorf("hold the clients of the poolers: %w", err),
			errs.Text("%s tells what is wrong with the poolers; --force goes ahead without",
				errs.Verb("status")))
	}
	h.began = start
	for _, b := range h.pools.Balancers {
		h.wg.Go(func() { h.watch(ctx, b.Target) })
	}
	return nil
}

// oldest names the oldest transaction of the primary that may be meant.
func (h *Hold) oldest(ctx context.Context) string {
	text := ""
	err := h.run.WithSQL(ctx, h.run.WriteRoute(), func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, sessionsSQL, 1.0)
		if err != nil {
			return err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		text = strings.Join(lines, "; ")
		return err
	})
	if err != nil || text == "" {
		return ""
	}
	return " (" + text + ")"
}

// watch lets the clients of one balancer go on as soon as they can write.
func (h *Hold) watch(ctx context.Context, t *remote.Target) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pooler.Lead)
	defer cancel()
	writes, cancelWrites := context.WithCancel(ctx)
	go func() {
		select {
		case <-h.done:
			cancelWrites()
		case <-writes.Done():
		}
	}()
	now := h.awaitWrites(writes, t)
	err := h.resume(t, pooler.Write)
	if now != "" {
		h.awaitReads(writes, t, now)
	}
	cancelWrites()
	err = errors.Join(err, h.resume(t, ""))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed = append(h.failed, err)
	h.took = max(h.took, time.Since(h.began))
}

// awaitWrites returns the server that takes writes, as soon as it is another one; "" if the
// operation ends before.
func (h *Hold) awaitWrites(ctx context.Context, t *remote.Target) string {
	route := site.Route{Host: t.Address, Port: h.run.Spec.Balancer.WritePort, From: t}
	for ctx.Err() == nil {
		once, cancel := context.WithTimeout(ctx, 2*time.Second)
		now, err := writer(once, h.run.Site, route)
		cancel()
		if err == nil && now != h.before {
			return now
		}
		select {
		case <-ctx.Done():
		case <-time.After(30 * time.Millisecond):
		}
	}
	return ""
}

// readsWithin bounds the wait until HAProxy sends no reads to the new primary any more.
const readsWithin = 3 * time.Second

// awaitReads waits until the balancer's HAProxy has seen that the server that takes writes now is
// no replica: then it ends the sessions that it still has as one, which clients would lose.
func (h *Hold) awaitReads(ctx context.Context, t *remote.Target, writer string) {
	address, _, _ := strings.Cut(writer, " ")
	primary := h.run.MemberAt(strings.TrimSuffix(strings.TrimSuffix(address, "/32"), "/128"))
	// Not seen in time: they go on then, as without a pooler.
	_ = poll.Until(ctx, poll.Options{What: "reads", Bound: readsWithin,
		Every: 100 * time.Millisecond}, func(ctx context.Context) (string, error) {
		states, err := lb.State(ctx, lb.Options{Balancers: []*remote.Target{t}})
		if err != nil {
			return "", err
		}
		for _, s := range states[0].Servers {
			if s.Proxy == lb.ReadProxy && s.Name == primary && !s.Backup && s.Up() {
				return primary + " is a replica to it", nil
			}
		}
		return "", states[0].Err
	})
}

// resume lets clients of one or of both poolers go on, whatever has ended meanwhile.
func (h *Hold) resume(t *remote.Target, i pooler.Instance) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*pooler.Lead)
	defer cancel()
	return pooler.ResumeOn(ctx, t, i)
}

// End waits until all clients go on, and lets them if the operation has failed. It returns how long
// they were held at most; 0 if nobody was. Somebody who still may be held is a warning: the timers
// of the hosts are set.
func (h *Hold) End() patroni.Elapsed {
	close(h.done)
	h.wg.Wait()
	if err := errors.Join(h.failed...); err != nil {
		h.run.WarnNext("", errs.Text("%v", err))
	}
	return patroni.Elapsed(h.took)
}
