package doctor

import (
	"fmt"
	"slices"

	"github.com/pgha/toolkit/internal/bytesize"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/spec"
)

// dropByHand says how to drop a slot that no member owns. Only its owner, a backup tool or a
// subscriber, knows whether it is still needed: no remedy drops it, and the operator names it.
func dropByHand(f Facts, h *Host, s Slot) errs.Next {
	if f.declared(s.Name) {
		return errs.Text("it stands in postgresql.slots: bring its consumer back. If that is gone "+
			"for good, take it out there and run %s, which drops it on all members",
			errs.Verb("apply"))
	}
	return errs.Text(
		"no member of the cluster owns it: ask whoever made it, such as a backup tool "+
			"or a subscriber. If its reader is gone for good, take it out of the dynamic "+
			"configuration (slots) if it stands there, then on %s: %s",
		h.Name, psql(f, fmt.Sprintf("SELECT pg_drop_replication_slot('%s')", s.Name)))
}

// slotMember is the member whose slot has this name.
func (f Facts) slotMember(slot string) *Host {
	for _, h := range f.Hosts {
		if h.Member != "" && spec.SlotOf(h.Member) == slot {
			return h
		}
	}
	return nil
}

// declared tells whether the specification has a slot.
func (f Facts) declared(name string) bool {
	return slices.ContainsFunc(f.Spec.PostgreSQL.Slots,
		func(s spec.Slot) bool { return s.Name == name })
}

// slot finds a slot of a host by its name.
func (h *Host) slot(name string) (Slot, bool) {
	i := slices.IndexFunc(h.SQL.Slots, func(s Slot) bool { return s.Name == name })
	if i < 0 {
		return Slot{}, false
	}
	return h.SQL.Slots[i], true
}

// slotCopies compares the primary's logical slots with the replicas'.
func slotCopies(f Facts) []Finding {
	primary := f.primary()
	if primary == nil || primary.SQL.Error != "" {
		return nil
	}
	replicas := slices.DeleteFunc(f.sqlHosts(), func(h *Host) bool {
		return h == primary || !h.SQL.Recovery
	})
	var list []Finding
	for _, s := range primary.SQL.Slots {
		alone := len(replicas) > 0 && !slices.ContainsFunc(replicas, func(h *Host) bool {
			_, there := h.slot(s.Name)
			return there
		})
		// One that nobody reads is slot-inactive's.
		if s.Type != "logical" || !s.Active || s.Failover || s.Status == "lost" ||
			f.declared(s.Name) || !alone {
			continue
		}
		list = append(list, Finding{ID: "slot-undeclared", Host: primary.Name, Subject: s.Name,
			Severity: Warning,
			Title:    "logical replication slot " + s.Name + " is on the leader alone",
			Consequence: "after a failover its consumer finds none, and misses what is written until " +
				"it makes another; a switchover is refused",
			Evidence: []string{fmt.Sprintf("no replica has slot %s of database %s", s.Name,
				s.Database)},
			Advice: errs.Text("write {name: %s, database: %s, plugin: %s} under postgresql.slots and "+
				"run %s: Patroni then keeps it on all members", s.Name, s.Database, s.Plugin,
				errs.Verb("apply"))})
	}
	for _, h := range replicas {
		for _, s := range h.SQL.Slots {
			if found, is := leftOver(f, primary, h, s); is {
				list = append(list, found)
			}
		}
	}
	return list
}

// leftOver is a slot that a former leader has from the time when it led. One that the leader has
// itself, with all that a consumer still needs, can be dropped; another one somebody may come back
// for when this member leads again.
func leftOver(f Facts, primary, h *Host, s Slot) (Finding, bool) {
	now, there := primary.slot(s.Name)
	if s.Type != "logical" || s.Synced || s.Active || there && !s.Failover {
		return Finding{}, false
	}
	found := Finding{ID: "slot-left-over", Host: h.Name, Subject: s.Name, Severity: Warning,
		Title:       "replication slot " + s.Name + " is left from when this member led",
		Consequence: "WAL is kept for it here until max_slot_wal_keep_size",
		Evidence: []string{fmt.Sprintf("no copy of the leader's; keeps %s",
			bytesize.Text(s.Kept))}}
	same := there && now.Failover && now.Status != "lost" && now.Database == s.Database &&
		now.Plugin == s.Plugin
	if !same {
		found.Advice = errs.Text("its consumer could go on from it only if this member leads again. "+
			"If it reads another one now, or is gone, then on %s: %s", h.Name,
			psql(f, fmt.Sprintf("SELECT pg_drop_replication_slot('%s')", s.Name)))
		return found, true
	}
	found.Consequence += ", and PostgreSQL cannot copy the leader's failover slot of that name"
	found.Remedy = on(h.Name, psql(f, fmt.Sprintf("SELECT pg_drop_replication_slot('%s')", s.Name)))
	found.Advice = errs.Text("the leader has the slot itself: nobody comes back for this one")
	return found, true
}
