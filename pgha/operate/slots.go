package operate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/health"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/patroni/dynamic"
	"github.com/pgha/toolkit/pgha/spec"
)

// slotsWait bounds the wait for copies of slots: Patroni makes and advances them once in loop_wait,
// and a replica tells its primary once in wal_receiver_status_interval (10 s) what they need.
const slotsWait = 30 * time.Second

// slotsSQL lists the slots that outlive a session, for the fields of slot.
const slotsSQL = `SELECT slot_name, slot_type = 'logical', coalesce(database, ''), coalesce(plugin, ''), active,
	coalesce(to_jsonb(s) ->> 'failover' = 'true', false), coalesce(to_jsonb(s) ->> 'synced' = 'true', false),
	coalesce(wal_status, '') <> 'lost' AND coalesce(to_jsonb(s) ->> 'conflicting', '') <> 'true' AND coalesce(to_jsonb(s) ->> 'invalidation_reason', '') = '',
	coalesce(catalog_xmin::text::bigint, 0)
FROM pg_catalog.pg_replication_slots s WHERE NOT temporary ORDER BY slot_name`

// slot is a replication slot as one member has it.
type slot struct {
	Name                     string
	Logical                  bool
	Database, Plugin         string
	Active, Failover, Synced bool
	// Usable is false of one that was invalidated.
	Usable bool
	// CatalogXmin is the oldest transaction whose catalog is kept for it, 0 without one.
	CatalogXmin int64
}

// keeps tells whether what a slot keeps of the catalog is enough for another one. Transactions are
// compared as PostgreSQL does: their numbers come round.
func (s slot) keeps(other slot) bool {
	return s.CatalogXmin != 0 && int32(uint32(s.CatalogXmin)-uint32(other.CatalogXmin)) <= 0
}

func slotsOf(ctx context.Context, c *site.Site, member string) ([]slot, error) {
	route, err := c.MemberRoute(member)
	if err != nil {
		return nil, err
	}
	var list []slot
	err = c.WithSQL(ctx, route, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, slotsSQL)
		if err == nil {
			list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[slot])
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ask %s for its replication slots: %w", member, err)
	}
	return list, nil
}

// slotsOfAll asks all members at the same time; one that does not answer has no entry.
func slotsOfAll(ctx context.Context, c *site.Site) map[string][]slot {
	var mu sync.Mutex
	var wg sync.WaitGroup
	all := map[string][]slot{}
	for _, h := range c.Spec.Databases() {
		wg.Go(func() {
			if list, err := slotsOf(ctx, c, h.Member); err == nil {
				mu.Lock()
				defer mu.Unlock()
				all[h.Member] = list
			}
		})
	}
	wg.Wait()
	return all
}

// named finds a slot by its name.
func named(list []slot, name string) (slot, bool) {
	i := slices.IndexFunc(list, func(s slot) bool { return s.Name == name })
	if i < 0 {
		return slot{}, false
	}
	return list[i], true
}

// permanentSlots are the names of the slots that Patroni keeps on all members.
func permanentSlots(ctx context.Context, po patroni.Options) ([]string, error) {
	config, err := patroni.NewClient(po).Config(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, key := range []string{"permanent_replication_slots", "permanent_slots", dynamic.Slots} {
		section, _ := config[key].(map[string]any)
		for name := range section {
			names = append(names, name)
		}
		if len(names) > 0 {
			break
		}
	}
	slices.Sort(names)
	return names, nil
}

// handover is what a switchover means to the leader's slots.
type handover struct {
	// lost are those that the new leader will not have, whatever is waited for.
	lost []slot
	// behind says of slots that the new leader should have why it does not yet.
	behind []string
}

// judgeSlots compares the leader's slots with a candidate's. members are the names of the members'
// own slots, permanent those that Patroni copies.
func judgeSlots(candidate string, leader, copies []slot, members, permanent []string) handover {
	var h handover
	for _, s := range leader {
		kept := slices.Contains(permanent, s.Name)
		there, found := named(copies, s.Name)
		switch {
		case slices.Contains(members, s.Name) || !s.Usable:
		case !s.Logical && (kept || !s.Active):
			// Patroni creates it again where it lacks; one that nobody reads is no loss.
		case !s.Failover && !kept:
			h.lost = append(h.lost, s)
		case !found || !there.Usable || s.Failover && !there.Synced:
			h.behind = append(h.behind, fmt.Sprintf("slot %s is not copied to %s yet", s.Name,
				candidate))
		case !s.Failover:
			own, _ := named(leader, spec.SlotOf(candidate))
			if !own.keeps(there) {
				h.behind = append(h.behind, fmt.Sprintf("the leader does not know yet what slot %s "+
					"on %s needs of the catalog", s.Name, candidate))
			}
		}
	}
	return h
}

// candidates are the members that may lead after a switchover: where Patroni picks one, any that is
// well and not tagged otherwise.
func candidates(planned patroni.SwitchoverResult, wanted string) []string {
	if wanted != "" {
		return []string{wanted}
	}
	names := []string{planned.NewLeader}
	for _, m := range planned.Before.Members {
		if m.Name != planned.OldLeader && m.Name != planned.NewLeader &&
			planned.Before.Healthy(m.Name) && !m.Tag("nofailover") &&
			health.PromiseOf(m.Tags).Candidate {
			names = append(names, m.Name)
		}
	}
	return names
}

// refuseSlots is an error that matches ErrRefused if the handover would part consumers from their
// slots; with force it only warns. Copies that are on their way are waited for.
func refuseSlots(ctx context.Context, r *job.Job, leader string, to []string, force bool) error {
	po, err := engine.PatroniOptions(r)
	if err != nil {
		return err
	}
	permanent, err := permanentSlots(ctx, po)
	if err != nil {
		return err
	}
	var members []string
	for _, h := range r.Spec.Databases() {
		members = append(members, spec.SlotOf(h.Member))
	}
	var found handover
	what := poll.Options{What: "the copies of the replication slots on " + strings.Join(to, ", "),
		Bound: slotsWait, Every: time.Second,
		Progress: func(missing string) { r.Progress("waiting: " + missing) }}
	err = poll.Until(ctx, what, func(ctx context.Context) (string, error) {
		ours, err := slotsOf(ctx, r.Site, leader)
		if err != nil {
			return "", err
		}
		var all handover
		for _, candidate := range to {
			copies, err := slotsOf(ctx, r.Site, candidate)
			if err != nil {
				return "", err
			}
			h := judgeSlots(candidate, ours, copies, members, permanent)
			all.lost, all.behind = h.lost, append(all.behind, h.behind...)
		}
		found = all
		if len(found.lost) > 0 || r.Planning() {
			return "", nil
		}
		return strings.Join(found.behind, "; "), nil
	})
	if err != nil && len(found.behind) == 0 {
		return err
	}
	return judged(r, found, leader, to, force)
}

// judged turns what was found into a refusal, or with force into a warning.
func judged(r *job.Job, found handover, leader string, to []string, force bool) error {
	var problems, declare []string
	for _, s := range found.lost {
		problems = append(problems, fmt.Sprintf("slot %s is on %s alone: its consumer would find "+
			"none on %s, and miss what is written until it makes another", s.Name, leader,
			strings.Join(to, " or ")))
		declare = append(declare, declared(s))
	}
	problems = append(problems, found.behind...)
	text := strings.Join(problems, "; ")
	switch {
	case text == "":
		return nil
	case force:
		r.Warn("", "goes on although "+text)
		return nil
	case len(declare) > 0:
		return errs.WithNext(fmt.Errorf("%w: %s", errs.ErrRefused, text),
			errs.Text("write it under postgresql.slots (%s) and run %s: Patroni then keeps it on "+
				"all members; or drop it if nobody comes back for it; --force goes ahead all the "+
				"same", strings.Join(declare, ", "), errs.Verb("apply")))
	}
	return errs.WithNext(fmt.Errorf("%w: %s", errs.ErrRefused, text),
		errs.Text("look at the journal of %s (%s); --force goes ahead all the same",
			strings.Join(to, ", "), errs.Verb("logs")))
}

// declared is a slot as the specification has it.
func declared(s slot) string {
	if !s.Logical {
		return fmt.Sprintf("{name: %s, type: physical}", s.Name)
	}
	return fmt.Sprintf("{name: %s, database: %s, plugin: %s}", s.Name, s.Database, s.Plugin)
}

// leftovers are the slots of a replica that stand in the way of PostgreSQL's own copies: failover
// slots from the time when it led. The leader has each of them, with all that its consumer still
// needs, so nobody comes back for those.
func leftovers(leader, replica []slot) []string {
	var names []string
	for _, s := range replica {
		now, there := named(leader, s.Name)
		if s.Failover && !s.Synced && !s.Active && there && now.Failover && now.Usable &&
			now.Database == s.Database && now.Plugin == s.Plugin {
			names = append(names, s.Name)
		}
	}
	return names
}

// dropLeftovers drops them on the former leader, without which no copy of them is made there.
func dropLeftovers(ctx context.Context, r *job.Job, former, leader string) {
	err := func() error {
		now, err := slotsOf(ctx, r.Site, leader)
		if err != nil {
			return err
		}
		was, err := slotsOf(ctx, r.Site, former)
		if err != nil {
			return err
		}
		names := leftovers(now, was)
		if len(names) == 0 {
			return nil
		}
		route, err := r.MemberRoute(former)
		if err != nil {
			return err
		}
		r.Progress("dropping what " + former + " has left of failover slots: " +
			strings.Join(names, ", "))
		return r.WithSQL(ctx, route, func(conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
WHERE pg_is_in_recovery() AND NOT active AND slot_name = ANY ($1)`, names)
			return err
		})
	}()
	if err != nil {
		r.Warn("", fmt.Sprintf("failover slots that %s had while it led keep it from copying the "+
			"new leader's: %v", former, err))
	}
}

// tellLostSlots warns of slots that a failover has cost. before is what members had, permanent what
// Patroni keeps: it makes what lacks anew, and such a slot begins with what is written from then
// on.
func tellLostSlots(r *job.Job, permanent []string, before map[string][]slot, leader string) {
	list, known := before[leader]
	if !known {
		return
	}
	var lost []string
	for _, name := range permanent {
		if s, there := named(list, name); !there || !s.Usable {
			lost = append(lost, name)
		}
	}
	if len(lost) > 0 {
		r.Warn("", fmt.Sprintf("%s had no copy of the replication slot %s: it is made anew, and its "+
			"consumer misses what it had not read; copy the data again (a snapshot) on its side",
			leader, strings.Join(lost, ", ")))
	}
}
