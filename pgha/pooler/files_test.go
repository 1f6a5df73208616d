package pooler

import (
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
)

// TestRules: the console, the lookups and the cluster's own roles are nobody's, whatever networks
// clients come from, and nobody gets in without TLS.
func TestRules(t *testing.T) {
	t.Parallel()
	o := Options{Refused: []string{"replicator"}, Clients: []string{"10.0.0.0/8"}}.WithDefaults()
	got, err := o.rules()
	if err != nil {
		t.Fatal(err)
	}
	const want = `# Written by pgha.
host pgbouncer,pgha_lookup all all reject
host all "pgha_pooler","replicator" all reject
hostssl all all 10.0.0.0/8 scram-sha-256
`
	if string(got) != want {
		t.Errorf("got:\n%s", got)
	}
	o.StatsRoles = []string{"metrics", "admin"}
	from := "10.0.0.0/8"
	for range 2 {
		got, err := o.rules()
		text := strings.TrimPrefix(string(got), "# Written by pgha.\n")
		if line, _, _ := strings.Cut(text, "\n"); err != nil || line !=
			`hostssl pgbouncer "metrics","admin" `+from+" scram-sha-256" {
			t.Errorf("%v, got:\n%s", err, got)
		}
		from, o.StatsNetworks = "10.9.0.0/16", []string{"10.9.0.0/16"}
	}
	o.Refused = []string{`a"b`}
	if _, err := o.rules(); err == nil {
		t.Error("a quote goes into the rules")
	}
}

// TestSecrets: the one password is in the one file that is secret.
func TestSecrets(t *testing.T) {
	t.Parallel()
	o := Options{Sizes: Sizes{1, 1}, LookupPassword: pki.NewSecret([]byte("S3CRET"))}.WithDefaults()
	if got := string(o.users()); got != "\"pgha_pooler\" \"S3CRET\"\n" {
		t.Errorf("users: %s", got)
	}
	l := Layout(o)
	for _, f := range l.Files {
		if f.Secret != (f.Path == usersPath || f.Path == layout.CertificateOf(layout.Pooler).Key) {
			t.Errorf("%s: secret is %v", f.Path, f.Secret)
		}
		if f.Secret && f.Mode&0o007 != 0 {
			t.Errorf("everybody may read %s", f.Path)
		}
	}
	for _, i := range Instances() {
		if strings.Contains(string(o.unit(i)), "S3CRET") {
			t.Errorf("the unit for %ss has the password", i)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	got := parse("write\tversion\tversion=PgBouncer 1.26.1\n" +
		"write\tstate\tkey=active\tvalue=yes\nwrite\tstate\tkey=paused\tvalue=no\n" +
		"write\tdatabases\tname=shop\tpaused=1\n" +
		"write\tpools\tdatabase=pgbouncer\tcl_active=1\n" +
		"write\tpools\tdatabase=shop\tcl_active=3\tcl_waiting=2\tmaxwait=4\tsv_active=3\tsv_idle=1\n" +
		"read\tsilent\nnonsense\n")
	want := InstanceState{Version: "PgBouncer 1.26.1", Paused: true, Active: 3, Waiting: 2,
		Servers: 4, MaxWait: 4e9}
	if got[Write] != want || !got[Read].Silent || len(got) != 2 {
		t.Errorf("got %+v", got)
	}
}
