package host_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/internal/reference"
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
