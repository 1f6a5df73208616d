package host_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgpassfile"

	"github.com/pgha/toolkit/internal/golden"
	"github.com/pgha/toolkit/pgha/internal/reference"
	"github.com/pgha/toolkit/pgha/patroni/host"
	"github.com/pgha/toolkit/pgha/pki"
)

// TestPassFile has the file read by the parser of pgx, which follows libpq's rules.
func TestPassFile(t *testing.T) {
	t.Parallel()
	for _, password := range []string{
		"plain password", `it's "quoted" $(id) $$ a:b\c #`, `\`, ":", "#", "pä\"ß'\\$(x) 密码",
		strings.Repeat("密:", 100), "*",
	} {
		o := reference.Options().WithDefaults()
		o.Rewind = host.Credentials{Username: `re:wind\`, Password: pki.NewSecret([]byte(password))}
		o.Replication.Password = pki.NewSecret([]byte("another " + password))
		parsed, err := pgpassfile.ParsePassfile(strings.NewReader(string(o.PassFile())))
		if err != nil {
			t.Fatal(err)
		}
		if got := parsed.FindPassword("192.168.0.203", "5432", "postgres",
			`re:wind\`); got != password {
			t.Errorf("%q became %q", password, got)
		}
		if got := parsed.FindPassword("localhost", "5432", "replication",
			"replicator"); got != "another "+password {
			t.Errorf("%q became %q", password, got)
		}
		if got := parsed.FindPassword("localhost", "5432", "postgres", "postgres"); got != "" {
			t.Errorf("the superuser's password lies on the hosts")
		}
	}
}

func TestRolesSQL(t *testing.T) {
	t.Parallel()
	o := reference.Options().WithDefaults()
	o.Superuser.Username, o.Rewind.Username = "admin", "o'Rewind"
	golden.Check(t, filepath.Join("testdata", "roles.sql"), []byte(o.RolesSQL()))
}
