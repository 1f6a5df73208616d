package patroni

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgpassfile"

	"github.com/pgha/toolkit/internal/golden"
)

// TestPassFile has the file read by the parser of pgx, which follows libpq's rules.
func TestPassFile(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"plain password", `it's "quoted" $(id) $$ a:b\c #`, `\`, ":", "#", "pä\"ß'\\$(x) 密码", strings.Repeat("密:", 100), "*"} {
		o := plainOptions().withDefaults()
		o.Rewind = Credentials{Username: `re:wind\`, Password: password}
		o.Replication.Password = "another " + password
		parsed, err := pgpassfile.ParsePassfile(strings.NewReader(string(o.passFile())))
		if err != nil {
			t.Fatal(err)
		}
		if got := parsed.FindPassword("192.168.0.203", "5432", "postgres", `re:wind\`); got != password {
			t.Errorf("%q became %q", password, got)
		}
		if got := parsed.FindPassword("localhost", "5432", "replication", "replicator"); got != "another "+password {
			t.Errorf("%q became %q", password, got)
		}
		if got := parsed.FindPassword("localhost", "5432", "postgres", "postgres"); got != "" {
			t.Errorf("the superuser's password lies on the hosts")
		}
	}
}

func TestRolesSQL(t *testing.T) {
	t.Parallel()
	o := plainOptions().withDefaults()
	o.Superuser.Username, o.Rewind.Username = "admin", "o'Rewind"
	golden.Check(t, filepath.Join("testdata", "roles.sql"), []byte(o.rolesSQL()))
}

// TestPasswordsLieWhereTheyMust looks through everything that is written to the hosts.
func TestPasswordsLieWhereTheyMust(t *testing.T) {
	t.Parallel()
	o := fullOptions(t)
	if err := Install(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for i, m := range o.Members {
		host := m.Target.Executor.(*fakeHost)
		for path, content := range host.files {
			if has := strings.Contains(content, "-password"); has != strings.HasPrefix(path, passPath) {
				t.Errorf("%s of %s holds a password: %v", path, m.Name, has)
			}
			if strings.Contains(content, "SCRAM-SHA-256$") && (i != 0 || !strings.HasPrefix(path, rolesPath)) {
				t.Errorf("%s of %s holds a verifier", path, m.Name)
			}
		}
		for _, line := range host.done {
			if strings.HasPrefix(line, "put "+passPath) != strings.HasSuffix(line, " -rw------- postgres") && strings.Contains(line, passPath) {
				t.Errorf("%s: %s", m.Name, line)
			}
		}
	}
}
