package change_test

import (
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/change"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestJudgeSlots: the slots of a specification against what the members have.
func TestJudgeSlots(t *testing.T) {
	t.Parallel()
	cdc := spec.Slot{Name: "cdc", Database: "app"}
	wal2json := spec.Slot{Name: "cdc", Database: "app", Plugin: "wal2json"}
	there := func(rest string) string {
		return "slot logical cdc\nslot-of {\"name\": \"cdc\", " + rest + "}\n"
	}
	for name, tt := range map[string]struct {
		slots   []spec.Slot
		server  string // what it says of itself; "" for hosts without one
		written []string
		plugins []string
		want    []string // words of each refusal
	}{
		"new":               {slots: []spec.Slot{cdc}, server: "database app\n"},
		"no such database":  {[]spec.Slot{cdc}, "database postgres\n", nil, nil, []string{"no database app"}},
		"a new cluster":     {[]spec.Slot{cdc}, "", nil, nil, []string{"a new cluster has no database app"}},
		"a new cluster's":   {slots: []spec.Slot{{Name: "cdc", Database: "postgres"}}},
		"there already":     {slots: []spec.Slot{cdc}, server: "database app\n" + there(`"database": "app", "plugin": "pgoutput", "active": true, "failover": false`)},
		"another plugin":    {[]spec.Slot{cdc}, "database app\n" + there(`"database": "app", "plugin": "wal2json"`), nil, nil, []string{"decoded by wal2json"}},
		"a failover slot":   {[]spec.Slot{cdc}, "database app\n" + there(`"database": "app", "plugin": "pgoutput", "failover": true`), nil, nil, []string{"PostgreSQL itself copies it"}},
		"plugin missing":    {[]spec.Slot{wal2json}, "database app\n", nil, []string{}, []string{"/usr/lib/postgresql/18/lib/wal2json.so on db1"}},
		"plugin there":      {slots: []spec.Slot{wal2json}, server: "database app\n", plugins: []string{"wal2json"}},
		"removed, read":     {nil, there(`"database": "app", "plugin": "pgoutput", "active": true`), []string{"cdc"}, nil, []string{"somebody reads that slot on db1"}},
		"removed, not read": {server: there(`"database": "app", "plugin": "pgoutput", "active": false`), written: []string{"cdc"}},
		"another's, read":   {server: there(`"database": "app", "plugin": "pgoutput", "active": true`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sp := spec.New()
			sp.Hosts = []spec.Host{{Name: "db1", Address: "10.0.0.1", Role: spec.RoleDatabase}}
			sp.PostgreSQL.Slots = tt.slots
			if err := sp.Complete(); err != nil {
				t.Fatal(err)
			}
			host := change.Host{Plugins: tt.plugins}
			if tt.server != "" {
				host = change.Read("== databases\nencoding UTF8\nlocale C.UTF-8\n" + tt.server +
					"sessions 1\n")
				host.Plugins = tt.plugins
				host.Patroni = &change.Patroni{Scope: sp.Cluster, Namespace: "/service/",
					DataDir: sp.PostgreSQL.DataDir, Slots: tt.written, Superuser: "postgres",
					Replication: "replicator", Rewind: "rewind_user"}
			}
			got := change.Judge(sp, change.Running{Hosts: map[string]change.Host{"db1": host}})
			if len(got) != len(tt.want) {
				t.Fatalf("refusals: %v, want %q", got, tt.want)
			}
			for i, words := range tt.want {
				if !strings.Contains(got[i].Problem, words) || got[i].Way == "" {
					t.Errorf("%v, want %q", got[i], words)
				}
			}
		})
	}
}
