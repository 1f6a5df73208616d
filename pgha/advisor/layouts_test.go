package advisor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/spec"
)

// layoutOf is a specification of hosts with these roles: "a" has the first ones, "b" the next.
func layoutOf(t *testing.T, roles ...string) *spec.Spec {
	t.Helper()
	text := "version: 1\nhosts:\n"
	for i, r := range roles {
		text += fmt.Sprintf("  - {name: %c, address: 10.0.0.%d, roles: [%s]}\n", 'a'+i, i+1, r)
	}
	sp, err := spec.Parse("pgha.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// TestLossesOfLayouts works out what the loss of a host does where etcd has hosts of its own.
func TestLossesOfLayouts(t *testing.T) {
	t.Parallel()
	const both, data, vote = "database, etcd", "database", "etcd"
	for name, tt := range map[string]struct {
		roles []string
		down  []string
		want  []string // what is lost, why nobody writes then, and what must not be lost next
	}{
		"two databases and a witness": {roles: []string{both, both, vote}, want: []string{
			"a (leader): writes go on; next b c",
			"b (replica, leads etcd): writes go on; next a c",
			"c (etcd alone): writes go on; next a b",
			"etcd's quorum (2 of its 3 members; the databases run on): writes go on; next a b",
		}},
		"the witness is down": {roles: []string{both, both, vote}, down: []string{"c"},
			want: []string{
				"a (leader): etcd has no quorum: 1 of its 3 members are left; next ",
				"b (replica, leads etcd): etcd has no quorum: 1 of its 3 members are left; next ",
				"etcd's quorum (1 of its 3 members; the databases run on): writes go on; next a b",
			}},
		"etcd apart": {roles: []string{data, data, vote, vote, vote}, want: []string{
			"a (leader): writes go on; next b",
			"b (replica): writes go on; next a",
			"c (etcd alone, leads etcd): writes go on; next ",
			"d (etcd alone): writes go on; next ",
			"e (etcd alone): writes go on; next ",
			"etcd's quorum (2 of its 3 members; the databases run on): writes go on; next a b",
		}},
		"etcd apart, one down": {roles: []string{data, data, vote, vote, vote},
			down: []string{"e"}, want: []string{
				"a (leader): writes go on; next b c d",
				"b (replica): writes go on; next a c d",
				"c (etcd alone, leads etcd): writes go on; next a b",
				"d (etcd alone): writes go on; next a b",
				"etcd's quorum (1 of its 3 members; the databases run on): writes go on; next a b",
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, l := range Losses(Expected(layoutOf(t, tt.roles...)).without(tt.down...),
				Facts{}) {
				blocked := l.Blocked
				if blocked == "" {
					blocked = "writes go on"
				}
				var next []string
				for _, f := range l.Fatal {
					next = append(next, f.Hosts...)
				}
				got = append(got, l.What+": "+blocked+"; next "+strings.Join(next, " "))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestRemovalFromLayouts: quorum is counted over the hosts of etcd, spares over the databases.
func TestRemovalFromLayouts(t *testing.T) {
	t.Parallel()
	const both, data, vote = "database, etcd", "database", "etcd"
	witness := Expected(layoutOf(t, both, both, vote))
	apart := Expected(layoutOf(t, data, data, data, vote, vote, vote))
	for name, tt := range map[string]struct {
		topology Topology
		hosts    []string
		want     string
	}{
		"a database beside a witness":  {witness, []string{"b"}, ""},
		"the witness":                  {witness, []string{"c"}, ""},
		"a database without a witness": {witness.without("c"), []string{"b"}, "1 of its 3 members"},
		"every database":               {witness, []string{"a", "b"}, "no healthy member"},
		"two databases of three":       {apart, []string{"a", "b"}, "no second healthy member"},
		"one host of etcd":             {apart, []string{"d"}, ""},
		"two hosts of etcd":            {apart, []string{"d", "e"}, "1 of its 3 members"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := strings.Join(Removal(tt.topology, tt.hosts...), "; ")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("reasons %q, want %q", got, tt.want)
			}
		})
	}
}
