package recovery

import (
	"errors"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/hostlook"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/spec"
)

const sysid = "7"

func replica(timeline int64, checkpoint uint64) hostlook.Look {
	return hostlook.Look{Server: true, Active: map[string]string{patroni.Unit: "active"},
		Control: hostlook.ControlData{Identifier: sysid, State: "in archive recovery",
			Timeline:   timeline,
			Checkpoint: checkpoint}}
}

func silent(host string) hostlook.Look {
	return hostlook.Look{Err: errors.New(host + " is silent")}
}

// viewOf is a cluster of which db2 alone is left, changed by change.
func viewOf(t *testing.T, change func(*view)) view {
	t.Helper()
	sp := sitetest.PowerSpec()
	from, err := sp.Host("db2")
	if err != nil {
		t.Fatal(err)
	}
	v := view{
		from: from, voter: from,
		looks: map[string]hostlook.Look{"db1": silent("db1"), "db2": replica(3, 100),
			"db3": silent("db3")},
		nodes: map[string]patroni.NodeState{from.Member: {Timeline: 3, Location: 120,
			State: patroni.StateRunning}},
		writes: map[string][]string{},
		keys:   map[string]string{"initialize": sysid, "leader": "m1", "status": `{"optime":150}`},
	}
	if change != nil {
		change(&v)
	}
	return v
}

func aloneWith(name string) *etcd.Store {
	return &etcd.Store{Members: []etcd.StoreMember{{Name: name}}}
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	sp := sitetest.PowerSpec()
	for name, tt := range map[string]struct {
		change func(*view)
		want   string // part of the refusal, "" for none
		hint   string
	}{
		"one is left": {nil, "", ""},
		"its host is silent": {func(v *view) { v.looks["db2"] = silent("db2") },
			"db2 is silent", ""},
		"no database": {func(v *view) { v.looks["db2"] = hostlook.Look{} },
			"has no database", ""},
		"of another cluster": {func(v *view) { v.keys["initialize"] = "9" },
			"of another cluster", ""},
		"etcd there is silent, too": {func(v *view) { v.keys = map[string]string{} }, "", ""},
		"a quorum lives": {func(v *view) {
			v.store = &etcd.Store{Members: []etcd.StoreMember{{Name: "m1"}, {Name: "m2"},
				{Name: "m3"}}}
		}, "has its quorum", "failover"},
		"an interrupted run": {func(v *view) { v.store = aloneWith(v.from.Member) }, "", ""},
		"etcd went on from another": {
			func(v *view) { v.store = aloneWith("another") }, "has its quorum", "",
		},
		"finished before": {func(v *view) {
			v.store, v.keys["leader"] = aloneWith(v.from.Member), v.from.Member
			v.nodes[v.from.Member] = patroni.NodeState{Role: patroni.RoleLeader, Timeline: 3,
				Location: 500}
		}, "", ""},
		"a follower was not started again": {func(v *view) {
			v.store, v.keys["leader"] = aloneWith(v.from.Member), v.from.Member
			v.nodes[v.from.Member] = patroni.NodeState{Role: patroni.RoleLeader, Timeline: 3,
				Location: 500}
			l := replica(3, 100)
			l.Active = nil
			v.looks["db3"] = l
		}, "", ""},
		"a balancer reaches the primary": {
			func(v *view) { v.writes["lb1"] = []string{"m1"} }, "lb1 sends writes to m1", "cut off",
		},
		"a balancer sends to it": {func(v *view) { v.writes["lb1"] = []string{v.from.Member} },
			"", ""},
		"another has more": {
			func(v *view) {
				v.looks["db3"] = replica(3, 137)
			}, "has 17 bytes more", "recover --from",
		},
		"another is on a later timeline": {
			func(v *view) { v.looks["db3"] = replica(4, 1) }, "on timeline 4", "recover --from",
		},
		"another is behind": {func(v *view) { v.looks["db3"] = replica(3, 90) }, "", ""},
		"another has a foreign database": {func(v *view) {
			l := replica(9, 999)
			l.Control.Identifier = "8"
			v.looks["db3"] = l
		}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := viewOf(t, tt.change).refuse(sp)
			if tt.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if errs.KindOf(err) != errs.Refused || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v, want a refusal with %q", err, tt.want)
			}
			if hint := errs.NextOf(err).Render(errs.Call.Words); !strings.Contains(hint, tt.hint) {
				t.Errorf("hint %q, want %q in it", hint, tt.hint)
			}
		})
	}
}

func TestLoss(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*view)
		bytes  int64 // -1 when it is not known
		words  string
	}{
		"behind": {nil, 30, "30 bytes behind"},
		"etcd had heard of less": {
			func(v *view) { v.keys["status"] = `{"optime":110,"slots":{}}` }, 0, "0 bytes behind",
		},
		"nothing is known": {func(v *view) { v.keys = nil }, -1, "not known"},
		"of another format": {
			func(v *view) { v.keys["status"] = "0/96" }, -1, "not known",
		},
		"the leader itself": {func(v *view) {
			l := v.looks["db2"]
			l.Control.State = "shut down"
			v.looks["db2"], v.keys["leader"] = l, v.from.Member
		}, 0, "was the leader"},
		"led once, and follows now": {func(v *view) { v.keys["leader"] = v.from.Member }, 30,
			"30 bytes behind"},
		"a synchronous standby": {func(v *view) {
			v.keys["sync"] = `{"leader":"m1","sync_standby":"` + v.from.Member + `"}`
		}, 0, "synchronous standby"},
		"another was the synchronous standby": {func(v *view) {
			v.keys["sync"] = `{"leader":"m1","sync_standby":"m3"}`
		}, 30, "30 bytes behind"},
		"one of a quorum": {func(v *view) {
			v.keys["sync"] = `{"leader":"m1","quorum":1,"sync_standby":"m3,` + v.from.Member + `"}`
		}, 30, "30 bytes behind"},
		"the whole quorum": {func(v *view) {
			v.keys["sync"] = `{"leader":"m1","quorum":1,"sync_standby":"` + v.from.Member + `"}`
		}, 0, "synchronous standby"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bytes, words := viewOf(t, tt.change).loss()
			if (bytes == nil) != (tt.bytes < 0) || bytes != nil && *bytes != tt.bytes {
				t.Errorf("%v bytes, want %d", bytes, tt.bytes)
			}
			if !strings.Contains(words, tt.words) {
				t.Errorf("%q, want %q in it", words, tt.words)
			}
		})
	}
}

func TestGivenUp(t *testing.T) {
	t.Parallel()
	sp := sitetest.PowerSpec()
	v := viewOf(t, func(v *view) { v.looks["db3"] = hostlook.Look{} })
	if got := v.givenUp(sp); len(got) != 2 {
		t.Errorf("given up: %q", got)
	}
	v.looks["db3"] = replica(3, 1)
	if got := v.givenUp(sp); len(got) != 1 {
		t.Errorf("with one that answers: %q", got)
	}
}

// TestVoter: etcd continues from the member's own host, or where none runs there from one that
// answers.
func TestVoter(t *testing.T) {
	t.Parallel()
	sp, err := spec.Parse("pgha.yaml", []byte(`version: 1
hosts:
  - {name: db1, address: 10.0.0.1, roles: [database, etcd]}
  - {name: db2, address: 10.0.0.2, role: database}
  - {name: e1, address: 10.0.0.3, role: etcd}
  - {name: e2, address: 10.0.0.4, role: etcd}
`))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]hostlook.Look{"db1": silent("db1"), "e1": silent("e1"), "e2": silent("e2")}
	left := map[string]hostlook.Look{"db1": silent("db1"), "e1": silent("e1"), "e2": {}}
	for _, tt := range []struct {
		from  int
		looks map[string]hostlook.Look
		want  string
	}{{0, left, "db1"}, {1, left, "e2"}, {1, all, ""}} {
		if got := voter(sp, sp.Hosts[tt.from], tt.looks).Name; got != tt.want {
			t.Errorf("from %s: etcd of %q, want %q", sp.Hosts[tt.from].Name, got, tt.want)
		}
	}
}
