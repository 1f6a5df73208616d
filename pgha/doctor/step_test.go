package doctor

import (
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/errs"
)

func TestFixable(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		steps []Step
		want  bool
	}{
		{"nothing", nil, false},
		{"a command of a host", on("a", "systemctl start etcd"), true},
		{"apply", apply(), true},
		{"both", append(on("a", "true"), apply()...), true},
		{"a verb with a member", restart(&Host{Member: "postgresql-01"}), true},
		{"a setting", []Step{{Call: errs.Verb(Config, "set", "ttl=20")}}, false},
		{"one of several", append(apply(), Step{Call: errs.Verb(Config, "set", "ttl=20")}), false},
	} {
		if got := fixable(tc.steps); got != tc.want {
			t.Errorf("%s: fixable is %v", tc.name, got)
		}
	}
}

// TestSlotsOfOthersStay holds the slots that no member owns to what their makers may expect: they
// are reported, the advice names them, and no fix drops them.
func TestSlotsOfOthersStay(t *testing.T) {
	t.Parallel()
	for name, slot := range map[string]Slot{
		"a backup tool between two runs": {Name: "pg_receivewal_backup", Type: "physical",
			Status: "reserved"},
		"a backup tool that fell behind": {Name: "barman", Type: "physical", Status: "lost"},
		"a subscriber that is down":      {Name: "sub_orders", Type: "logical", Status: "extended"},
		"never used":                     {Name: "cdc", Type: "logical"},
		"nearly a member's": {Name: "postgresql_02_old", Type: "physical",
			Status: "unreserved"},
		"a member that was removed": {Name: "postgresql_09", Type: "physical", Status: "reserved"},
	} {
		f := *recorded(t)
		f.host(pg1).SQL.Slots = append(f.host(pg1).SQL.Slots, slot)
		d := Diagnose(f)
		if len(d.Findings) != 1 || d.Findings[0].Subject != slot.Name {
			t.Errorf("%s: found %+v", name, d.Findings)
			continue
		}
		got := d.Findings[0]
		if got.Fixable || len(got.Remedy) > 0 || !strings.Contains(got.Advice.String(), slot.Name) {
			t.Errorf("%s: a fix would drop it, or the advice doesn't name it: %+v", name, got)
		}
	}
}

// TestSlotsLeftOver: dropped is only a failover slot that the leader has itself.
func TestSlotsLeftOver(t *testing.T) {
	t.Parallel()
	failover := Slot{Name: "cdc", Type: "logical", Database: "app", Plugin: "pgoutput",
		Failover: true}
	read, own, lost, other := failover, failover, failover, failover
	read.Active, own.Failover, lost.Status, other.Plugin = true, false, "lost", "wal2json"
	for name, tt := range map[string]struct {
		leader  []Slot
		replica Slot
		dropped bool
	}{
		"the leader has it":             {[]Slot{read}, failover, true},
		"the leader's has lost its WAL": {[]Slot{lost}, failover, false},
		"the leader's is another":       {[]Slot{other}, failover, false},
		"the leader has none":           {nil, failover, false},
		"a consumer's own, on it alone": {nil, own, false},
	} {
		f := *recorded(t)
		f.host(pg1).SQL.Slots = append(f.host(pg1).SQL.Slots, tt.leader...)
		f.host(pg3).SQL.Slots = append(f.host(pg3).SQL.Slots, tt.replica)
		dropped, found := false, false
		for _, got := range Diagnose(f).Findings {
			found = found || got.ID == "slot-left-over"
			dropped = dropped || len(got.Remedy) > 0
		}
		if !found || dropped != tt.dropped {
			t.Errorf("%s: found %v, dropped %v", name, found, dropped)
		}
	}
}
