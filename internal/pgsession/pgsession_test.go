package pgsession_test

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/pgsession"
)

// login is what every test wants to get, whatever is around it.
func login() pgsession.Login {
	return pgsession.Login{Host: "10.0.0.1", Port: 5442, Database: "postgres", User: "admin",
		Password: "p", TLS: &tls.Config{ServerName: "10.0.0.1"},
		Settings: pgsession.Settings(18, pgsession.Superuser, "pgha")}
}

// TestConfigTakesNothing sets every variable that pgx reads, to what would lead it astray or make
// it fail.
func TestConfigTakesNothing(t *testing.T) {
	home := t.TempDir()
	write(t, filepath.Join(home, ".pgpass"), "*:*:*:*:wrong\n", 0o600)
	write(t, filepath.Join(home, ".pg_service.conf"), "[prod]\nhost=192.0.2.1\nuser=other\n", 0o600)
	write(t, filepath.Join(home, ".postgresql", "root.crt"), "no certificate", 0o600)
	for name, value := range map[string]string{
		"HOME": home, "PGHOST": "192.0.2.1,192.0.2.2", "PGPORT": "no port", "PGDATABASE": "other",
		"PGUSER": "other", "PGPASSWORD": "wrong",
		"PGPASSFILE": filepath.Join(home, ".pgpass"), "PGAPPNAME": "other",
		"PGCONNECT_TIMEOUT": "soon",
		"PGSSLMODE":         "none such",
		"PGSSLKEY":          "/nonexistent", "PGSSLCERT": "/nonexistent",
		"PGSSLCERTMODE": "none such",
		"PGSSLSNI":      "0", "PGSSLROOTCERT": "/nonexistent",
		"PGSSLPASSWORD": "x", "PGSSLNEGOTIATION": "direct", "PGTARGETSESSIONATTRS": "standby",
		"PGSERVICE":     "nobody knows it",
		"PGSERVICEFILE": "/nonexistent", "PGTZ": "Mars", "PGOPTIONS": "-c statement_timeout=1",
		"PGMINPROTOCOLVERSION": "9.9",
		"PGMAXPROTOCOLVERSION": "0.1", "PGCHANNELBINDING": "require", "PGREQUIREAUTH": "none",
	} {
		t.Setenv(name, value)
	}
	for _, service := range []string{"nobody knows it", "prod", ""} {
		t.Setenv("PGSERVICE", service)
		cfg, err := login().Config()
		if err != nil {
			t.Fatal(err)
		}
		if cfg.ValidateConnect != nil {
			t.Error("a session is judged by PGTARGETSESSIONATTRS")
		}
		got := []any{
			cfg.Host, cfg.Port, cfg.Database, cfg.User, cfg.Password, cfg.TLSConfig.ServerName,
			len(cfg.Fallbacks), cfg.ChannelBinding, cfg.RequireAuth, cfg.SSLNegotiation,
			cfg.MaxProtocolVersion,
		}
		want := []any{
			"10.0.0.1", uint16(5442), "postgres", "admin", "p", "10.0.0.1", 0, "prefer", "",
			"postgres", "3.0",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(login().Settings, cfg.RuntimeParams); diff != "" {
			t.Error(diff)
		}
	}
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		version        int
		as             pgsession.Role
		known, unknown []string
	}{
		{
			13, pgsession.Superuser, []string{"session_preload_libraries"},
			[]string{"idle_session_timeout", "transaction_timeout", "event_triggers"},
		},
		{16, pgsession.Superuser, []string{"idle_session_timeout"},
			[]string{"transaction_timeout", "event_triggers"}},
		{18, pgsession.Superuser, []string{"transaction_timeout", "event_triggers",
			"lc_messages"}, nil},
		{
			18, pgsession.Ordinary, []string{"transaction_timeout"},
			[]string{"event_triggers", "session_preload_libraries", "session_replication_role",
				"lc_messages"},
		},
	} {
		set := pgsession.Settings(test.version, test.as, "x")
		for _, name := range append(test.known, "statement_timeout", "lock_timeout",
			"default_transaction_read_only", "search_path", "role", "DateStyle") {
			if _, ok := set[name]; !ok {
				t.Errorf("version %d: %s is missing", test.version, name)
			}
		}
		for _, name := range test.unknown {
			if _, ok := set[name]; ok {
				t.Errorf("version %d: %s is refused there", test.version, name)
			}
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	got := pgsession.Options(map[string]string{"b": "read committed", "a": `x\y`, "c": ""})
	if want := `-c a=x\\y -c b=read\ committed -c c=`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPsql(t *testing.T) {
	t.Parallel()
	got := pgsession.Psql("/bin/psql", map[string]string{"a": "1"}, "-c", "SELECT 1")
	want := []string{
		"env", "-i", "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=/nonexistent",
		"PGOPTIONS=-c a=1",
		"/bin/psql", "-X", "-w", "-c", "SELECT 1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestUnset(t *testing.T) {
	t.Parallel()
	got := strings.Join(pgsession.Unset("psql", "-c", "SELECT 1"), " ")
	for _, name := range []string{"PGHOSTADDR", "PGSERVICE", "PGTARGETSESSIONATTRS", "PGPASSWORD"} {
		if !strings.HasPrefix(got, "env -u ") || !strings.Contains(got, " -u "+name+" ") ||
			!strings.HasSuffix(got, " psql -c SELECT 1") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	keep := []string{
		"PATH=/bin", "PGOPTIONS=-c work_mem=1GB", "PGAPPNAME=me", "PSQLRC=/x",
		"PGHOSTS=not libpq's", "PAGER=less",
	}
	drop := "PGHOST=a PGHOSTADDR=b PGPORT=1 PGSERVICE=x PGSSLROOTCERT=/x " +
		"PGTARGETSESSIONATTRS=standby PGUSER= PGPASSWORD=wrong PGLOADBALANCEHOSTS=random " +
		"PGREQUIREAUTH=none"
	got := pgsession.Environment(slices.Concat(keep, strings.Fields(drop)))
	if diff := cmp.Diff(keep, got); diff != "" {
		t.Error(diff)
	}
}

func TestRemedy(t *testing.T) {
	t.Parallel()
	got := strings.Join(pgsession.Remedy(18, 5442, "admin", "-c", "SELECT 1"), " ")
	want := `runuser -u postgres -- env -i PATH=/usr/bin:/bin PGOPTIONS=-c default_transaction_isolation=read\ committed -c default_transaction_read_only=off ` +
		`-c event_triggers=off -c lock_timeout=0 -c role=none -c search_path=pg_catalog -c statement_timeout=0 -c transaction_timeout=0 psql -X -p 5442 -U admin -d postgres -c SELECT 1`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if old := strings.Join(pgsession.Remedy(14, 5432, "postgres"), " "); strings.Contains(old,
		"transaction_timeout") || strings.Contains(old, "event_triggers") {
		t.Errorf("PostgreSQL 14 knows no such setting: %s", old)
	}
}
