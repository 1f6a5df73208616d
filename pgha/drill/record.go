package drill

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/probe"
)

const (
	// calmAfter is how long writes have to flow after the fault at least, so that one which bites a
	// moment later is seen.
	calmAfter = 3 * time.Second
	// compareWithin is how long replicas have to get the last rows.
	compareWithin = 15 * time.Second
)

// record makes the fault and records what is seen from before it until full redundancy is back.
// What was recorded until an error is returned with it.
func (d *driller) record(ctx context.Context, sc Scenario, n int,
	s *experiment) (Recording, error) {
	rec := Recording{Scenario: sc.Name, Run: n, Began: time.Now(), Expect: sc.Expect,
		Held: map[string][]int64{}}
	for _, h := range d.cluster.Spec.Databases() {
		rec.Members = append(rec.Members, h.Member)
	}
	for _, h := range d.cluster.Spec.Balancers() {
		rec.Balancers = append(rec.Balancers, h.Name)
	}
	w, err := probe.Start(ctx, probe.Options{Config: s.routes.writes(), Rate: d.opts.Rate,
		Client: d.opts.Client, Log: d.opts.Log})
	if err != nil {
		return rec, err
	}
	r := &recorder{rec: &rec}
	stop := d.watch(ctx, s.routes, r, w)
	err = d.disturb(ctx, sc, s, w, r)
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), compareWithin)
	defer cancel()
	writes, stopErr := w.Stop(after)
	stop()
	rec.Writes, rec.Fault = writes, s.fault
	if err = errors.Join(err, stopErr); err == nil {
		err = d.compare(after, &rec)
	}
	rec.Ended = time.Now()
	return rec, err
}

// disturb lets writes flow, makes the fault, waits for what comes of it, and mends it.
func (d *driller) disturb(ctx context.Context, sc Scenario, s *experiment, w *probe.Writer,
	r *recorder) error {
	_ = poll.Pause(ctx, d.calm())
	if err := w.WaitAcked(ctx, time.Now()); err != nil {
		return err
	}
	if err := sc.cause(ctx, s); err != nil {
		return err
	}
	s.fault.Done = time.Now()
	if sc.lasts != nil {
		_ = poll.Pause(ctx, time.Until(s.fault.At.Add(sc.lasts(d.cluster.Spec))))
	} else if err := d.flow(ctx, w, s.fault.Done.Add(calmAfter)); err != nil && ctx.Err() != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	wait := watchWait(ctx, s)
	r.add(func(rec *Recording) { rec.Wait = wait })
	if len(s.faults) > 0 {
		s.say("given back")
		// Whatever is left of it must be given back once more, so the list is kept until that has
		// worked.
		again := slices.Clone(s.faults)
		s.fault.Mended = time.Now()
		if err := d.cluster.Reconnect(ctx); err != nil && ctx.Err() != nil {
			return err
		}
		if err := s.faults.mend(ctx); err != nil {
			s.faults = again
			return err
		}
	}
	if _, err := d.healthy(ctx, d.opts.MendWithin); err != nil {
		return err
	}
	r.add(func(rec *Recording) { rec.Redundant = time.Now() })
	s.say("full redundancy is back")
	return d.flow(ctx, w, time.Now())
}

// flow waits until a row is acknowledged that was begun after a moment.
func (d *driller) flow(ctx context.Context, w *probe.Writer, since time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, d.opts.MendWithin)
	defer cancel()
	if err := w.WaitAcked(ctx, since); err != nil {
		return fmt.Errorf("wait for writes: %w", err)
	}
	return nil
}

// watch starts everything that looks. The function that it returns ends it and waits for that.
func (d *driller) watch(ctx context.Context, by routes, r *recorder,
	w *probe.Writer) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	out := &rivals{primary: map[string]bool{}}
	for _, h := range d.cluster.Spec.Databases() {
		m := &member{name: h.Member, rivals: out, look: by.to(h),
			write: by.to(h)}
		wg.Go(func() {
			m.run(ctx, func(s MemberState) {
				r.add(func(rec *Recording) { rec.States = append(rec.States, s) })
			})
		})
	}
	first, _ := w.Result() // the log's error is reported by Stop
	wg.Go(func() {
		read(ctx, by.reads(), by.readWithin, first.Table, w.Run(), d.opts.Rate, d.addresses(),
			func(x Read) {
				r.add(func(rec *Recording) { rec.Reads = append(rec.Reads, x) })
			})
	})
	now := Leadership{Address: []string{}}
	change := func(at time.Time, f func(*Leadership)) {
		r.add(func(rec *Recording) {
			before := now
			f(&now)
			now.At = at
			if n := len(rec.Leadership); n == 0 || now.Patroni != before.Patroni ||
				now.Etcd != before.Etcd ||
				!slices.Equal(now.Address, before.Address) {
				rec.Leadership = append(rec.Leadership, now)
			}
		})
	}
	wg.Go(func() {
		_ = d.cluster.WatchLeaders(ctx, func(l pgha.Leaders) { // ends with ctx
			change(l.At, func(now *Leadership) {
				now.Patroni, now.Etcd = l.Member, d.hostOf(l.Etcd)
			})
		})
	})
	var balancers []string
	for _, h := range d.cluster.Spec.Balancers() {
		balancers = append(balancers, h.Name)
	}
	hs := newHolders(balancers, func(at time.Time, names []string) {
		change(at, func(now *Leadership) { now.Address = names })
	})
	for _, name := range balancers {
		if t, err := d.cluster.Target(name); err == nil {
			wg.Go(func() { hs.follow(ctx, t, d.cluster.Spec.VIP.Address) })
		}
	}
	return func() {
		cancel()
		wg.Wait()
		sortStates(r.rec.States)
		slices.SortStableFunc(r.rec.Leadership, func(a, b Leadership) int {
			return a.At.Compare(b.At)
		})
	}
}

// compare asks every member which rows it has, once replicas have had time for the last ones.
func (d *driller) compare(ctx context.Context, rec *Recording) error {
	leader := lastLeader(*rec)
	newest := func(member string) (list []int64, err error) {
		h, err := d.cluster.Spec.Host(member)
		if err != nil {
			return nil, err
		}
		s := d.routes.to(h)
		defer s.drop()
		err = s.do(ctx, 5*time.Second, func(ctx context.Context, c *pgx.Conn) (err error) {
			list, err = probe.Rows(ctx, c, rec.Writes.Table, rec.Writes.Run)
			return err
		})
		return list, err
	}
	has, err := newest(leader)
	if err != nil {
		return fmt.Errorf("compare rows: %s: %w", leader, err)
	}
	rec.Held[leader] = has
	for _, member := range rec.Members {
		for member != leader && ctx.Err() == nil {
			list, err := newest(member)
			if err == nil {
				rec.Held[member] = list
				if len(list) >= len(has) {
					break
				}
			}
			_ = poll.Pause(ctx, 200*time.Millisecond)
		}
	}
	return nil
}

// hostOf translates an etcd member's name.
func (d *driller) hostOf(member string) string {
	if h, err := d.cluster.Spec.Host(member); err == nil {
		return h.Name
	}
	return member
}

// addresses tells members by the address at which they answer.
func (d *driller) addresses() map[netip.Addr]string {
	all := map[netip.Addr]string{}
	for _, h := range d.cluster.Spec.Databases() {
		if a, err := netip.ParseAddr(h.Address); err == nil {
			all[a.Unmap()] = h.Member
		}
	}
	return all
}

func sortStates(states []MemberState) {
	slices.SortStableFunc(states, func(a, b MemberState) int { return a.Asked.Compare(b.Asked) })
}
