package spec_test

import (
	"testing"

	"github.com/pgha/toolkit/pgha/spec"
)

// TestAt finds a field's place, or that of what would hold it.
func TestAt(t *testing.T) {
	t.Parallel()
	const text = `version: 1
hosts:
  - {name: db, address: 10.0.0.1, role: database}
postgresql:
  parameters:
    work_mem: 8MB
    auto_explain.log_analyze: on
  pg_hba:
    - host all all 10.0.0.0/8 reject
`
	sp := parse(t, "pgha.yaml", text)
	for field, want := range map[string]string{
		"hosts[0].address":                               "3:25",
		"hosts[0].interface":                             "3:5",
		"hosts[].member":                                 "2:1",
		"postgresql.parameters.work_mem":                 "6:15",
		"postgresql.parameters.auto_explain.log_analyze": "7:31",
		"postgresql.parameters.fsync":                    "5:3",
		"postgresql.pg_hba[0]":                           "9:7",
		"hosts[-1].address":                              "2:1",
		"etcd.client_port":                               "1:1",
		"":                                               "1:1",
	} {
		if at := sp.At(field); at != "pgha.yaml:"+want {
			t.Errorf("%s: %s, want %s", field, at, want)
		}
	}
	if at := spec.New().At("postgresql"); at != "" {
		t.Errorf("of no file: %s", at)
	}
	other := parse(t, "other.yaml", "\n"+text)
	if sp.StateDir = other.StateDir; !sp.Equal(other) || !other.Equal(sp) {
		t.Error("a line further down it says something else")
	}
	if other.Etcd.ClientPort++; sp.Equal(other) {
		t.Error("another port is the same")
	}
}
