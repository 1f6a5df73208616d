package contents

import (
	"fmt"
	"strings"

	"github.com/pgha/toolkit/internal/pgsession"
	"github.com/pgha/toolkit/pgha/spec"
)

// Step is one thing that is made or changed.
type Step struct {
	// Database is where the statements belong; "" is any.
	Database string
	// Kind is role, database, schema or extension, Name which one ("shop.audit" is a schema of
	// database shop), and Action what happens to it, in the past tense.
	Kind, Name, Action string
	// Diff has a line for each value that goes ("-") or comes ("+").
	Diff string
	// SQL are the statements, for one transaction unless Alone is set.
	SQL []string
	// Alone says that the one statement runs in no transaction.
	Alone bool
	// SetsPassword says that the role gets its password: a last statement, PasswordSQL.
	SetsPassword bool
	// New says that nothing of that name is there.
	New bool
}

// Dropped is the Action of a role or a database that goes.
const Dropped = "dropped"

// PasswordSQL is the statement that sets what PostgreSQL stores of a role's password.
func PasswordSQL(role, verifier string) string {
	return "ALTER ROLE " + id(role) + " PASSWORD " + pgsession.Literal(verifier)
}

// Steps are what makes the server as the specification says, in order: roles, databases, what is in
// them, and at last what is dropped. There are none where all is as it should be. Judge says
// whether they can be done.
func Steps(sp *spec.Spec, s Server) []Step {
	var all []Step
	for _, r := range groupsFirst(sp.PGRoles) {
		if r.Present() {
			all = append(all, roleSteps(sp, s, r)...)
		}
	}
	for _, d := range sp.PGDatabases {
		if d.Present() {
			all = append(all, databaseSteps(s, d)...)
		}
	}
	for _, d := range sp.PGDatabases {
		if have, there := s.Databases[d.Name]; there && !d.Present() {
			all = append(all, Step{Kind: "database", Name: d.Name, Action: Dropped,
				Diff: lost(have), SQL: []string{"DROP DATABASE " + id(d.Name)}, Alone: true})
		}
	}
	for _, r := range sp.PGRoles {
		if _, there := s.Roles[r.Name]; there && !r.Present() {
			all = append(all, Step{Kind: "role", Name: r.Name, Action: Dropped,
				SQL: []string{"DROP ROLE " + id(r.Name)}})
		}
	}
	return all
}

// lost says what goes with a database.
func lost(d Database) string {
	if d.Inside == nil || len(d.Inside.Tables) == 0 {
		return ""
	}
	return "-" + listed(d.Inside.Tables, "table") + "\n"
}

// groupsFirst puts roles behind those that they are members of. The specification has no circles.
func groupsFirst(roles []spec.PGRole) []spec.PGRole {
	var ordered []spec.PGRole
	done := map[string]bool{}
	var add func(name string)
	add = func(name string) {
		for _, r := range roles {
			if r.Name == name && !done[name] {
				done[name] = true
				for _, group := range r.MemberOf {
					add(group)
				}
				ordered = append(ordered, r)
			}
		}
	}
	for _, r := range roles {
		add(r.Name)
	}
	return ordered
}

// change collects what differs of one thing.
type change struct {
	diff, sql []string
}

// value notes one value that goes and one that comes; "" is none.
func (c *change) value(name, old, now string) {
	if old != "" {
		c.diff = append(c.diff, "-"+name+": "+old)
	}
	if now != "" {
		c.diff = append(c.diff, "+"+name+": "+now)
	}
}

func (c *change) do(format string, args ...any) { c.sql = append(c.sql, fmt.Sprintf(format, args...)) }

func (c *change) lines() string {
	if len(c.diff) == 0 {
		return ""
	}
	return strings.Join(c.diff, "\n") + "\n"
}

func id(name string) string { return pgsession.Identifier(name) }

// listed counts things and names the first of them.
func listed(names []string, what string) string {
	const most = 5
	text := fmt.Sprintf("%d %s", len(names), what)
	if len(names) != 1 {
		text += "s"
	}
	if len(names) > most {
		return text + " (" + strings.Join(names[:most], ", ") + " ...)"
	}
	return text + " (" + strings.Join(names, ", ") + ")"
}
