package connstring

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// FuzzKeywords writes a connection string and reads it with a driver: every value must come back as
// it was.
func FuzzKeywords(f *testing.F) {
	f.Add("postgres", "/home/me/state")
	f.Add("it's \\me", "/a b/c'd")
	f.Add("a=b sslmode=disable", "/tab\there/line\nhere")
	f.Fuzz(func(t *testing.T, user, dir string) {
		if user == "" || strings.ContainsAny(user+dir, "\x00") {
			return
		}
		c := Connection{User: user, Database: dir, SSLRootCert: "", PassFile: dir}
		cfg, err := pgconn.ParseConfig(strings.Replace(c.keywords("192.0.2.1", "5000"),
			" sslrootcert=''", "", 1))
		if err != nil {
			t.Fatalf("%v: %s", err, c.keywords("192.0.2.1", "5000"))
		}
		if cfg.User != user || dir != "" && cfg.Database != dir || cfg.Host != "192.0.2.1" ||
			cfg.Port != 5000 || cfg.TLSConfig == nil {
			t.Errorf("%q and %q are read as %q and %q", user, dir, cfg.User, cfg.Database)
		}
	})
}
