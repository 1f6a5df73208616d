package spec

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var (
	roleSyntax   = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)
	localeSyntax = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.@-]*$`)
	suiteSyntax  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+~/-]*$`)
)

func (c *checker) postgresql() {
	pg := c.PostgreSQL
	if pg.Version < 14 || pg.Version > 18 {
		c.bad("postgresql.version", fmt.Sprintf("PostgreSQL %d is not supported", pg.Version), "write a major version from 14 to 18")
	}
	oneOf(c, "postgresql.source", pg.Source, SourcePGDG, SourceDistribution, SourceMirror)
	c.repository()
	c.directory("postgresql.data_dir", pg.DataDir)
	if pg.DataDir == c.Etcd.DataDir || strings.HasPrefix(pg.DataDir, c.Etcd.DataDir+"/") || strings.HasPrefix(c.Etcd.DataDir, pg.DataDir+"/") {
		c.bad(c.blame("postgresql.data_dir", "etcd.data_dir"), "postgresql.data_dir "+quoted(pg.DataDir)+" and etcd.data_dir "+quoted(c.Etcd.DataDir)+" are one inside the other", "keep them apart")
	}
	c.roles()
	if !localeSyntax.MatchString(pg.Encoding) {
		c.bad("postgresql.encoding", quoted(pg.Encoding)+" cannot name an encoding", "write a name such as UTF8")
	}
	if !localeSyntax.MatchString(pg.Locale) {
		c.bad("postgresql.locale", quoted(pg.Locale)+" cannot name a locale", "write a name such as C.UTF-8")
	}
	for i, network := range pg.ClientNetworks {
		field := element("postgresql.client_networks", i)
		if p, err := netip.ParsePrefix(network); err != nil {
			c.bad(field, quoted(network)+" is not a network", "write address/bits, such as 10.0.0.0/8")
		} else if p != p.Masked() {
			c.bad(field, quoted(network)+" has bits set behind its prefix", "write "+p.Masked().String())
		}
	}
}

// roles checks the three roles that Patroni works with.
func (c *checker) roles() {
	taken := map[string]string{}
	for _, r := range []struct{ field, name string }{
		{"postgresql.superuser", c.PostgreSQL.Superuser},
		{"postgresql.replication_user", c.PostgreSQL.ReplicationUser},
		{"postgresql.rewind_user", c.PostgreSQL.RewindUser},
	} {
		reserved := strings.HasPrefix(r.name, "pg_") || slices.Contains([]string{"all", "public", "none", "user", "current_user", "session_user", "replication", "sameuser", "samerole"}, r.name)
		if !roleSyntax.MatchString(r.name) || reserved {
			c.bad(r.field, quoted(r.name)+" cannot name a role", "write lower-case letters, digits and underscores, not beginning with pg_")
		}
		if other, again := taken[r.name]; again {
			c.bad(r.field, quoted(r.name)+" is "+other+", too", "each needs a role of its own")
		}
		taken[r.name] = r.field
	}
}

func (c *checker) repository() {
	const field = "postgresql.repository"
	r := c.PostgreSQL.Repository
	if c.PostgreSQL.Source != SourceMirror {
		if r.URL != "" || r.KeyFile != "" || r.Suite != "" || len(r.Components) > 0 {
			c.bad(field, "is not read with source: "+string(c.PostgreSQL.Source), "write source: mirror, or delete the section")
		}
		return
	}
	u, err := url.Parse(r.URL)
	switch {
	case r.URL == "":
		c.bad(field+".url", "is missing with source: mirror", "write the repository's URL")
	case err != nil || !slices.Contains([]string{"http", "https", "file"}, u.Scheme) || u.Scheme != "file" && u.Host == "" || strings.ContainsFunc(r.URL, func(r rune) bool { return r <= ' ' || r > '~' }):
		c.bad(field+".url", "is not a URL that apt can read", "write http://, https:// or file:// and the rest")
	case u.User != nil:
		c.bad(field+".url", "holds a user or password, which every user of the hosts could read", "use a repository without one")
	}
	for i, s := range append([]string{r.Suite}, r.Components...) {
		if name := field + ".suite"; s != "" && !suiteSyntax.MatchString(s) {
			if i > 0 {
				name = element(field+".components", i-1)
			}
			c.bad(name, quoted(s)+" cannot stand in an apt source", "write a name such as trixie-pgdg or main")
		}
	}
	c.repositoryKey(field + ".key_file")
}
