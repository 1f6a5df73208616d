package pgha

import (
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestConnectionStringsParseAndHoldNoPassword(t *testing.T) {
	t.Parallel()
	sp := testSpec(t)
	s, err := openState(sp.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	cr, err := loadCredentials(t.Context(), s, sp)
	if err != nil {
		t.Fatal(err)
	}
	s.close()
	c, err := ConnectionFor(sp)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{c.DSN, c.ReadDSN, c.MultiHost, c.URL} {
		cfg, err := pgx.ParseConfig(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if strings.Contains(text, cr.superuser) {
			t.Errorf("a password stands in %s", text)
		}
		if cfg.Password != cr.superuser || cfg.User != "postgres" || cfg.TLSConfig == nil || cfg.TLSConfig.InsecureSkipVerify {
			t.Errorf("%s: user %q, TLS %v, password from the file: %v", text, cfg.User, cfg.TLSConfig, cfg.Password == cr.superuser)
		}
	}
	if info, err := os.Stat(c.PassFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("password file: %v %v", info, err)
	}
	if !strings.Contains(c.DSN, "host=192.0.2.100 port=5432 ") || !strings.Contains(c.DSN, "sslmode=verify-full") {
		t.Errorf("DSN %s", c.DSN)
	}
}

func TestQuoting(t *testing.T) {
	t.Parallel()
	if got := quoteKeyword(`it's a \ path`); got != `'it\'s a \\ path'` {
		t.Errorf("keyword: %s", got)
	}
	if got := escapePgpass(`a:b\c`); got != `a\:b\\c` {
		t.Errorf("pgpass: %s", got)
	}
}
