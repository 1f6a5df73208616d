package change_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/change"
)

func TestReadInUse(t *testing.T) {
	t.Parallel()
	got := change.ReadInUse(
		"encoding UTF8\nslot physical postgresql_02\nslot logical rec\nslot synced copied\n" +
			"prepared 2\nsenders 3\nsessions 14\nslot\nsessions\n\n")
	want := change.InUse{
		Slots: []change.Slot{
			{Name: "postgresql_02"}, {Name: "rec", Logical: true},
			{Name: "copied", Logical: true, Synced: true},
		}, Prepared: 2, Senders: 3, Sessions: 14,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if h := change.Read(
		"== databases\nencoding UTF8\nlocale C\nsessions 0\n== keepalived\n"); h.InUse == nil {
		t.Error("a server with nothing in use counts as one that does not answer")
	}
	if h := change.Read("== databases\n== keepalived\n"); h.InUse != nil {
		t.Errorf("a server that does not answer has %+v", h.InUse)
	}
}

// TestSyncedSlot judges what PostgreSQL 18.6 says of a failover slot that its replicas have really
// copied (pg_create_logical_replication_slot with failover, sync_replication_slots on): nobody can
// drop the copies there ("This replication slot is being synchronized from the primary server"),
// and they go a second or two after the leader's.
func TestSyncedSlot(t *testing.T) {
	t.Parallel()
	leader := change.MemberInUse{
		Member: "postgresql-03",
		InUse: change.ReadInUse(
			"slot physical postgresql_01\nslot physical postgresql_02\nslot logical app\n" +
				"prepared 0\nsenders 2\nsessions 4\n"),
	}
	replica := change.MemberInUse{
		Member: "postgresql-01",
		InUse: change.ReadInUse(
			"slot physical postgresql_03\nslot physical postgresql_02\nslot synced app\nprepared " +
				"0\nsenders 0\nsessions 2\n"),
	}
	for name, members := range map[string][]change.MemberInUse{
		"the leader and its copy": {leader, replica}, "a copy alone": {replica},
		"the leader alone": {leader},
	} {
		for _, value := range []string{"replica", "", "REPLICA"} {
			problem, way := change.Room("wal_level", value, members)
			if !strings.Contains(problem, "would not start: app on ") ||
				!strings.Contains(way, "pg_drop_replication_slot('app')") {
				t.Errorf("%s, wal_level %q: %q, %q", name, value, problem, way)
			}
		}
	}
	if problem, _ := change.Room("wal_level", "logical",
		[]change.MemberInUse{leader, replica}); problem != "" {
		t.Errorf("wal_level stays: %s", problem)
	}
}

func TestRoom(t *testing.T) {
	t.Parallel()
	physical := func(n int) (all []change.Slot) {
		for range n {
			all = append(all, change.Slot{Name: "s"})
		}
		return all
	}
	logical := []change.Slot{{Name: "m2"}, {Name: "rec", Logical: true}}
	synced := []change.Slot{{Name: "m1"}, {Name: "rec", Logical: true, Synced: true}}
	members := func(leader, replica change.InUse) []change.MemberInUse {
		return []change.MemberInUse{{Member: "m1", InUse: leader}, {Member: "m2", InUse: replica}}
	}
	for name, tt := range map[string]struct {
		setting, value string
		members        []change.MemberInUse
		problem, way   string
	}{
		"logical slot": {
			"wal_level", "replica", members(change.InUse{Slots: logical}, change.InUse{}),
			"would not start: rec on m1", "SELECT pg_drop_replication_slot('rec')); or write " +
				"logical",
		},
		"synced slot": {
			"wal_level", "replica", members(change.InUse{Slots: logical},
				change.InUse{Slots: synced}),
			"(rec on m2: a copy of the leader's, which cannot be dropped there)",
			"while sync_replication_slots is on",
		},
		"synced slot alone": {
			"wal_level", "Replica", members(change.InUse{}, change.InUse{Slots: synced}),
			"would not start: rec on m2", "drop them on the leader first",
		},
		"logical stays": {
			"wal_level", "LOGICAL", members(change.InUse{Slots: logical},
				change.InUse{Slots: synced}), "", "",
		},
		"physical slots": {
			"wal_level", "replica", members(change.InUse{Slots: physical(3)},
				change.InUse{}), "", "",
		},
		"slots of the leader": {
			"max_replication_slots", "2",
			members(change.InUse{Slots: physical(3)}, change.InUse{Slots: physical(1)}),
			"max_replication_slots is 2, but m1 has 3 replication slots, and would not start",
			"or write 3 or more",
		},
		"slots of a replica": {
			"max_replication_slots", "2",
			members(change.InUse{Slots: physical(2)}, change.InUse{Slots: physical(4)}), "m2 has 4",
			"or write 4 or more",
		},
		"slots of both": {
			"max_replication_slots", "2",
			members(change.InUse{Slots: physical(5)}, change.InUse{Slots: physical(4)}),
			"m1 has 5 and m2 has 4", "or write 5 or more",
		},
		"slots, exactly": {
			"max_replication_slots", "3", members(change.InUse{Slots: physical(3)},
				change.InUse{}), "", "",
		},
		"slots in hexadecimal": {
			"max_replication_slots", "0x2", members(change.InUse{Slots: physical(3)},
				change.InUse{}),
			"m1 has 3", "write 3 or more",
		},
		"no number": {
			"max_replication_slots", "many", members(change.InUse{Slots: physical(3)},
				change.InUse{}), "", "",
		},
		"prepared transactions": {
			"max_prepared_transactions", "0", members(change.InUse{Prepared: 1}, change.InUse{}),
			"m1 has 1 prepared transactions, and would not start", "ROLLBACK PREPARED",
		},
		"walsenders": {
			"max_wal_senders", "3", members(change.InUse{Senders: 4}, change.InUse{}),
			"m1 has 4 walsenders", "or write 4 or more",
		},
		"sessions": {
			"max_connections", "30", members(change.InUse{Sessions: 31}, change.InUse{Sessions: 3}),
			"m1 has 31 sessions", "or write 31 or more",
		},
		"taken out": {
			"max_prepared_transactions", "", members(change.InUse{Prepared: 1}, change.InUse{}),
			"max_prepared_transactions is 0, but m1 has 1", "write 1 or more",
		},
		"something else": {"work_mem", "1", members(change.InUse{Sessions: 31}, change.InUse{}),
			"", ""},
		"nobody answers": {"wal_level", "replica", nil, "", ""},
	} {
		problem, way := change.Room(tt.setting, tt.value, tt.members)
		if (problem == "") != (tt.problem == "") || !strings.Contains(problem, tt.problem) ||
			!strings.Contains(way, tt.way) {
			t.Errorf("%s: %q; %q, want %q; %q", name, problem, way, tt.problem, tt.way)
		}
	}
}
