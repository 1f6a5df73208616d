package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/pgroles"
)

// contentChecker checks what is inside PostgreSQL: roles, databases and who may log in to them.
// Whether a role or a database that stands in no list is on the server is for those to say who ask
// it.
type contentChecker struct{ *checker }

var (
	// namedSyntax is what roles, databases and schemas may be called; a file of the state directory
	// is named after a role.
	namedSyntax     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$-]{0,62}$`)
	extensionSyntax = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,62}$`)
	packageSyntax   = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]+$`)
)

const namedRemedy = "write up to 63 letters, digits, underscores and hyphens, no digit first"

func (c contentChecker) all() {
	seen := map[string]bool{}
	for i, r := range c.PGRoles {
		field := element("roles", i)
		c.role(field, r)
		if seen[r.Name] && r.Name != "" {
			c.bad(field+".name", quoted(r.Name)+" stands here for the second time",
				"write everything about it in one place")
		}
		seen[r.Name] = true
	}
	c.memberships()
	seen = map[string]bool{}
	for i, d := range c.PGDatabases {
		field := element("databases", i)
		c.database(field, d)
		if seen[d.Name] && d.Name != "" {
			c.bad(field+".name", quoted(d.Name)+" stands here for the second time",
				"write everything about it in one place")
		}
		seen[d.Name] = true
	}
	c.access()
}

// name checks what something in PostgreSQL is called.
func (c contentChecker) name(field, name, what string) bool {
	switch {
	case name == "":
		c.bad(field, "is missing", "write the name of the "+what)
	case strings.HasPrefix(strings.ToLower(name), "pg_"):
		c.bad(field, quoted(name)+" cannot name a "+what+": names with pg_ are PostgreSQL's own",
			"write another name")
	case !namedSyntax.MatchString(name):
		c.bad(field, quoted(name)+" cannot name a "+what, namedRemedy)
	default:
		return true
	}
	return false
}

func (c contentChecker) database(field string, d PGDatabase) {
	oneOf(c.checker, field+".ensure", d.Ensure, EnsurePresent, EnsureAbsent)
	if c.name(field+".name", d.Name, "database") {
		system := slices.Contains([]string{"template0", "template1", "postgres"}, d.Name)
		switch {
		case d.Name == "template0":
			c.bad(field+".name", "template0 lets nobody in", "take it out of the list")
		case system && !d.Present():
			c.bad(field+".ensure", d.Name+" is PostgreSQL's own database", "delete the line")
		case slices.Contains([]string{accessAll, accessReplication, "sameuser", "samerole",
			"samegroup"}, d.Name):
			c.bad(field+".name", quoted(d.Name)+" cannot name a database: it means something else "+
				"in pg_hba.conf", "write another name")
		}
	}
	if !d.Present() {
		return
	}
	if d.WithTables {
		c.bad(field+".with_tables", "is about a database that is dropped",
			"delete it, or write ensure: absent")
	}
	if d.Owner != "" {
		c.known(field+".owner", d.Owner)
	}
	if d.Encoding != "" && !localeSyntax.MatchString(d.Encoding) {
		c.bad(field+".encoding", quoted(d.Encoding)+" cannot name an encoding",
			"write a name such as UTF8")
	}
	if d.Locale != "" && !localeSyntax.MatchString(d.Locale) {
		c.bad(field+".locale", quoted(d.Locale)+" cannot name a locale",
			"write a name such as C.UTF-8")
	}
	c.connectionLimit(field, d.ConnectionLimit)
	c.schemas(field+".schemas", d)
	c.extensions(field+".extensions", d)
}

// maxConnections is PostgreSQL's own bound.
const maxConnections = 262143

func (c contentChecker) connectionLimit(field string, limit *int) {
	if limit != nil && (*limit < -1 || *limit > maxConnections) {
		c.bad(field+".connection_limit", fmt.Sprintf("%d is out of range", *limit),
			fmt.Sprintf("write a number from 0 to %d, or -1 for no limit", maxConnections))
	}
}

func (c contentChecker) schemas(field string, d PGDatabase) {
	for i, s := range d.Schemas {
		at := element(field, i)
		if c.name(at+".name", s.Name, "schema") && slices.IndexFunc(d.Schemas,
			func(o PGSchema) bool { return o.Name == s.Name }) < i {
			c.bad(at+".name", quoted(s.Name)+" stands here for the second time",
				"delete one of the two")
		}
		if s.Name == "information_schema" {
			c.bad(at+".name", "information_schema is PostgreSQL's own", "delete it")
		}
		if s.Owner != "" {
			c.known(at+".owner", s.Owner)
		}
	}
}

func (c contentChecker) extensions(field string, d PGDatabase) {
	for i, e := range d.Extensions {
		at := element(field, i)
		switch {
		case e.Name == "":
			c.bad(at+".name", "is missing", "write the name of the extension")
		case !extensionSyntax.MatchString(e.Name):
			c.bad(at+".name", quoted(e.Name)+" cannot name an extension",
				"write a name such as pg_trgm")
		case slices.IndexFunc(d.Extensions,
			func(o PGExtension) bool { return o.Name == e.Name }) < i:
			c.bad(at+".name", quoted(e.Name)+" stands here for the second time",
				"delete one of the two")
		}
		if e.Schema != "" && e.Schema != "pg_catalog" {
			c.name(at+".schema", e.Schema, "schema")
		}
		if e.Package != "" && !packageSyntax.MatchString(e.Package) {
			c.bad(at+".package", quoted(e.Package)+" cannot name a Debian package",
				"write a name such as postgresql-"+fmt.Sprint(c.PostgreSQL.Version)+"-postgis-3")
		}
	}
}

// access checks who may log in to what.
func (c contentChecker) access() {
	type pair struct{ role, database string }
	seen := map[pair]bool{}
	for i, a := range c.Access {
		field := element("access", i)
		c.accessRole(field+".role", a)
		c.accessDatabase(field+".database", a)
		for j, network := range a.Networks {
			if problem, remedy := networkFault(network); problem != "" {
				c.bad(element(field+".networks", j), quoted(network)+" "+problem, remedy)
			}
		}
		if p := (pair{a.Role, a.Database}); seen[p] && p.role != "" {
			c.bad(field, "is about the same role and database as a rule before it",
				"write all networks in one rule")
		} else {
			seen[p] = true
		}
	}
	pg := c.PostgreSQL
	for i, network := range pg.SuperuserNetworks {
		if slices.Equal(pg.SuperuserNetworks, pg.ClientNetworks) {
			break // the default, of which client_networks tells
		}
		if problem, remedy := networkFault(network); problem != "" {
			c.bad(element("postgresql.superuser_networks", i), quoted(network)+" "+problem, remedy)
		}
	}
}

func (c contentChecker) accessRole(field string, a AccessRule) {
	i := slices.IndexFunc(c.PGRoles, func(r PGRole) bool { return r.Name == a.Role })
	switch {
	case a.Role == "":
		c.bad(field, "is missing", "write the name of a role")
	case a.Role == c.PostgreSQL.Superuser:
		c.bad(field, quoted(a.Role)+" is the superuser",
			"write its networks in postgresql.superuser_networks")
	case c.systemRoles()[a.Role] != "":
		c.bad(field, quoted(a.Role)+" logs in from the members' hosts alone", "delete the rule")
	case pgroles.Reserved(a.Role):
		c.bad(field, quoted(a.Role)+" is not one role", "write a rule for each role")
	case i >= 0 && c.PGRoles[i].Present() && !c.PGRoles[i].CanLogin():
		c.bad(field, quoted(a.Role)+" does not log in: "+element("roles", i)+".login",
			"name the roles that are members of it")
	default:
		c.known(field, a.Role)
	}
}

func (c contentChecker) accessDatabase(field string, a AccessRule) {
	i := slices.IndexFunc(c.PGDatabases, func(d PGDatabase) bool { return d.Name == a.Database })
	role := slices.IndexFunc(c.PGRoles, func(r PGRole) bool { return r.Name == a.Role })
	switch {
	case a.Database == "":
		c.bad(field, "is missing", "write the name of a database, or all")
	case a.Database == accessReplication && role >= 0 && !c.PGRoles[role].Replication:
		c.bad(field, quoted(a.Role)+" may not replicate",
			"write "+element("roles", role)+".replication: true, or a database's name")
	case a.Database == accessAll, a.Database == accessReplication:
	case !namedSyntax.MatchString(a.Database):
		c.bad(field, quoted(a.Database)+" cannot name a database", namedRemedy)
	case i >= 0 && !c.PGDatabases[i].Present():
		c.bad(field, quoted(a.Database)+" is to be absent: "+element("databases", i)+".ensure",
			"delete the rule, or keep the database")
	}
}
