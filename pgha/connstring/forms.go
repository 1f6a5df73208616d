package connstring

import "fmt"

// Form is how one kind of client is told where to connect. No field holds a password.
type Form struct {
	// Name is what scripts ask for it by; it does not change.
	Name string `json:"name"`
	// Client is who takes it, for people.
	Client string `json:"client"`
	// Write leads to the primary.
	Write Spelling `json:"write"`
	// Read leads to the replicas; empty for a lone database without a balancer.
	Read Spelling `json:"read"`
	// Environment are variables that the client has to be started with.
	Environment map[string]string `json:"environment,omitempty"`
	// Password says where the client takes the password from, or where it has to be put.
	Password string `json:"password"`
	// Limits are what the form sets of the client's own limits.
	Limits Limits `json:"limits"`
	// Note is what else there is to know.
	Note string `json:"note,omitempty"`
	// Missing says why the form cannot lead to this cluster; String and Code are empty then.
	Missing string `json:"missing,omitempty"`
}

// Spelling is a connection string alone, and in the code that takes it.
type Spelling struct {
	String string `json:"string"`
	Code   string `json:"code"`
}

// row is a form before it is written for a cluster.
type row struct {
	name, client string
	direct       bool // to the databases themselves
	text         func(target) string
	code         func(target, string) string
	password     source
	environment  func(target) map[string]string
	limits       Limits
	note         string
	missing      func(target) string
}

var (
	libpq     = Limits{Connect: connect, Waiting: silent}
	statement = Limits{Connect: connect, Waiting: silent, Slow: true}
)

// rows are all forms, in the order in which they are shown.
func rows() []row {
	return []row{
		{name: "psql", client: "psql, and whatever takes libpq's keywords",
			text: keywords, code: shellCode("psql "), password: inString, limits: libpq},
		{name: "uri", client: "psql, and whatever takes libpq's URI",
			text: libpqURI, code: shellCode("psql "), password: inString, limits: libpq},
		{name: "multi-host", client: "libpq without the balancers, to the databases themselves",
			direct: true, text: keywords, code: shellCode("psql "), password: inString, limits: libpq,
			note: "libpq tries one database after the other until one is what it asks for"},
		{name: "service", client: "libpq by a name, from a service file",
			text: service, code: serviceCode, password: inString, limits: libpq,
			environment: serviceEnvironment, missing: unfitForService,
			note: "without PGSERVICEFILE the section belongs in ~/.pg_service.conf"},
		{name: "psycopg", client: "psycopg 3 (Python)", text: keywords,
			code:     python("import psycopg\nconnection = psycopg.connect(%s)"),
			password: inString, limits: libpq},
		{name: "psycopg2", client: "psycopg 2 (Python)", text: keywords,
			code:     python("import psycopg2\nconnection = psycopg2.connect(%s)"),
			password: inString, limits: libpq},
		{name: "sqlalchemy", client: "SQLAlchemy (Python), with psycopg 2", text: sqlalchemy,
			code:     python("import sqlalchemy\nengine = sqlalchemy.create_engine(%s)"),
			password: inString, limits: libpq,
			note: "with psycopg 3 it begins with postgresql+psycopg, from SQLAlchemy 2 on"},
		{name: "asyncpg", client: "asyncpg (Python)", text: asyncpgURL,
			code: python(fmt.Sprintf("import asyncpg\nconnection = await asyncpg.connect(%%s, "+
				"timeout=%d, command_timeout=%d)", connect, silent)),
			password: inString, limits: statement,
			note: "the limits are arguments, the string has none; several hosts from asyncpg 0.28 on"},
		{name: "pgx", client: "pgx (Go)", text: pgxURL, code: pgxCode, password: inString,
			limits: libpq,
			note: "the string alone bounds the connection; a waiting statement is bounded by " +
				"Go's own keepalive then, after 150 s"},
		{name: "lib-pq", client: "lib/pq (Go)", text: libpqGo,
			code:     golang("db, err := sql.Open(\"postgres\", %s)"),
			password: inString, limits: Limits{Connect: connect, Waiting: 150},
			note: "it has no limit of its own for a waiting statement: the figure is Go's keepalive"},
		{name: "node-postgres", client: "node-postgres, the package pg (JavaScript)",
			text: nodePostgres, code: javascript("import pg from \"pg\"\n" +
				"const client = new pg.Client(%s)"),
			password: inFile, limits: Limits{Connect: connect, Waiting: nodeSilent},
			missing: unfitForNode, note: nodeNote},
		{name: "postgres.js", client: "postgres.js, the package postgres (JavaScript)",
			text: postgresJS, code: javascript("import postgres from \"postgres\"\n" +
				"const sql = postgres(%s)"),
			password: inFile, limits: Limits{Connect: connect, Waiting: nodeSilent},
			missing: unfitForNode, note: nodeNote},
		{name: "jdbc", client: "PostgreSQL's JDBC driver (Java)", text: jdbc, code: java,
			password: inEnvironment, environment: passfileEnvironment, limits: statement,
			note: jdbcNote},
		{name: "jdbc-multi-host", client: "PostgreSQL's JDBC driver without the balancers",
			direct: true, text: jdbc, code: java, password: inEnvironment,
			environment: passfileEnvironment, limits: statement, note: jdbcNote},
		{name: "npgsql", client: "Npgsql 6 and later (.NET)", text: npgsql, code: csharp,
			password: inString,
			limits:   statement,
			note: "Command Timeout also ends a statement that takes longer: raise it above your " +
				"longest one; Npgsql then tries for 2 s to cancel it. Not tried with a real client"},
	}
}

// forms writes every form for a cluster.
func (c Connection) forms() []Form {
	var forms []Form
	for _, r := range rows() {
		w := c.target(r.direct)
		f := Form{Name: r.name, Client: r.client, Password: w.source(r.password),
			Limits: r.limits, Note: r.note}
		if r.missing != nil {
			f.Missing = r.missing(w)
		}
		if r.direct && c.pooled {
			f.Missing = "it leads to the databases themselves, past the pooler"
		}
		if f.Missing == "" {
			if r.environment != nil {
				f.Environment = r.environment(w)
			}
			f.Write = r.spell(w)
			if c.readable() {
				f.Read = r.spell(w.toReplicas(c))
			}
		}
		forms = append(forms, f)
	}
	return forms
}

func (r row) spell(w target) Spelling {
	text := r.text(w)
	return Spelling{String: text, Code: r.code(w, text)}
}
