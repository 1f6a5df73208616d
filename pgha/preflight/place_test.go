package preflight

import "testing"

// TestPlace leads each finding to its field's place.
func TestPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		found Finding
		want  string
	}{
		{Finding{Field: "postgresql.parameters.work_mem"}, "postgresql.parameters.work_mem"},
		{Finding{Field: "postgresql.pg_hba[0]", Host: "pg1, pg2"}, "postgresql.pg_hba[0]"},
		{Finding{Field: "hosts[].address", Host: "pg2, pg3"}, "hosts[1].address"},
		{Finding{Field: "hosts[].member", Host: "pg3"}, "hosts[2].member"},
		// which is no field: the section's place
		{Finding{Field: "hosts[].member"}, "hosts[-1].member"},
		{Finding{Field: "hosts", Host: "pg1"}, "hosts"},
		{Finding{About: "postgresql.data_dir", Host: "pg3"}, "postgresql.data_dir"},
		{Finding{Field: "etcd.client_port", About: "hosts"}, "etcd.client_port"},
		{Finding{Field: `the rule "local all all peer"`}, ""},
		{Finding{Host: "pg1"}, ""},
	} {
		c.found.Problem = "it is wrong"
		found := []Finding{c.found}
		Place(found, []string{"pg1", "pg2", "pg3"},
			func(field string) string { return "at " + field })
		at, text := "", "it is wrong"
		if c.want != "" {
			at, text = "at "+c.want, "at "+c.want+": it is wrong"
		}
		if found[0].At != at || found[0].Text() != text {
			t.Errorf("%+v: at %q, %s", c.found, found[0].At, found[0].Text())
		}
	}
}
