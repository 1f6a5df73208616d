package inspect

import (
	"slices"

	"github.com/pgha/toolkit/pgha/change"
	"github.com/pgha/toolkit/pgha/preflight"
)

// inUsePairs are settings that leave no room for what the servers have.
func inUsePairs() []specPair {
	const lower = "postgresql: {parameters: {wal_level: replica}}"
	const logical = "postgresql: {parameters: {wal_level: logical, max_replication_slots: 10, " +
		"max_wal_senders: 10, max_connections: 200, max_prepared_transactions: 20}}"
	return []specPair{
		{
			name: "wal_level below a logical slot", before: logical, after: lower,
			hosts: uses("pg1", slot("rec", false)), refused: "would not start: rec on m1",
			way: "pg_drop_replication_slot('rec')",
		},
		{
			name: "wal_level below a synced slot", before: logical, after: lower,
			hosts: uses("pg2", slot("rec", true)), refused: "rec on m2: a copy of the leader's",
			way: "on the leader first",
		},
		{
			name: "wal_level taken out below a logical slot", before: logical,
			after:   "postgresql: {parameters: {wal_level: null}}",
			hosts:   uses("pg1", slot("rec", false)),
			refused: "wal_level is replica", way: "or write logical",
		},
		{
			name: "wal_level lowered where nobody has a logical slot", before: logical,
			after: lower,
			hosts: uses("pg1", func(*change.InUse) {}), does: "postgresql.parameters: reload",
		},
		{
			name: "wal_level lowered while nobody answers", before: logical, after: lower,
			does: "postgresql.parameters: reload",
		},
		{
			name: "wal_level that an earlier apply lowered, with a slot made since", before: lower,
			hosts: uses("pg1", slot("rec", false)), refused: "wal_level is replica",
			way: "or write logical",
		},
		{
			name:  "a logical slot where nobody speaks of wal_level",
			hosts: uses("pg1", slot("rec", false)),
			does:  "nothing",
		},
		{
			name: "max_replication_slots below the slots", before: logical,
			after:   "postgresql: {parameters: {max_replication_slots: 4}}",
			hosts:   uses("pg3", func(u *change.InUse) { u.Slots = make([]change.Slot, 5) }),
			refused: "m3 has 5 replication slots", way: "or write 5 or more",
		},
		{
			name: "max_prepared_transactions below those prepared", before: logical,
			after:   "postgresql: {parameters: {max_prepared_transactions: 0}}",
			hosts:   uses("pg1", func(u *change.InUse) { u.Prepared = 2 }),
			refused: "m1 has 2 prepared transactions", way: "COMMIT PREPARED",
		},
		{
			name: "max_prepared_transactions taken out", before: logical,
			after:   "postgresql: {parameters: {max_prepared_transactions: null}}",
			hosts:   uses("pg1", func(u *change.InUse) { u.Prepared = 2 }),
			refused: "max_prepared_transactions is 0", way: "or write 2 or more",
		},
		{
			name: "max_wal_senders below the walsenders", before: logical,
			after:   "postgresql: {parameters: {max_wal_senders: 5}}",
			hosts:   uses("pg1", func(u *change.InUse) { u.Senders = 6 }),
			refused: "m1 has 6 walsenders",
			way:     "or write 6 or more",
		},
		{
			name: "max_connections below the sessions", before: logical,
			after:   "postgresql: {parameters: {max_connections: 50}}",
			hosts:   uses("pg1", func(u *change.InUse) { u.Sessions = 60 }),
			refused: "m1 has 60 sessions",
			way:     "or write 60 or more",
		},
		{
			name:   "max_connections lowered before, and sessions come since",
			before: "postgresql: {parameters: {max_connections: 50}}",
			after:  "postgresql: {parameters: {work_mem: 8MB}}",
			hosts:  uses("pg1", func(u *change.InUse) { u.Sessions = 60 }),
			does:   "postgresql.parameters: reload",
		},
		{
			name: "max_connections lowered to what there is", before: logical,
			after: "postgresql: {parameters: {max_connections: 60}}",
			hosts: uses("pg1", func(u *change.InUse) { u.Sessions = 60 }),
			does:  "postgresql.parameters: reload",
		},
	}
}

// uses says what a member's server has.
func uses(host string, what func(*change.InUse)) func(*seen) {
	return func(s *seen) {
		s.change(host, func(f *preflight.Facts) {
			f.Running.InUse = &change.InUse{Slots: []change.Slot{{Name: "m9"}}, Senders: 2,
				Sessions: 5}
			what(f.Running.InUse)
		})
	}
}

func slot(name string, synced bool) func(*change.InUse) {
	return func(u *change.InUse) {
		u.Slots = slices.Concat(u.Slots, []change.Slot{{Name: name, Logical: true, Synced: synced}})
	}
}
