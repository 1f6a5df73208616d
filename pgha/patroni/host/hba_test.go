package host_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/internal/reference"
	"github.com/pgha/toolkit/pgha/patroni/host"
)

// TestWhatIsNeededStandsFirst holds for whatever the operator writes.
func TestWhatIsNeededStandsFirst(t *testing.T) {
	t.Parallel()
	const door = "hostssl all all 192.168.0.210/32 scram-sha-256"
	for name, test := range map[string]struct {
		lines  []string
		behind []string // what the line for the balancers stands between
		before []string
	}{
		"nothing": {nil, nil, nil},
		"one more network": {
			[]string{"hostssl shop app 10.9.0.0/16 cert"},
			[]string{"hostssl shop app 10.9.0.0/16 cert"}, nil,
		},
		"everybody rejected": {
			[]string{"host all all 0.0.0.0/0 reject"}, nil,
			[]string{"host all all 0.0.0.0/0 reject"},
		},
		"everybody rejected, by all": {[]string{"host all all all reject"}, nil,
			[]string{"host all all all reject"}},
		"rejected with a mask": {
			[]string{"host all all 192.168.0.0 255.255.0.0 reject"}, nil,
			[]string{"host all all 192.168.0.0 255.255.0.0 reject"},
		},
		"one role rejected first": {[]string{"hostssl all intern all reject",
			"host all all all reject"},
			[]string{"hostssl all intern all reject"}, []string{"host all all all reject"}},
		"whoever is listed, and nobody else": {[]string{
			"hostssl app app 192.168.0.0/16 scram-sha-256", "host all all all reject",
		},
			[]string{"hostssl app app 192.168.0.0/16 scram-sha-256",
				"host all all all reject"}, nil},
		"listed by an address that no session has": {[]string{
			"hostssl app app 10.1.2.3/32 scram-sha-256", "host all all all reject",
		},
			[]string{"hostssl app app 10.1.2.3/32 scram-sha-256"},
			[]string{"host all all all reject"}},
		"the superuser rejected": {
			[]string{"host all postgres all reject"}, []string{"host all postgres all reject"}, nil,
		},
		"the socket rejected": {[]string{"local all all reject"},
			[]string{"local all all reject"}, nil},
		"replication rejected": {
			[]string{"host replication all all reject"},
			[]string{"host replication all all reject"}, nil,
		},
	} {
		o := reference.Options().WithDefaults()
		o.Balancers, o.PgHBA, o.ApplicationCIDRs = []string{"192.168.0.210"}, test.lines,
			[]string{"10.1.0.0/16"}
		got := o.HBA()
		at := slices.Index(got, door)
		if at < 0 {
			t.Errorf("%s: the balancers' sessions are let in nowhere:\n%s", name,
				strings.Join(got, "\n"))
			continue
		}
		for _, line := range test.behind {
			if i := slices.Index(got, line); i < 0 || i > at {
				t.Errorf("%s: %q stands behind the line for the balancers", name, line)
			}
		}
		for _, line := range test.before {
			if slices.Index(got, line) < at {
				t.Errorf("%s: %q stands before the line for the balancers", name, line)
			}
		}
		first := []string{"local all all peer", "hostssl replication replicator 127.0.0.1/32 " +
			"scram-sha-256",
			"hostssl replication replicator 192.168.0.205/32 scram-sha-256",
			"hostssl all rewind_user 192.168.0.205/32 scram-sha-256",
			"hostssl all postgres 127.0.0.1/32 scram-sha-256",
			"hostssl all postgres 192.168.0.205/32 scram-sha-256",
			"hostssl all postgres 192.168.0.210/32 scram-sha-256"}
		for _, needed := range first {
			for _, line := range test.lines {
				if i := slices.Index(got, needed); i < 0 || i > slices.Index(got, line) {
					t.Errorf("%s: %q stands before %q", name, line, needed)
				}
			}
		}
		if last := got[len(got)-1]; last != "hostssl all all 10.1.0.0/16 scram-sha-256" {
			t.Errorf("%s: the last line is %q", name, last)
		}
	}
}

// TestSlotsAreSynced: the worker that copies the leader's failover slots is let in where there is
// one, before the line that keeps the replication role out, and nowhere else.
func TestSlotsAreSynced(t *testing.T) {
	t.Parallel()
	const worker, wall = "hostssl postgres replicator 192.168.0.205/32 scram-sha-256",
		"host all replicator,rewind_user all reject"
	for _, c := range []struct {
		value any
		want  bool
	}{
		{nil, false}, {"on", true}, {true, true}, {"YES", true}, {1, true}, {"off", false},
		{false, false},
		{0, false}, {"o", false},
	} {
		o := reference.Options().WithDefaults()
		o.Parameters = map[string]any{"SYNC_replication_slots": c.value}
		got := o.HBA()
		if i := slices.Index(got, worker); (i >= 0) != c.want || i > slices.Index(got, wall) {
			t.Errorf("%v: the worker's line is at %d of\n%s", c.value, i, strings.Join(got, "\n"))
		}
	}
}

// TestAccess: who has rules of its own gets in by these alone, behind the operator's lines and
// before everybody's; the superuser from the cluster's own hosts and the networks that are given.
func TestAccess(t *testing.T) {
	t.Parallel()
	o := reference.Options().WithDefaults()
	o.Balancers, o.ApplicationCIDRs = []string{"192.168.0.210"}, []string{"0.0.0.0/0"}
	o.PgHBA = []string{"hostssl shop app 10.9.0.0/16 cert", "host all all all reject"}
	o.SuperuserCIDRs = []string{"10.7.0.0/16"}
	o.Access = []host.AccessRule{
		{Role: "app", Database: "shop"},
		{Role: "My-App", Database: "all", CIDRs: []string{"10.1.0.0/16", "192.168.0.210/32"}},
		{Role: "app", Database: "Own", CIDRs: []string{"10.2.0.0/16"}},
		{Role: "copy", Database: "replication", CIDRs: []string{"10.3.0.0/16"}},
	}
	want := []string{
		"hostssl shop app 10.9.0.0/16 cert",
		"hostssl shop app 192.168.0.210/32 scram-sha-256",
		`hostssl all "My-App" 10.1.0.0/16 scram-sha-256`,
		`hostssl all "My-App" 192.168.0.210/32 scram-sha-256`,
		`hostssl "Own" app 10.2.0.0/16 scram-sha-256`,
		`hostssl "Own" app 192.168.0.210/32 scram-sha-256`,
		"hostssl replication copy 10.3.0.0/16 scram-sha-256",
		"hostssl replication copy 192.168.0.210/32 scram-sha-256",
		"hostssl all postgres 10.7.0.0/16 scram-sha-256",
		"host all app all reject",
		`host all "My-App" all reject`,
		"host all copy all reject",
		"host all postgres all reject",
		"hostssl all all 192.168.0.210/32 scram-sha-256",
		"host all all all reject",
		"hostssl all all 127.0.0.1/32 scram-sha-256",
		"hostssl all all 0.0.0.0/0 scram-sha-256",
	}
	got := o.HBA()
	if diff := cmp.Diff(want, got[len(got)-len(want):]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	o.Access, o.SuperuserCIDRs = nil, nil
	if lines := strings.Join(o.HBA(), "\n"); strings.Contains(lines, "host all app all reject") ||
		!strings.Contains(lines, "\nhost all postgres all reject\n") {
		t.Errorf("without rules:\n%s", lines)
	}
}
