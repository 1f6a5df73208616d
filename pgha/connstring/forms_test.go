package connstring

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/golden"
	"github.com/pgha/toolkit/pgha/probe"
	"github.com/pgha/toolkit/pgha/spec"
)

// sample is a connection without a state directory.
func sample(edit func(*Connection)) Connection {
	c := Connection{Host: "192.0.2.100", Port: 5432, ReadPort: 5433, User: "postgres",
		Database: "postgres", SSLRootCert: "/srv/pg/postgres-ca.crt", PassFile: "/srv/pg/pgpass",
		PasswordFile: "/srv/pg/password", hosts: []string{"192.0.2.11", "192.0.2.12"}, port: 5432,
		balanced: true, cluster: "demo"}
	if edit != nil {
		edit(&c)
	}
	c.render()
	return c
}

// These are names that PostgreSQL allows.
const (
	hostileRole     = `it's "Jürgen" @:/%41?&=+;#\ ${x}`
	hostileDatabase = `/shop #1 @ "it's" 100%+;=&?\ 表`
)

// unbalanced is a connection without balancers.
func unbalanced(c *Connection) {
	c.balanced, c.ReadPort, c.Host = false, 0, c.hosts[0]
}

// TestFormsGolden shows every form for every kind of cluster and of password.
func TestFormsGolden(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Connection{
		"balanced": sample(nil),
		"exported": sample(func(c *Connection) { c.ServiceFile = "/srv/pg/pg_service.conf" }),
		"name":     sample(func(c *Connection) { c.Host = "db.example.com" }),
		"ipv6": sample(func(c *Connection) {
			c.Host, c.hosts = "2001:db8::100", []string{"2001:db8::11", "2001:db8::12"}
		}),
		"databases": sample(unbalanced),
		"databases-ipv6": sample(func(c *Connection) {
			c.hosts = []string{"2001:db8::11", "2001:db8::12"}
			unbalanced(c)
		}),
		"one-database": sample(func(c *Connection) { c.hosts = c.hosts[:1]; unbalanced(c) }),
		"other-role":   sample(nil).As("shop", "app"),
		"hostile":      sample(nil).As(hostileDatabase, hostileRole),
		"hostile-ipv6": sample(func(c *Connection) { c.Host = "2001:db8::100" }).
			As(hostileDatabase, hostileRole),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden.Check(t, filepath.Join("testdata", name+".golden"), []byte(shown(c)))
		})
	}
}

func shown(c Connection) string {
	var b strings.Builder
	for _, f := range c.Forms {
		fmt.Fprintf(&b, "%s (%s) %+v\n", f.Name, f.Client, f.Limits)
		if f.Missing != "" {
			fmt.Fprintf(&b, "  missing   %s\n", f.Missing)
		}
		for _, s := range []struct{ what, text string }{{"write", f.Write.String},
			{"code", f.Write.Code}, {"read", f.Read.String}, {"code", f.Read.Code},
			{"password", f.Password}} {
			if s.text != "" {
				fmt.Fprintf(&b, "  %-9s %s\n", s.what, strings.ReplaceAll(s.text, "\n", "\n            "))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(f.Environment)) {
			fmt.Fprintf(&b, "  started   %s=%s\n", name, f.Environment[name])
		}
	}
	return b.String()
}

// TestEveryFormIsWhole: a form has a name of its own, is spelled for both ways, sets its limits,
// and says where its password comes from.
func TestEveryFormIsWhole(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, f := range sample(nil).Forms {
		if f.Name == "" || seen[f.Name] || f.Client == "" || f.Password == "" || f.Limits.Connect == 0 {
			t.Errorf("%+v", f)
		}
		seen[f.Name] = true
		for _, s := range []Spelling{f.Write, f.Read} {
			if s.String == "" || s.Code == "" || strings.Contains(s.Code, "%!") {
				t.Errorf("%s: %+v", f.Name, s)
			}
		}
		if f.Write == f.Read {
			t.Errorf("%s leads readers to the primary: %+v", f.Name, f.Read)
		}
	}
	if got := FormNames(); len(got) != len(seen) {
		t.Errorf("%d forms have %d names", len(seen), len(got))
	}
}

// TestPooled: with a pooler every form leads to its ports, and nothing else of it differs.
func TestPooled(t *testing.T) {
	t.Parallel()
	plain := sample(nil)
	if _, err := plain.Pooled(); !errors.Is(err, ErrNoPooler) || plain.PoolDSN != "" {
		t.Errorf("without a pooler: %v, %q", err, plain.PoolDSN)
	}
	c := sample(func(c *Connection) { c.pool = &spec.Pooler{WritePort: 6432, ReadPort: 6433} })
	pooled, err := c.Pooled()
	if err != nil {
		t.Fatal(err)
	}
	through := func(text string) string {
		return strings.NewReplacer("5432", "6432", "5433", "6433", "[demo", "[demo-pool").Replace(text)
	}
	if c.DSN != plain.DSN || c.PoolDSN != through(c.DSN) || c.PoolReadDSN != through(c.ReadDSN) {
		t.Errorf("DSN %s, through the pooler %s and %s", c.DSN, c.PoolDSN, c.PoolReadDSN)
	}
	for i, f := range pooled.Forms {
		if f.Missing != "" {
			continue
		}
		before := plain.Forms[i]
		if f.Write.String != through(before.Write.String) ||
			f.Read.String != through(before.Read.String) {
			t.Errorf("%s: %+v", f.Name, f)
		}
	}
}

// TestUnfitForService: what a service file cannot hold is no form, and is no reason to refuse the
// others.
func TestUnfitForService(t *testing.T) {
	t.Parallel()
	for _, database := range []string{"a ", "a\nhost=evil", "a\t"} {
		for _, f := range sample(nil).As(database, "").Forms {
			if want := f.Name == "service"; (f.Missing != "") != want || (f.Write.Code == "") != want {
				t.Errorf("%q: %s: %q, %+v", database, f.Name, f.Missing, f.Write)
			}
		}
	}
}

// TestProbeIsAnOrdinaryClient: what drills measure with gives up when the strings say so.
func TestProbeIsAnOrdinaryClient(t *testing.T) {
	t.Parallel()
	if probe.DefaultLoginTimeout != connect*time.Second ||
		probe.DefaultStatementTimeout != silent*time.Second {
		t.Errorf("the probe waits %s and %s, the strings say %d and %d s", probe.DefaultLoginTimeout,
			probe.DefaultStatementTimeout, connect, silent)
	}
}
