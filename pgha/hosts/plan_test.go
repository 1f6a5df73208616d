package hosts

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/golden"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/procedure"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// host is one of the specification's.
func host(t *testing.T, name string) spec.Host {
	t.Helper()
	h, err := sitetest.PowerSpec().Host(name)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// planned makes the steps of an order on six hosts.
func planned(o order, file string) []procedure.Step {
	from := sitetest.PowerSpec()
	from.Hosts = append(slices.DeleteFunc(from.Hosts, func(h spec.Host) bool {
		return slices.ContainsFunc(o.Add, func(a spec.Host) bool { return a.Name == h.Name })
	}), slices.DeleteFunc(slices.Clone(o.Remove), func(h spec.Host) bool {
		return slices.ContainsFunc(from.Hosts, func(a spec.Host) bool { return a.Name == h.Name })
	})...)
	to := *from
	to.Hosts = append(slices.DeleteFunc(slices.Clone(from.Hosts), func(h spec.Host) bool {
		return slices.ContainsFunc(o.Remove, func(r spec.Host) bool { return r.Name == h.Name })
	}), o.Add...)
	w := &work{Job: &job.Job{}, order: o, specifications: specifications{file: file, from: from,
		to: &to, all: union(from, &to)}}
	w.build()
	return w.steps
}

// TestPlans: the steps of each kind of change, with cost and way back. A change of a plan is one of
// what operators rely on.
func TestPlans(t *testing.T) {
	t.Parallel()
	db4 := spec.Host{Name: "db4", Member: "pg4", Role: spec.RoleDatabase}
	var etcds []spec.Host
	for _, name := range []string{"e1", "e2", "e3"} {
		etcds = append(etcds, spec.Host{Name: name, Member: name, Role: spec.RoleEtcd})
	}
	var text bytes.Buffer
	for _, tt := range []struct {
		name string
		file string
		order
	}{
		{"add a database", "pgha.yaml", order{Add: []spec.Host{db4}}},
		{"remove two databases, with their data", "pgha.yaml",
			order{Remove: []spec.Host{host(t, "db2"), host(t, "db3")}, Clean: true}},
		{"remove a balancer", "pgha.yaml", order{Remove: []spec.Host{host(t, "lb1")}}},
		{"replace a database that works", "pgha.yaml",
			order{Remove: []spec.Host{host(t, "db2")}, Add: []spec.Host{db4}, AddFirst: true}},
		{"replace a dead database, without a file", "",
			order{Remove: []spec.Host{host(t, "db2")}, Add: []spec.Host{db4},
				Dead: []string{"db2"}}},
		{"a new machine of the same name", "pgha.yaml",
			order{Renew: []spec.Host{host(t, "db2")}}},
		{"take that back", "pgha.yaml", order{Renew: []spec.Host{host(t, "db2")}}.inverse()},
		{"etcd to hosts of its own", "pgha.yaml", order{Add: etcds}},
		{"take that back", "pgha.yaml", order{Add: etcds}.inverse()},
		{"take the replacement of one that works back", "pgha.yaml",
			order{Remove: []spec.Host{host(t, "db2")}, Add: []spec.Host{db4},
				AddFirst: true}.inverse()},
	} {
		fmt.Fprintf(&text, "# %s: %s\n", tt.name, tt.subject())
		for i, s := range planned(tt.order, tt.file) {
			fmt.Fprintf(&text, "%2d %s\n", i+1, s.Name)
			if s.Cost != "" {
				fmt.Fprintf(&text, "   costs: %s\n", s.Cost)
			}
			fmt.Fprintf(&text, "   back: %s\n", cmp.Or(s.Back, "NONE"))
		}
	}
	golden.Check(t, "testdata/plans.txt", text.Bytes())
}

// TestUnion: every host of both, and no two balancers of one priority.
func TestUnion(t *testing.T) {
	t.Parallel()
	balancer := func(name string, priority int) spec.Host {
		return spec.Host{Name: name, Role: spec.RoleBalancer, Priority: priority}
	}
	from := &spec.Spec{Hosts: []spec.Host{balancer("a", 100), balancer("b", 90), balancer("c", 80)}}
	to := &spec.Spec{Hosts: []spec.Host{balancer("a", 100), balancer("c", 90), balancer("d", 80)}}
	var got []string
	for _, h := range union(from, to).Hosts {
		got = append(got, fmt.Sprint(h.Name, h.Priority))
	}
	if diff := gocmp.Diff([]string{"a100", "b90", "c80", "d79"}, got); diff != "" {
		t.Error(diff)
	}
	if len(from.Hosts) != 3 {
		t.Error("the specification of before was changed")
	}
}

// TestBalancerComesBack: a balancer that went, and comes back when another one has its priority,
// has one of its own.
func TestBalancerComesBack(t *testing.T) {
	t.Parallel()
	text := `version: 1
hosts:
  - {name: db, address: 10.0.0.1, role: database}
  - {name: b, address: 10.0.0.3, role: balancer}
  - {name: c, address: 10.0.0.4, role: balancer}
vip: {address: 10.0.0.9}
`
	came, err := editHosts([]byte(text), nil, []spec.Host{{Name: "a", Address: "10.0.0.2",
		Role: spec.RoleBalancer, Priority: 100}})
	if err != nil {
		t.Fatal(err)
	}
	sp, err := spec.Parse("pgha.yaml", came)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range sp.Balancers() {
		got = append(got, fmt.Sprint(h.Name, h.Priority))
	}
	if diff := gocmp.Diff([]string{"b100", "c90", "a80"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestReasons: what the cluster would lose is refused with figures, counting what is down already.
func TestReasons(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		gone   []string
		coming int
		down   []string
		change func(*spec.Spec, *status.Status)
		want   string
	}{
		"a replica":                   {gone: []string{"db2"}},
		"the leader":                  {gone: []string{"db1"}},
		"two of three":                {gone: []string{"db2", "db3"}},
		"a dead one":                  {gone: []string{"db3"}, down: []string{"db3"}},
		"the only ones left":          {gone: []string{"db1", "db2", "db3"}, want: "no member left"},
		"one that comes first":        {gone: []string{"db2"}, coming: 1},
		"all, and as many come first": {gone: []string{"db1", "db2", "db3"}, coming: 3},
		"no quorum, whoever comes": {gone: []string{"db3"}, coming: 3, down: []string{"db2", "db3"},
			want: "1 of its 3 members are healthy"},
		"no quorum": {gone: []string{"db3"}, down: []string{"db2", "db3"},
			want: "1 of its 3 members are healthy"},
		"the healthy ones": {gone: []string{"db1", "db2"}, down: []string{"db3"},
			want: "of the 1 members that stay 0 are healthy"},
		"nobody leads": {gone: []string{"db3"}, change: func(_ *spec.Spec, s *status.Status) {
			s.Members[0].Role = "replica"
		}, want: "no member leads"},
		"the last healthy copy": {gone: []string{"db1"}, change: func(_ *spec.Spec,
			s *status.Status) {
			s.Members[1].Healthy, s.Members[2].Healthy = false, false
		}, want: "no healthy member would be left with the data: 1 of 3 would go"},
		"strict": {gone: []string{"db2", "db3"}, change: func(sp *spec.Spec, _ *status.Status) {
			sp.Patroni.SynchronousMode = spec.SynchronousStrict
		}, want: "none would be left"},
		"strict, the leader": {gone: []string{"db1"}, change: func(sp *spec.Spec,
			_ *status.Status) {
			sp.Patroni.SynchronousMode = spec.SynchronousStrict
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sp, s := sitetest.PowerSpec(), sitetest.PowerStatus(tt.down...)
			if tt.change != nil {
				tt.change(sp, &s)
			}
			var gone []spec.Host
			for _, name := range tt.gone {
				gone = append(gone, host(t, name))
			}
			got := strings.Join(append(quorumReasons(s, gone, tt.coming), memberReasons(sp, s, gone, tt.coming)...), "; ")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestLastBalancer: the last one that works stays, unless another one comes first.
func TestLastBalancer(t *testing.T) {
	t.Parallel()
	lb4 := spec.Host{Name: "lb4", Role: spec.RoleBalancer}
	for name, tt := range map[string]struct {
		down    []string
		o       order
		refused bool
	}{
		"others work": {o: order{Remove: []spec.Host{host(t, "lb1")}}},
		"all": {o: order{Remove: []spec.Host{host(t, "lb1"), host(t, "lb2"), host(t, "lb3")}},
			refused: true},
		"the others are down": {down: []string{"lb2", "lb3"},
			o: order{Remove: []spec.Host{host(t, "lb1")}}, refused: true},
		"a dead one": {down: []string{"lb2", "lb3"}, o: order{Remove: []spec.Host{host(t, "lb2")}}},
		"one comes first": {down: []string{"lb2", "lb3"}, o: order{
			Remove: []spec.Host{host(t, "lb1")}, Add: []spec.Host{lb4}, AddFirst: true}},
		"one comes behind it": {down: []string{"lb2", "lb3"}, o: order{
			Remove: []spec.Host{host(t, "lb1")}, Add: []spec.Host{lb4}}, refused: true},
	} {
		from := sitetest.PowerSpec()
		to := *from
		to.Hosts = slices.Concat(site.Without(from.Hosts, tt.o.Remove), tt.o.Add)
		w := &work{order: tt.o, specifications: specifications{from: from, to: &to,
			all: union(from, &to)}}
		got := w.reasons(nil, sitetest.PowerStatus(tt.down...))
		if refused := len(got) == 1 && strings.Contains(got[0], "no balancer that works"); refused !=
			tt.refused || len(got) > 1 {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestOrderIsKept: a record has all that a later run needs.
func TestOrderIsKept(t *testing.T) {
	t.Parallel()
	o := order{Remove: []spec.Host{host(t, "db2")}, Add: []spec.Host{{Name: "db4",
		Address: "10.0.0.4", Role: spec.RoleDatabase, Member: "pg4",
		Tags: map[string]any{"nosync": true}, SSH: spec.HostSSH{Port: 2222}}},
		AddFirst: true, Dead: []string{"db2"}, Clean: true, Force: true}
	again, err := orderOf(procedure.Record{Order: o.text()})
	if diff := gocmp.Diff(o, again); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	back := o.inverse()
	if diff := gocmp.Diff(o.Remove, back.Add); diff != "" || back.Remove[0].Name != "db4" ||
		!back.AddFirst || !back.Clean {
		t.Errorf("%+v", back)
	}
	if _, err := orderOf(procedure.Record{Order: []byte(`[]`)}); err == nil {
		t.Error("a list is an order")
	}
}
