package contents

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/pglocale"
	"github.com/pgha/toolkit/internal/pgroles"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/spec"
)

// Problem is something of a specification that cannot be done on the server as it is.
type Problem struct {
	// Field of the specification.
	Field   string
	Problem string
	Remedy  errs.Next
}

// judge finds problems.
type judge struct {
	*spec.Spec
	server Server
	found  []Problem
}

// Judge says what of the specification cannot be done on the server, before anything is done. What
// the specification alone shows to be wrong its own check has refused.
func Judge(sp *spec.Spec, s Server) []Problem {
	j := &judge{Spec: sp, server: s}
	for i, r := range sp.PGRoles {
		field := fmt.Sprintf("roles[%d]", i)
		if r.Present() {
			j.role(field, r)
		} else if have, there := s.Roles[r.Name]; there {
			j.dropRole(field, r, have)
		}
	}
	for i, d := range sp.PGDatabases {
		field := fmt.Sprintf("databases[%d]", i)
		have, there := s.Databases[d.Name]
		switch {
		case d.Present():
			j.database(field, d, have, there)
		case there:
			j.dropDatabase(field, d, have)
		}
	}
	for i, a := range sp.Access {
		j.access(fmt.Sprintf("access[%d]", i), a)
	}
	return j.found
}

func (j *judge) add(field, problem, remedy string, args ...any) {
	j.found = append(j.found, Problem{field, problem, errs.Text(remedy, args...)})
}

// known refuses a role that is neither in the specification nor on the server.
func (j *judge) known(field, role string) {
	_, there := j.server.Roles[role]
	_, predefined := pgroles.Predefined(role)
	inSpec := slices.ContainsFunc(j.PGRoles, func(r spec.PGRole) bool { return r.Name == role })
	if role != "" && !there && !inSpec && !predefined && role != j.PostgreSQL.Superuser {
		j.add(field, fmt.Sprintf("there is no role %q, neither in the specification nor on the "+
			"server", role), "add it to roles, or name another one")
	}
}

func (j *judge) role(field string, r spec.PGRole) {
	if j.server.Roles[r.Name].Password == PasswordUnknown && r.CanLogin() {
		j.add(field+".name", fmt.Sprintf("role %s has a password that somebody else has set, and "+
			"the specification gives none: a generated one would shut out who uses it", r.Name),
			"give the present one by password_file or password_command; or let %s replace it",
			errs.Verb("secrets", "rotate", r.Name))
	}
	of := maps.Clone(j.server.MemberOf)
	if of == nil {
		of = map[string][]string{}
	}
	for _, other := range j.PGRoles {
		of[other.Name] = append(slices.Clone(of[other.Name]), other.MemberOf...)
	}
	for i, group := range r.MemberOf {
		j.known(fmt.Sprintf("%s.member_of[%d]", field, i), group)
	}
	if circle := pgroles.Circle(of, r.Name); circle != nil && len(r.MemberOf) > 0 {
		j.add(field+".member_of", "with the memberships on the server, roles would be members of "+
			"each other in a circle: "+strings.Join(append(circle, r.Name), " of "),
			"take a membership back on the server (REVOKE), or out of the specification")
	}
}

// dropRole refuses to drop a role that is in use. What goes with a database, or gets another owner
// at the same time, does not count.
func (j *judge) dropRole(field string, r spec.PGRole, have Role) {
	if have.Sessions > 0 {
		sessions := "1 session"
		if have.Sessions > 1 {
			sessions = fmt.Sprintf("%d sessions", have.Sessions)
		}
		j.add(field+".ensure", fmt.Sprintf("role %s has %s", r.Name, sessions),
			"stop the application, or end them: SELECT pg_terminate_backend(pid) FROM "+
				"pg_stat_activity WHERE usename = '%s'", r.Name)
	}
	var uses, databases []string
	for _, u := range j.server.Uses {
		if u.Role != r.Name || j.goes(u) {
			continue
		}
		what := u.What
		if u.Database != "" {
			what += " in database " + u.Database
			if !slices.Contains(databases, u.Database) {
				databases = append(databases, u.Database)
			}
		}
		uses = append(uses, what)
	}
	if len(uses) == 0 {
		return
	}
	const most = 10
	if len(uses) > most {
		uses = append(uses[:most], fmt.Sprintf("and %d more", len(uses)-most))
	}
	where := "any database"
	if len(databases) > 0 {
		where = strings.Join(databases, ", ")
	}
	j.add(field+".ensure", fmt.Sprintf("role %s is in use: it %s", r.Name,
		strings.Join(uses, "; ")),
		"give its objects to another role, and take its rights back, in %s: REASSIGN OWNED BY %s TO "+
			"...; DROP OWNED BY %s", where, id(r.Name), id(r.Name))
}

// goes tells whether the same apply takes away what a role has.
func (j *judge) goes(u Use) bool {
	for _, d := range j.PGDatabases {
		switch {
		case !d.Present() && (u.Database == d.Name || u.What == "owns database "+d.Name ||
			u.What == "has rights on database "+d.Name):
			return true
		case d.Present() && d.Owner != "" && d.Owner != u.Role &&
			u.What == "owns database "+d.Name:
			return true
		}
		for _, s := range d.Schemas {
			if u.Database == d.Name && u.What == "owns schema "+s.Name && s.Owner != "" &&
				s.Owner != u.Role {
				return true
			}
		}
	}
	return false
}

func (j *judge) dropDatabase(field string, d spec.PGDatabase, have Database) {
	if have.Template {
		j.add(field+".ensure", "database "+d.Name+" is a template",
			"if it is not needed any more: ALTER DATABASE %s IS_TEMPLATE false", id(d.Name))
	}
	if len(have.Users) > 0 {
		j.add(field+".ensure", fmt.Sprintf("database %s is in use: %s", d.Name,
			strings.Join(have.Users, ", ")), "stop who uses it first; nothing is cut off")
	}
	if have.Inside == nil && !d.WithTables {
		j.add(field+".ensure", "nobody may connect to database "+d.Name+", so what is in it is not "+
			"known", "write with_tables: true to drop it with everything in it")
	}
	if have.Inside != nil && len(have.Inside.Tables) > 0 && !d.WithTables {
		j.add(field+".ensure", fmt.Sprintf("database %s has %s, %d MB", d.Name,
			listed(have.Inside.Tables, "table"), have.Size>>20),
			"write with_tables: true beside it to lose them; pg_dump keeps a copy")
	}
}

func (j *judge) database(field string, d spec.PGDatabase, have Database, there bool) {
	j.known(field+".owner", d.Owner)
	for i, s := range d.Schemas {
		j.known(fmt.Sprintf("%s.schemas[%d].owner", field, i), s.Owner)
	}
	if there && d.Encoding != "" &&
		pglocale.Encoding(d.Encoding) != pglocale.Encoding(have.Encoding) {
		j.add(field+".encoding", fmt.Sprintf("database %s has the encoding %s, and no database "+
			"changes its own", d.Name, have.Encoding),
			"write encoding: %s; one of another encoding is a new database, and its data is moved "+
				"there by pg_dump", have.Encoding)
	}
	if there && d.Locale != "" && pglocale.Locale(d.Locale) != pglocale.Locale(have.Locale) {
		j.add(field+".locale", fmt.Sprintf("database %s has the locale %s, and no database "+
			"changes its own", d.Name, have.Locale),
			"write locale: %s; one of another locale is a new database, and its data is moved there "+
				"by pg_dump", have.Locale)
	}
	if there && have.Closed && len(d.Schemas)+len(d.Extensions) > 0 {
		j.add(field, "nobody may connect to database "+d.Name, "ALTER DATABASE %s "+
			"ALLOW_CONNECTIONS true", id(d.Name))
		return
	}
	for i, e := range d.Extensions {
		j.extension(fmt.Sprintf("%s.extensions[%d]", field, i), d, e, have.Inside, i)
	}
}

// extension judges one of a database; before are those of the list that are made earlier.
func (j *judge) extension(field string, d spec.PGDatabase, e spec.PGExtension, in *Inside,
	before int) {
	schema := func(s spec.PGSchema) bool { return s.Name == e.Schema }
	own := slices.Contains([]string{"", "public", "pg_catalog"}, e.Schema) ||
		slices.ContainsFunc(d.Schemas, schema)
	if in == nil {
		if !own {
			j.add(field+".schema", fmt.Sprintf("there is no schema %q in database %s", e.Schema,
				d.Name), "add it to the database's schemas")
		}
		return
	}
	have, there := in.Extensions[e.Name]
	if _, known := in.Schemas[e.Schema]; !own && !known {
		j.add(field+".schema", fmt.Sprintf("there is no schema %q in database %s", e.Schema,
			d.Name), "add it to the database's schemas")
	}
	if there {
		if e.Schema != "" && e.Schema != have.Schema && !have.Movable {
			j.add(field+".schema", fmt.Sprintf("extension %s is in schema %s, and cannot be moved",
				e.Name, have.Schema), "write schema: %s", have.Schema)
		}
		return
	}
	for _, needed := range in.Available[e.Name] {
		_, has := in.Extensions[needed]
		if !has && !slices.ContainsFunc(d.Extensions[:before],
			func(o spec.PGExtension) bool { return o.Name == needed }) {
			j.add(field+".name", fmt.Sprintf("extension %s requires %s", e.Name, needed),
				"add %s to the list before it", needed)
		}
	}
}

func (j *judge) access(field string, a spec.AccessRule) {
	j.known(field+".role", a.Role)
	have, there := j.server.Roles[a.Role]
	if there && !have.Login && !slices.ContainsFunc(j.PGRoles,
		func(r spec.PGRole) bool { return r.Name == a.Role }) {
		j.add(field+".role", fmt.Sprintf("role %s does not log in", a.Role),
			"name the roles that are members of it")
	}
	if a.Database == "all" || a.Database == "replication" {
		return
	}
	_, there = j.server.Databases[a.Database]
	if !there && !slices.ContainsFunc(j.PGDatabases,
		func(d spec.PGDatabase) bool { return d.Name == a.Database }) {
		j.add(field+".database", fmt.Sprintf("there is no database %q, neither in the "+
			"specification nor on the server", a.Database),
			"add it to databases, or name another one")
	}
}
