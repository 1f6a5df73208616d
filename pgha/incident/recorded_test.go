package incident

import (
	"bufio"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pgha/toolkit/pgha/record"
)

// machines are those of the lab that the journals in testdata were recorded on.
var machines = []Machine{
	{Name: "haproxy-01", Address: "192.168.0.200"}, {Name: "haproxy-02", Address: "192.168.0.201"},
	{Name: "haproxy-03", Address: "192.168.0.202"},
	{Name: "postgres-01", Member: "postgresql-01", Etcd: "postgresql-01"},
	{Name: "postgres-02", Member: "postgresql-02", Etcd: "postgresql-02"},
	{Name: "postgres-03", Member: "postgresql-03", Etcd: "postgresql-03"},
}

func recorded(t *testing.T, name string) []record.LogEntry {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []record.LogEntry
	s := bufio.NewScanner(f)
	for s.Scan() {
		var e record.LogEntry
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, e)
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// scene is a fault that was really made in the lab, with what it is and what a writer through the
// virtual IP measured.
type scene struct {
	name     string
	class    Class
	kind     Kind
	host     string
	from, to string
	measured float64 // seconds without writes; 0: none that could be told from the pace
}

var scenes = []scene{
	{"switchover", Planned, SwitchoverAsked, "postgres-01", "postgres-01", "postgres-02", 1.63},
	{"postgres-killed", Failure, PostmasterDied, "postgres-02", "postgres-02", "", 2.09},
	{"leader-power", Failure, PowerLost, "postgres-02", "postgres-02", "postgres-01", 32.04},
	{"patroni-stopped", Failure, UnitStopping, "postgres-01", "postgres-01", "postgres-03", 2.53},
	{"leader-cable", Failure, NetworkCut, "postgres-03", "postgres-03", "postgres-02", 30.99},
	{"balancer-power", Failure, PowerLost, "haproxy-01", "postgres-02", "", 0.78},
	{"haproxy-killed", Failure, UnitSignalled, "haproxy-01", "postgres-02", "", 0.79},
	{"etcd-killed", Failure, UnitSignalled, "postgres-01", "postgres-02", "", 0},
	{"patronictl-switchover", Planned, SwitchoverAsked, "postgres-02", "postgres-02",
		"postgres-01", 2.59},
	{"backend-killed", Failure, BackendKilled, "postgres-01", "postgres-01", "", 1.29},
	{"leader-power-with-etcd", Failure, PowerLost, "postgres-01", "postgres-01",
		"postgres-03", 35.47},
	{"patroni-killed", Failure, UnitSignalled, "postgres-03", "postgres-03", "", 4.72},
	{"keepalived-stopped", Failure, UnitStopping, "haproxy-01", "postgres-03", "", 0.38},
	{"haproxy-stopped", Failure, UnitStopping, "haproxy-01", "postgres-03", "", 0.84},
	{"etcd-quorum", Failure, QuorumLost, "postgres-02", "postgres-03", "", 0},
	{"patroni-frozen", Failure, UnitSignalled, "postgres-03", "postgres-03", "postgres-02", 24.49},
	{"replica-power", Failure, PowerLost, "postgres-03", "postgres-02", "", 0},
	{"leader-rebooted", Failure, HostShutdown, "postgres-02", "postgres-02", "postgres-03", 2.56},
}

// told is what the test compares of an incident.
type told struct {
	Class    Class
	Kind     Kind
	Host     string
	From, To string
}

// near is by how much the journals' seconds may be less than the measured ones, which include that
// a client connects again.
const near = 0.4

func TestRecordedFaults(t *testing.T) {
	t.Parallel()
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			a := Analyse(recorded(t, s.name), About{Machines: machines, AddressAt: "haproxy-01"})
			if len(a.Incidents) != 1 {
				for _, in := range a.Incidents {
					t.Log(in.Headline)
				}
				t.Fatalf("%d incidents, want 1", len(a.Incidents))
			}
			in := a.Incidents[0]
			got := told{in.Class, in.Cause.Kind, in.Cause.Host, in.OldLeader, in.NewLeader}
			if diff := cmp.Diff(told{s.class, s.kind, s.host, s.from, s.to}, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", in.Headline, diff)
			}
			if short := s.measured - in.WithoutWritesSeconds; math.Abs(short) > near {
				t.Errorf("%.2f s without writes, %.2f s were measured\n%+v",
					in.WithoutWritesSeconds,
					s.measured, in.Gaps)
			}
			if in.RedundantSeconds < 0 || len(in.Missing) > 0 {
				t.Errorf("not whole again: %.1f s, missing %v", in.RedundantSeconds, in.Missing)
			}
			if (in.Loss != nil) != (s.to != "" && s.to != s.from) {
				t.Errorf("loss: %+v", in.Loss)
			}
		})
	}
}

// TestRecordedLoss has what was and was not replicated.
func TestRecordedLoss(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Loss{
		"switchover":      {Known: true, Timeline: 1, Switched: "0/50E1068"},
		"patroni-stopped": {Known: true, Timeline: 3, Switched: "0/51BA880", Former: "0/51BA808"},
		"leader-cable": {Known: true, Timeline: 4, Switched: "0/51E8068", Former: "0/51E8208",
			Bytes: 416},
		"leader-power": {Timeline: 2, Switched: "0/5174A70"},
	} {
		in := Analyse(recorded(t, name), About{Machines: machines}).Incidents[0]
		if diff := cmp.Diff(&want, in.Loss, cmpopts.IgnoreFields(Loss{}, "Text", "UpTo",
			"Former")); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", name, in.Loss.Text, diff)
		}
	}
}

func TestNothingHappened(t *testing.T) {
	t.Parallel()
	a := Analyse(recorded(t, "nothing"), About{Machines: machines})
	if len(a.Incidents) != 0 || a.Lines == 0 {
		t.Errorf("%d lines gave %+v", a.Lines, a.Incidents)
	}
}

// TestAllFaultsInARow has each fault as an incident of its own, in any order of the lines between
// hosts, and with clocks that are off.
func TestAllFaultsInARow(t *testing.T) {
	t.Parallel()
	var lines []record.LogEntry
	for _, s := range scenes {
		lines = append(lines, recorded(t, s.name)...)
	}
	off := append([]Machine(nil), machines...)
	byHost := map[string][]record.LogEntry{}
	for i, m := range off {
		off[i].Offset = time.Duration(i) * 700 * time.Millisecond
		for _, l := range lines {
			if l.Host == m.Name {
				l.Time = l.Time.Add(off[i].Offset)
				byHost[m.Name] = append(byHost[m.Name], l)
			}
		}
	}
	var apart []record.LogEntry
	for _, i := range rand.Perm(len(off)) {
		apart = append(apart, byHost[off[i].Name]...)
	}
	var want, got []told
	for _, s := range scenes {
		want = append(want, told{s.class, s.kind, s.host, s.from, s.to})
	}
	for _, in := range Analyse(apart, About{Machines: off}).Incidents {
		got = append(got, told{in.Class, in.Cause.Kind, in.Cause.Host, in.OldLeader, in.NewLeader})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestOneRightAfterTheOther has the leader's power fail while the crash before it still echoes: the
// time without writes that the power loss begins with is its own.
func TestOneRightAfterTheOther(t *testing.T) {
	t.Parallel()
	about := About{Machines: machines, AddressAt: "haproxy-01"}
	crash, power := recorded(t, "postgres-killed"), recorded(t, "leader-power")
	over := Analyse(crash, about).Incidents[0].Events
	shift := over[len(over)-1].Time.Add(settling - time.Second).Sub(Analyse(power,
		about).Incidents[0].Began)
	for _, l := range power {
		l.Time = l.Time.Add(shift)
		crash = append(crash, l)
	}
	var got []told
	for _, in := range Analyse(crash, about).Incidents {
		got = append(got, told{in.Class, in.Cause.Kind, in.Cause.Host, in.OldLeader, in.NewLeader})
	}
	want := []told{
		{Failure, PostmasterDied, "postgres-02", "postgres-02", ""},
		{Failure, PowerLost, "postgres-02", "postgres-02", "postgres-01"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestOperation: what an operator did with pgha is reported as that, with who it was.
func TestOperation(t *testing.T) {
	t.Parallel()
	op := record.Operation{
		ID: "1", Time: time.Date(2026, 11, 23, 16, 42, 52, 0, time.UTC), Verb: "switchover",
		Holder: "alice@desk", Finished: true, Seconds: 8,
	}
	a := Analyse(recorded(t, "switchover"), About{Machines: machines,
		Operations: []record.Operation{op}})
	if len(a.Incidents) != 1 {
		t.Fatalf("%d incidents, want 1", len(a.Incidents))
	}
	in := a.Incidents[0]
	if in.Class != Planned || in.Cause.Kind != Operated || in.Cause.By != "alice@desk" ||
		in.NewLeader != "postgres-02" {
		t.Errorf("%s: %+v", in.Headline, in.Cause)
	}
}

// TestBalancerCutOff: a balancer whose cable was pulled says nothing of it, and still carries the
// address as it knows.
func TestBalancerCutOff(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	vrrp := func(after time.Duration, host, message string) record.LogEntry {
		return record.LogEntry{
			Time: start.Add(after), Host: host, Program: "Keepalived_vrrp",
			Unit:    "keepalived.service",
			Message: message,
		}
	}
	a := Analyse([]record.LogEntry{
		vrrp(0, "haproxy-02", "(VI_1) Entering MASTER STATE"),
		vrrp(20*time.Second, "haproxy-02",
			"(VI_1) Master received advert from 192.168.0.200 with higher priority 100, ours 90"),
		vrrp(20*time.Second, "haproxy-02", "(VI_1) Entering BACKUP STATE"),
	}, About{Machines: machines, Until: start.Add(time.Minute)})
	if len(a.Incidents) != 1 {
		t.Fatalf("%d incidents, want 1", len(a.Incidents))
	}
	in := a.Incidents[0]
	if in.Cause.Kind != NetworkCut || in.Cause.Host != "haproxy-01" ||
		in.Cause.Confidence != Likely {
		t.Errorf("%s: %+v", in.Headline, in.Cause)
	}
	if math.Abs(in.WithoutWritesSeconds-0.73) > 0.01 ||
		math.Abs(in.RedundantSeconds-20.73) > 0.01 ||
		len(in.Missing) > 0 {
		t.Errorf("%.2f s without writes, whole after %.2f s, missing %v: %+v",
			in.WithoutWritesSeconds,
			in.RedundantSeconds, in.Missing, in.Gaps)
	}
}

// TestUnreachableHost: of a host that cannot be read the others still tell.
func TestUnreachableHost(t *testing.T) {
	t.Parallel()
	var lines []record.LogEntry
	for _, l := range recorded(t, "leader-power") {
		if l.Host != "postgres-02" {
			lines = append(lines, l)
		}
	}
	about := About{Machines: append([]Machine(nil), machines...)}
	about.Machines[4].Unreachable = true
	a := Analyse(lines, about)
	if len(a.Incidents) != 1 || len(a.Notes) != 1 {
		t.Fatalf("%d incidents, notes %v", len(a.Incidents), a.Notes)
	}
	in := a.Incidents[0]
	if in.Cause.Kind != HostUnreachable || in.Cause.Host != "postgres-02" ||
		in.NewLeader != "postgres-01" ||
		len(in.Missing) == 0 {
		t.Errorf("%s: %+v, missing %v", in.Headline, in.Cause, in.Missing)
	}
}
