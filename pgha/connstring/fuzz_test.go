package connstring

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// FuzzNames writes connection strings for hostile names and reads them with a driver: every value
// must come back as it was.
func FuzzNames(f *testing.F) {
	f.Add("postgres", "/home/me/state")
	f.Add("it's \\me", "/a b/c'd")
	f.Add("a=b sslmode=disable", "/tab\there/line\nhere")
	f.Add("me@home:5/x?y#z&a=b%41+", "?sslmode=disable&100%/+ ")
	f.Add("Jürgen \"der\" 表", "///")
	f.Fuzz(func(t *testing.T, user, database string) {
		if user == "" || database == "" || strings.ContainsRune(user+database, 0) {
			return
		}
		for _, host := range []string{"192.0.2.1", "2001:db8::1"} {
			c := Connection{Host: host, Port: 5000, User: user, Database: database, balanced: true,
				hosts: []string{host}, port: 5432, PassFile: "/nowhere/" + database}
			w := c.target(false)
			for name, text := range map[string]string{"keywords": keywords(w), "URI": libpqURI(w),
				"pgx": pgxURL(w), "lib/pq": libpqGo(w)} {
				text = strings.NewReplacer("sslrootcert= ", "", " sslrootcert=''", "",
					"&sslrootcert=&", "&").Replace(text)
				cfg, err := pgconn.ParseConfig(text)
				if err != nil {
					t.Fatalf("%s: %v: %s", name, err, text)
				}
				if cfg.User != user || cfg.Database != database || cfg.Host != host ||
					cfg.Port != 5000 || cfg.TLSConfig == nil || cfg.TLSConfig.InsecureSkipVerify {
					t.Errorf("%s: %q and %q are read as %q and %q", name, user, database, cfg.User,
						cfg.Database)
				}
			}
		}
	})
}
