package measure

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/advisor"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/spec"
)

func TestParseMeasured(t *testing.T) {
	t.Parallel()
	out := `memory 4096
data /dev/sda1 100 50 2048 50% /
etcd /dev/sdb1 100 50 7 50% /var/lib/etcd
watchdog
connect 192.0.2.2 900
connect 192.0.2.2 300
connect 192.0.2.3 77
connect 192.0.2.2 400
sync 2300 bytes (2.3 kB, 2.2 KiB) copied, 0.0015 s, 1.5 MB/s
sync 2300 bytes (2.3 kB, 2.2 KiB) copied, 2.5e-05 s, 92 MB/s
sync 2300 bytes (2.3 kB, 2.2 KiB) copied, 0.9 s, 2.5 kB/s
sync dd: error writing
sync 2300 bytes (2.3 kB, 2.2 KiB) copied, nan s, 0 B/s
sync 2300 bytes (2.3 kB, 2.2 KiB) copied, inf s, 0 B/s
sync 2300 bytes (2.3 kB, 2.2 KiB) copied, -1 s, 0 B/s
nonsense
`
	facts, trips := parseMeasured(out, "db1", map[string]string{"192.0.2.2": "db2",
		"192.0.2.3": "db3"})
	want := advisor.HostFacts{MemoryBytes: 4 << 20, DataFree: 2 << 20, DataDisk: "/dev/sda1",
		EtcdDisk: "/dev/sdb1", Watchdog: true,
		Sync: advisor.Sync{P99Seconds: 0.0015, Samples: 3,
			Source: "3 writes of 2300 bytes beside etcd's data"}}
	if diff := cmp.Diff(want, facts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]advisor.RoundTrip{
		{From: "db1", To: "db2", Seconds: 0.0004}, {From: "db1", To: "db3", Seconds: 77e-6},
	}, trips); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if facts, trips := parseMeasured("", "db1", nil); facts != (advisor.HostFacts{}) ||
		trips != nil {
		t.Errorf("from nothing: %+v, %v", facts, trips)
	}
}

func TestSyncHistogram(t *testing.T) {
	t.Parallel()
	bucket := func(le, n string) string { return walSync + `_bucket{le="` + le + `"} ` + n + "\n" }
	for name, c := range map[string]struct {
		text string
		p99  float64
		says string
	}{
		// 980 of 1000 are below 4 ms, 1000 below 8 ms: the 990th is half way.
		"within a bucket": {
			"# HELP\nother 1\n" + bucket("0.004", "980") + bucket("0.008", "1000") + bucket("+Inf",
				"1000"), 0.006, "",
		},
		"in the first":        {bucket("0.001", "200") + bucket("+Inf", "200"), 0.00099, ""},
		"beyond the last":     {bucket("8.192", "10") + bucket("+Inf", "1000"), 8.192, ""},
		"too few":             {bucket("0.001", "99") + bucket("+Inf", "99"), 0, "fewer than 100"},
		"none":                {"other 1\n", 0, "fewer than 100"},
		"a number that isn't": {bucket("0.001", "many"), 0, "read etcd's metrics"},
		"a count of nothing":  {bucket("0.001", "NaN") + bucket("+Inf", "200"), 0, "no count"},
		"a count without end": {bucket("0.001", "200") + bucket("+Inf", "+Inf"), 0, "no count"},
		"a count below none":  {bucket("0.001", "-1") + bucket("+Inf", "200"), 0, "no count"},
		"two last bounds":     {bucket("+Inf", "200") + bucket("+Inf", "200"), 0, "out of order"},
		"a bound of nothing":  {bucket("NaN", "150") + bucket("+Inf", "200"), 0, "no count"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := syncHistogram(strings.NewReader(c.text))
			testkit.CheckSays(t, err, c.says)
			if diff := got.P99Seconds - c.p99; diff > 1e-9 || diff < -1e-9 {
				t.Errorf("got %g, want %g", got.P99Seconds, c.p99)
			}
		})
	}
}

func TestStrangers(t *testing.T) {
	t.Parallel()
	own := []spec.Host{{Name: "lb1", Address: "192.0.2.1"}, {Name: "lb2", Address: "192.0.2.2"}}
	got := strangers("192.0.2.2 51\n192.0.2.77 51\n192.0.2.78 9\nnonsense\n", own, "lb1")
	if diff := cmp.Diff([]advisor.Stranger{
		{On: "lb1", From: "192.0.2.77", RouterID: 51}, {On: "lb1", From: "192.0.2.78", RouterID: 9},
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTopologyOf: a status becomes who works, whatever is down.
func TestTopologyOf(t *testing.T) {
	t.Parallel()
	sp := sitetest.PowerSpec()
	sp.Hosts[2].Tags = map[string]any{"nofailover": true}
	s := sitetest.PowerStatus("db2", "lb1")
	s.Members[2].Role = "quorum_standby"
	want := []advisor.Host{
		{Name: "db1", Member: true, Etcd: true, Leads: true,
			LeadsEtcd: true},
		{Name: "db2"},
		{Name: "db3", Member: true, Etcd: true, Barred: true,
			Synchronous: true},
		{Name: "lb1"},
		{Name: "lb2", Balancer: true, Holds: true},
		{Name: "lb3", Balancer: true},
	}
	if diff := cmp.Diff(want, TopologyOf(sp, s).Hosts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAdviseSpec: the example has no warning, and its JSON no null where a list belongs.
func TestAdviseSpec(t *testing.T) {
	t.Parallel()
	a := AdviseSpec(testkit.Spec(t))
	if a.Live || len(a.Warnings()) > 0 || len(a.Losses) != 6 {
		t.Errorf("got %+v", a)
	}
	text, err := json.Marshal(AdviseSpec(&spec.Spec{}))
	if err != nil || strings.Contains(string(text), "null") {
		t.Errorf("got %s, %v", text, err)
	}
}
