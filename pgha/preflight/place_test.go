package preflight_test

import (
	"testing"

	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestPlace leads each finding to the line of its field.
func TestPlace(t *testing.T) {
	t.Parallel()
	const text = `version: 1
hosts:
  - {name: pg1, address: 10.0.0.1, role: database}
  - {name: pg2, address: 10.0.0.2, role: database}
  - {name: pg3, address: 10.0.0.3, role: database}
postgresql:
  parameters: {Work_Mem: 8MB}
  pg_hba: [host all all 10.0.0.0/8 reject]
`
	sp, err := spec.Parse("pgha.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		found preflight.Finding
		want  string
	}{
		{preflight.Finding{Field: "postgresql.parameters.Work_Mem"}, "pgha.yaml:7:26"},
		{preflight.Finding{Field: "postgresql.pg_hba[0]", Host: "pg1, pg2"}, "pgha.yaml:8:12"},
		{preflight.Finding{Field: "hosts[].address", Host: "pg2, pg3"}, "pgha.yaml:4:26"},
		{preflight.Finding{Field: "hosts[].member", Host: "pg2"}, "pgha.yaml:4:5"},
		{preflight.Finding{Field: "hosts"}, "pgha.yaml:2:1"},
		{preflight.Finding{About: "postgresql.data_dir", Host: "pg3"}, "pgha.yaml:6:1"},
		{preflight.Finding{About: "etcd.client_port"}, "pgha.yaml:1:1"},
		{preflight.Finding{Field: `the rule "local all all peer"`}, ""},
		{preflight.Finding{Host: "pg1"}, ""},
	} {
		c.found.Problem = "it is wrong"
		found := []preflight.Finding{c.found}
		preflight.Place(sp, found)
		text := found[0].Text()
		if found[0].At != c.want || c.want != "" && text != c.want+": it is wrong" || c.want == "" && text != "it is wrong" {
			t.Errorf("%+v: at %q, %s", c.found, found[0].At, text)
		}
	}
}
