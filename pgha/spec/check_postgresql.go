package spec

import (
	"fmt"
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
	c.directory("postgresql.data_dir", pg.DataDir, "/var/lib/postgresql/data")
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
		if problem, remedy := networkFault(network); problem != "" {
			c.bad(element("postgresql.client_networks", i), quoted(network)+" "+problem, remedy)
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
		switch {
		case strings.HasPrefix(r.name, "pg_"):
			c.bad(r.field, quoted(r.name)+" cannot name a role: names with pg_ are PostgreSQL's own",
				"write another name, such as ha_"+strings.TrimPrefix(r.name, "pg_"))
		case slices.Contains([]string{"all", "public", "none", "user", "current_user", "session_user",
			"current_role", "replication", "sameuser", "samerole", "samegroup"}, r.name):
			c.bad(r.field, quoted(r.name)+" cannot name a role: it means something else to PostgreSQL",
				"write another name, such as ha_"+r.name)
		case !roleSyntax.MatchString(r.name):
			remedy := "write up to 63 lower-case letters, digits and underscores, no digit first"
			if near := nearRole(r.name); near != "" {
				remedy = "write " + near
			}
			c.bad(r.field, quoted(r.name)+" cannot name a role", remedy)
		}
		if other, again := taken[r.name]; again {
			c.bad(r.field, quoted(r.name)+" is "+other+", too", "each needs a role of its own")
		}
		taken[r.name] = r.field
	}
}

// nearRole is the nearest name that can be a role's, or "".
func nearRole(name string) string {
	near := strings.ToLower(strings.NewReplacer("-", "_", ".", "_", " ", "_").Replace(name))
	if !roleSyntax.MatchString(near) || strings.HasPrefix(near, "pg_") {
		return ""
	}
	return near
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
