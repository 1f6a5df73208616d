package contents

import (
	"cmp"
	"fmt"

	"github.com/pgha/toolkit/internal/pgsession"
	"github.com/pgha/toolkit/pgha/spec"
)

// databaseSteps make or mend a database and what is in it.
func databaseSteps(s Server, d spec.PGDatabase) []Step {
	have, there := s.Databases[d.Name]
	var steps []Step
	if there {
		steps = mended(have, d)
	} else {
		steps = []Step{made(d)}
	}
	inside := have.Inside
	if inside == nil {
		inside = &Inside{Schemas: map[string]string{"public": ""}}
	}
	for _, schema := range d.Schemas {
		if step, differs := schemaStep(*inside, d, cmp.Or(d.Owner, have.Owner), schema); differs {
			steps = append(steps, step)
		}
	}
	for _, e := range d.Extensions {
		if step, differs := extensionStep(*inside, d, e); differs {
			steps = append(steps, step)
		}
	}
	return steps
}

// made makes a database. One of its own encoding or locale cannot be copied from template1, which
// may hold text.
func made(d spec.PGDatabase) Step {
	var c change
	create := "CREATE DATABASE " + id(d.Name)
	if d.Owner != "" {
		create += " OWNER " + id(d.Owner)
		c.value("owner", "", d.Owner)
	}
	if d.Encoding != "" || d.Locale != "" {
		create += " TEMPLATE template0"
	}
	if d.Encoding != "" {
		create += " ENCODING " + pgsession.Literal(d.Encoding)
		c.value("encoding", "", d.Encoding)
	}
	if d.Locale != "" {
		create += " LOCALE " + pgsession.Literal(d.Locale)
		c.value("locale", "", d.Locale)
	}
	if d.ConnectionLimit != nil && *d.ConnectionLimit >= 0 {
		create += fmt.Sprintf(" CONNECTION LIMIT %d", *d.ConnectionLimit)
		c.limit(-1, *d.ConnectionLimit)
	}
	return Step{Kind: "database", Name: d.Name, Action: "created", Diff: c.lines(), New: true,
		SQL: []string{create}, Alone: true}
}

// mended gives a database the owner and the limit that it should have.
func mended(have Database, d spec.PGDatabase) []Step {
	var c change
	if d.Owner != "" && d.Owner != have.Owner {
		c.value("owner", have.Owner, d.Owner)
		c.do("ALTER DATABASE %s OWNER TO %s", id(d.Name), id(d.Owner))
	}
	if d.ConnectionLimit != nil && *d.ConnectionLimit != have.ConnectionLimit {
		c.limit(have.ConnectionLimit, *d.ConnectionLimit)
		c.do("ALTER DATABASE %s CONNECTION LIMIT %d", id(d.Name), *d.ConnectionLimit)
	}
	if len(c.sql) == 0 {
		return nil
	}
	return []Step{{Kind: "database", Name: d.Name, Action: "updated", Diff: c.lines(), SQL: c.sql}}
}

func schemaStep(in Inside, d spec.PGDatabase, databaseOwner string,
	schema spec.PGSchema) (Step, bool) {
	var c change
	step := Step{Database: d.Name, Kind: "schema", Name: d.Name + "." + schema.Name}
	owner, there := in.Schemas[schema.Name]
	if !there {
		create := "CREATE SCHEMA " + id(schema.Name)
		if owner := cmp.Or(schema.Owner, databaseOwner); owner != "" {
			create += " AUTHORIZATION " + id(owner)
			c.value("owner", "", owner)
		}
		step.Action, step.Diff, step.SQL, step.New = "created", c.lines(), []string{create}, true
		return step, true
	}
	if schema.Owner == "" || schema.Owner == owner {
		return step, false
	}
	c.value("owner", owner, schema.Owner)
	c.do("ALTER SCHEMA %s OWNER TO %s", id(schema.Name), id(schema.Owner))
	step.Action, step.Diff, step.SQL = "updated", c.lines(), c.sql
	return step, true
}

func extensionStep(in Inside, d spec.PGDatabase, e spec.PGExtension) (Step, bool) {
	var c change
	step := Step{Database: d.Name, Kind: "extension", Name: d.Name + "." + e.Name}
	have, there := in.Extensions[e.Name]
	if !there {
		// Beside a search path of pg_catalog alone an extension would be made there.
		create := "CREATE EXTENSION " + id(e.Name)
		if e.Schema != "" {
			create += " SCHEMA " + id(e.Schema)
			c.value("schema", "", e.Schema)
		}
		step.Action, step.Diff, step.New = "created", c.lines(), true
		step.SQL = []string{"SET LOCAL search_path TO public", create}
		return step, true
	}
	if e.Schema == "" || e.Schema == have.Schema {
		return step, false
	}
	c.value("schema", have.Schema, e.Schema)
	c.do("ALTER EXTENSION %s SET SCHEMA %s", id(e.Name), id(e.Schema))
	step.Action, step.Diff, step.SQL = "updated", c.lines(), c.sql
	return step, true
}
