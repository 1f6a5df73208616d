package change_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/change"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestEveryFieldIsInTheTable walks a specification's types: anyone who adds a field has to say what
// a change of it means.
func TestEveryFieldIsInTheTable(t *testing.T) {
	t.Parallel()
	want := testkit.Fields()
	want = append(want, "hosts", "vip") // as a whole: what comes and what goes
	var have []string
	for _, f := range change.Fields() {
		if slices.Contains(have, f.Name) {
			t.Errorf("%s is in the table twice", f.Name)
		}
		have = append(have, f.Name)
		if !slices.Contains(want, f.Name) {
			t.Errorf("%s is in the table, but is no field", f.Name)
		}
	}
	for _, name := range want {
		if !slices.Contains(have, name) {
			t.Errorf("%s is not in the table: say in pgha/change what a change of it means on a "+
				"cluster that runs", name)
		}
	}
}

func TestRowsAreWhole(t *testing.T) {
	t.Parallel()
	for _, f := range change.Fields() {
		refused := f.Effect == change.Refused
		if refused != (f.What == "") || refused && (f.Why == "" || f.Way == "") {
			t.Errorf("%s: %+v lacks a sentence", f.Name, f)
		}
		if strings.HasSuffix(f.Why, ".") || strings.HasSuffix(f.Way, ".") ||
			f.What != "" && !strings.HasSuffix(f.What, ".") {
			t.Errorf("%s: What is a sentence, Why and Way are clauses: %+v", f.Name, f)
		}
	}
}

// TestEveryRefusedFieldIsJudged makes every row that says refused come true: a row alone keeps
// nobody from anything.
func TestEveryRefusedFieldIsJudged(t *testing.T) {
	t.Parallel()
	judged := map[string]bool{}
	for _, r := range wrong(t) {
		judged[r.Field] = true
		if r.Problem == "" || r.Way == "" || strings.Contains(r.Problem+r.Way, "%") {
			t.Errorf("%+v", r)
		}
	}
	for _, f := range change.Fields() {
		// roles change with the members: TestRolesOfMembers
		if f.Effect == change.Refused && !strings.HasPrefix(f.Name, "hosts[].role") &&
			!judged[f.Name] {
			t.Errorf("%s says refused, and nothing judges it", f.Name)
		}
	}
}

// wrong are the refusals of a specification of which nothing is true.
func wrong(t *testing.T) []change.Refusal {
	t.Helper()
	no := false
	sp := spec.New()
	sp.Hosts = []spec.Host{
		{Name: "db1", Address: "10.0.0.1", Role: spec.RoleDatabase},
		{Name: "db2", Address: "10.0.0.2", Role: spec.RoleDatabase},
		{Name: "db3", Address: "10.0.0.3", Role: spec.RoleDatabase},
		{Name: "lb1", Address: "10.0.0.8", Role: spec.RoleBalancer},
		{Name: "lb2", Address: "10.0.0.9", Role: spec.RoleBalancer},
	}
	sp.PostgreSQL.Slots = []spec.Slot{
		{Name: "a", Database: "x"}, {Name: "b", Database: "x"}, {Name: "c", Type: spec.SlotPhysical},
	}
	if err := sp.Complete(); err != nil {
		t.Fatal(err)
	}
	running := change.Running{
		Store: &change.Store{
			Version: "3.6.99", Scopes: []change.Scope{{Namespace: "/other/", Name: "other"}},
			Members: []change.StoreMember{
				{Name: "db1", PeerURLs: []string{"https://10.0.0.77:2380"}},
				{Name: "x", PeerURLs: []string{"https://10.0.0.2:2380"}},
				{Name: "y", PeerURLs: []string{"https://10.0.0.66:2380"}},
			},
		},
		Hosts: map[string]change.Host{
			"db1": {
				Etcd:   &change.Etcd{DataDir: "/e", ClientPort: 1, PeerPort: 2},
				Server: &change.Server{DataDir: "/d", Port: 3, Scope: "other"},
				Patroni: &change.Patroni{
					Scope: "other", Namespace: "other", DataDir: "/d", RESTPort: 4, Superuser: "a",
					Replication: "b", Rewind: "c",
				},
				Data:      map[string]change.Data{"/d": {Version: 16, Checksums: &no}},
				Databases: &change.Databases{Encoding: "LATIN1", Locale: "C"},
				InUse: &change.InUse{Slots: []change.Slot{
					{Name: "a", Logical: true, Database: "y", Plugin: "pgoutput"},
					{Name: "b", Logical: true, Database: "x", Plugin: "wal2json"},
					{Name: "c", Logical: true, Database: "x", Plugin: "pgoutput"},
				}},
			},
			"lb1": {Keepalived: &change.Keepalived{Address: "10.0.0.10"}},
		},
	}
	return change.Judge(sp, running)
}
