package advisor

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/spec"
)

// lost is the topology in which nothing works on these hosts.
func lost(t Topology, names ...string) Topology { return t.without(names...) }

func find(t *testing.T, losses []Loss, what string) Loss {
	t.Helper()
	i := slices.IndexFunc(losses, func(l Loss) bool { return strings.HasPrefix(l.What, what) })
	if i < 0 {
		t.Fatalf("no loss of %s in %+v", what, losses)
	}
	return losses[i]
}

// TestLosses compares with sums and consequences worked out by hand, profile safe.
func TestLosses(t *testing.T) {
	t.Parallel()
	sp := exampleWith(t)
	type row struct {
		what           string
		typical, worst float64
		blocked        bool
		fatal          string
	}
	for name, c := range map[string]struct {
		topology Topology
		want     []row
	}{
		"healthy": {Expected(sp), []row{
			{"postgres-01 (leader)", 27.65, 35.7, false, "postgres-02 postgres-03"},
			{"postgres-02 (replica, leads etcd)", 0, 0, false, "postgres-01 postgres-03"},
			{"postgres-03 (replica)", 0, 0, false, "postgres-01 postgres-02"},
			{"haproxy-01 (holds the address)", 0.68, 0.93, false, ""},
			{"haproxy-02 (balancer)", 0, 0, false, ""},
			{"haproxy-03 (balancer)", 0, 0, false, ""},
			{
				"etcd's quorum (2 of its 3 members; the databases run on)", 0, 0, false,
				"postgres-01 postgres-02 postgres-03",
			},
		}},
		// 17.1 and 23: until a primary without etcd has stopped; the leader itself is gone at once.
		"a replica is down": {lost(Expected(sp), "postgres-03"), []row{
			{"postgres-01 (leader)", 0, 0, true, ""},
			{"postgres-02 (replica, leads etcd)", 17.1, 23, true, ""},
			{"haproxy-01 (holds the address)", 0.68, 0.93, false, "postgres-01 postgres-02"},
			{"haproxy-02 (balancer)", 0, 0, false, "postgres-01 postgres-02"},
			{"haproxy-03 (balancer)", 0, 0, false, "postgres-01 postgres-02"},
			{"etcd's quorum (1 of its 3 members; the databases run on)", 17.1, 23, true, ""},
		}},
		"two balancers are down": {lost(Expected(sp), "haproxy-02", "haproxy-03"), []row{
			{"postgres-01 (leader)", 27.65, 35.7, false, "postgres-02 postgres-03 haproxy-01"},
			{"postgres-02 (replica, leads etcd)", 0, 0, false,
				"postgres-01 postgres-03 haproxy-01"},
			{"postgres-03 (replica)", 0, 0, false, "postgres-01 postgres-02 haproxy-01"},
			{"haproxy-01 (holds the address)", 0, 0, true, ""},
			{
				"etcd's quorum (2 of its 3 members; the databases run on)", 0, 0, false,
				"postgres-01 postgres-02 postgres-03",
			},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []row
			for _, l := range Losses(c.topology, Facts{}) {
				var fatal []string
				for _, f := range l.Fatal {
					fatal = append(fatal, f.Hosts...)
				}
				if l.SurvivesNext() != (l.Blocked == "" && len(fatal) == 0) {
					t.Errorf("%s: survives %v", l.What, l.SurvivesNext())
				}
				got = append(got, row{
					l.What, l.Typical.Round(10 * time.Millisecond).Seconds(),
					l.Worst.Round(10 * time.Millisecond).Seconds(), l.Blocked != "",
					strings.Join(fatal, " "),
				})
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(row{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestLossesFollowTheTopology looks at what the mode, the tags and etcd's leader change.
func TestLossesFollowTheTopology(t *testing.T) {
	t.Parallel()
	together := Expected(exampleWith(t))
	together.Hosts[0].LeadsEtcd, together.Hosts[1].LeadsEtcd = true, false
	if l := find(t, Losses(together, Facts{}), "postgres-01"); l.Worst != 38700*time.Millisecond ||
		!strings.Contains(l.Note, "leads etcd") {
		t.Errorf("the leader's host leads etcd: %v, %q", l.Worst, l.Note)
	}
	strict := Expected(exampleWith(t, "synchronous_mode: off", "synchronous_mode: strict"))
	if l := find(t, Losses(strict, Facts{}), "postgres-02"); l.Worst != 41500*time.Millisecond {
		t.Errorf("strict, the synchronous replica is lost: %v", l.Worst)
	}
	quorum := Expected(exampleWith(t, "synchronous_mode: off", "synchronous_mode: quorum"))
	if l := find(t, Losses(quorum, Facts{}), "postgres-02"); l.Worst != 0 {
		t.Errorf("quorum, a replica is lost: %v", l.Worst)
	}
	barred := Expected(exampleWith(t))
	barred.Hosts[1].Barred, barred.Hosts[2].Barred = true, true
	if l := find(t, Losses(barred, Facts{}), "postgres-01"); !strings.Contains(l.Blocked,
		"nofailover") {
		t.Errorf("nobody may be promoted: %q", l.Blocked)
	}
	proud := Expected(exampleWith(t, "# failsafe_mode: true", "failsafe_mode: false"))
	if l := find(t, Losses(proud, Facts{}), "etcd's quorum"); l.Blocked == "" ||
		l.Worst != 21*time.Second {
		t.Errorf("etcd's quorum without failsafe_mode: %+v", l)
	}
	alone := exampleWith(t)
	alone.Hosts = alone.Hosts[2:] // one database and the balancers
	if l := find(t, Losses(Expected(alone), Facts{}), "postgres-03"); !strings.Contains(l.Blocked,
		"no member") {
		t.Errorf("the only database: %q", l.Blocked)
	}
}

func TestRisk(t *testing.T) {
	t.Parallel()
	n := func(v int64) *int64 { return &v }
	busy := &Database{
		Replicas: map[string]Replica{"postgresql-02": {LagBytes: 5000},
			"postgresql-03": {LagBytes: 1000}},
		WALRate: 2000, RowRate: 10,
	}
	for name, c := range map[string]struct {
		mode string
		db   *Database
		sync bool
		want Risk
	}{
		"nothing is known": {"off", nil, false, Risk{}},
		"the replica that lags least": {
			"off", busy, false, Risk{Bytes: n(1000), Rows: n(6), MostBytes: n(1<<20 + 2000*30)},
		},
		"nothing is written": {
			"off", &Database{Replicas: map[string]Replica{"postgresql-02": {}}}, false,
			Risk{Bytes: n(0), Rows: n(0), MostBytes: n(1 << 20)},
		},
		"behind, and nothing to divide": {
			"off", &Database{Replicas: map[string]Replica{"postgresql-02": {LagBytes: 7}}}, false,
			Risk{Bytes: n(7), MostBytes: n(1 << 20)},
		},
		"no replica streams": {"off", &Database{}, false, Risk{MostBytes: n(1 << 20)}},
		"quorum":             {"quorum", busy, true, Risk{n(0), n(0), n(0), ""}},
		"quorum without a replica": {
			"quorum", busy, false, Risk{Bytes: n(1000), Rows: n(6), MostBytes: n(1<<20 + 2000*30)},
		},
		"strict without a replica": {"strict", busy, false, Risk{n(0), n(0), n(0), ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top := Expected(exampleWith(t, "synchronous_mode: off", "synchronous_mode: "+c.mode))
			for i := range top.Hosts {
				top.Hosts[i].Synchronous = c.sync && i > 0
			}
			got := top.risk(Facts{Database: c.db})
			if got.Because == "" {
				t.Error("it does not say why")
			}
			got.Because = ""
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRemoval(t *testing.T) {
	t.Parallel()
	sp := exampleWith(t)
	noPatroni := Expected(sp)
	noPatroni.Hosts[2].Member = false // its etcd lives
	for name, c := range map[string]struct {
		topology Topology
		hosts    []string
		want     []string
	}{
		"a replica":                 {Expected(sp), []string{"postgres-02"}, nil},
		"a database and a balancer": {Expected(sp), []string{"postgres-01", "haproxy-01"}, nil},
		"two balancers":             {Expected(sp), []string{"haproxy-01", "haproxy-02"}, nil},
		"two databases": {
			Expected(sp), []string{"postgres-01", "postgres-02"},
			[]string{"etcd would lose its quorum: 1 of its 3"},
		},
		"all balancers": {
			Expected(sp), []string{"haproxy-01", "haproxy-02", "haproxy-03"},
			[]string{"no balancer would be left"},
		},
		"one that is down": {lost(Expected(sp), "postgres-02"),
			[]string{"postgres-02"}, nil},
		"one of two that are left": {lost(Expected(sp), "postgres-02"), []string{"postgres-01"},
			[]string{"quorum"}},
		"the last spare": {noPatroni, []string{"postgres-02"},
			[]string{"no second healthy member"}},
		"the one without a member":    {noPatroni, []string{"postgres-03"}, nil},
		"a balancer, the rest is ill": {noPatroni, []string{"haproxy-01"}, nil},
		"everything": {
			Expected(sp), []string{"postgres-01", "postgres-02", "postgres-03"},
			[]string{"quorum", "no healthy member"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Removal(c.topology, c.hosts...)
			if len(got) != len(c.want) {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			for i := range got {
				if !strings.Contains(got[i], c.want[i]) {
					t.Errorf("got %q, want %q", got[i], c.want[i])
				}
			}
		})
	}
}

func TestHandover(t *testing.T) {
	t.Parallel()
	sp := exampleWith(t)
	noPatroni := Expected(sp)
	noPatroni.Hosts[2].Member = false
	for _, c := range []struct {
		topology Topology
		says     string
	}{
		{Expected(sp), ""}, {lost(Expected(sp), "haproxy-01"), ""},
		{noPatroni, "no other healthy member"},
		{lost(Expected(sp), "postgres-02", "postgres-03"), "etcd has no quorum: 1 of its 3"},
	} {
		if got := strings.Join(Handover(c.topology), "; "); (got == "") != (c.says == "") ||
			!strings.Contains(got, c.says) {
			t.Errorf("got %q, want %q", got, c.says)
		}
	}
}

// TestLossInJSON holds the names of the fields.
func TestLossInJSON(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(Loss{What: "a host", Typical: 1500 * time.Millisecond,
		Left: "the rest"})
	want := `{"what":"a host","hosts":[],"typical_seconds":1.5,"worst_seconds":0,"risk":{"bytes":null,"rows":null,"most_bytes":null},"left":"the rest","survives_next":true,"fatal":[]}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}

// TestHighest: the balancer that is expected to hold the address is not always the first.
func TestHighest(t *testing.T) {
	t.Parallel()
	if got := highest([]spec.Host{{Name: "a", Priority: 90},
		{Name: "b", Priority: 100}}); got != "b" {
		t.Errorf("got %s", got)
	}
}
