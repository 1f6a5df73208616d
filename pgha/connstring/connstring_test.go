package connstring

import (
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/internal/pgsession"
)

func TestConnectionStringsParseAndHoldNoPassword(t *testing.T) {
	t.Parallel()
	_, cr, c := applied(t)
	for _, text := range []string{c.DSN, c.ReadDSN, c.MultiHost, c.URL} {
		cfg, err := pgx.ParseConfig(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if _, hasLimits := cfg.RuntimeParams["tcp_user_timeout"]; hasLimits == (text == c.URL) {
			t.Errorf("%s: what the driver hands to the server: %v", text, cfg.RuntimeParams)
		}
		if strings.Contains(text, string(cr.Superuser.Reveal())) {
			t.Errorf("a password stands in %s", text)
		}
		if cfg.Password != string(cr.Superuser.Reveal()) || cfg.User != "postgres" ||
			cfg.TLSConfig == nil ||
			cfg.TLSConfig.InsecureSkipVerify {
			t.Errorf("%s: user %q, TLS %v, password from the file: %v", text, cfg.User,
				cfg.TLSConfig,
				cfg.Password == string(cr.Superuser.Reveal()))
		}
	}
	if info, err := os.Stat(c.PassFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("password file: %v %v", info, err)
	}
	if !strings.Contains(c.DSN, "host=192.0.2.100 port=5432 ") ||
		!strings.Contains(c.DSN, "sslmode=verify-full") {
		t.Errorf("DSN %s", c.DSN)
	}
}

func TestQuoting(t *testing.T) {
	t.Parallel()
	if got := quoteKeyword(`it's a \ path`); got != `'it\'s a \\ path'` {
		t.Errorf("keyword: %s", got)
	}
	if got := quoteKeyword(""); got != "''" {
		t.Errorf("keyword: %s", got)
	}
	if got := quoteC("a\"b\\c\nd\x01é"); got != `"a\"b\\c\nd\u0001é"` {
		t.Errorf("literal: %s", got)
	}
	if got := pgsession.PassFileField(`a:b\c`); got != `a\:b\\c` {
		t.Errorf("pgpass: %s", got)
	}
}

// TestSeveralHostsParse: without balancers a driver finds every database in the string.
func TestSeveralHostsParse(t *testing.T) {
	t.Parallel()
	_, _, c := applied(t)
	for _, hosts := range [][]string{{"192.0.2.11", "192.0.2.12"}, {"2001:db8::11", "2001:db8::12"},
		{"a.example.com", "b.example.com"}} {
		c.hosts = hosts
		unbalanced(&c)
		c.render()
		for _, name := range []string{"psql", "uri", "multi-host", "pgx", "lib-pq"} {
			f, _ := c.Form(name)
			for _, text := range []string{f.Write.String, f.Read.String} {
				cfg, err := pgx.ParseConfig(text)
				if err != nil {
					t.Errorf("%s: %v", text, err)
					continue
				}
				seen := map[string]bool{cfg.Host: true}
				for _, other := range cfg.Fallbacks {
					seen[other.Host] = true
				}
				if !seen[hosts[0]] || !seen[hosts[1]] || cfg.ValidateConnect == nil {
					t.Errorf("%s leads to %v", text, seen)
				}
			}
		}
	}
}
