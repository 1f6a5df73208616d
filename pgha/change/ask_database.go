package change

import (
	"encoding/json"
	"strings"

	"github.com/pgha/toolkit/internal/pgfiles"
	"github.com/pgha/toolkit/internal/pgroles"
	"github.com/pgha/toolkit/internal/pgsession"
	"github.com/pgha/toolkit/pgha/spec"
)

// sessionOptions are those of the session on a host. Which version runs there is not known before:
// they are such as all versions know, and any role may have.
func sessionOptions() string {
	set := pgsession.Settings(14, pgsession.Ordinary, "pgha")
	set["statement_timeout"] = "1500"
	return pgsession.Options(set)
}

// databaseQuestions are the statements whose rows readDatabases, ReadInUse and readRefused read.
func databaseQuestions(pg spec.PostgreSQL) []string {
	roles := textArray(pg.Superuser, pg.ReplicationUser, pg.RewindUser)
	return []string{
		`SELECT 'encoding ' || pg_encoding_to_char(encoding) || E'\nlocale ' || datcollate FROM pg_database WHERE datname = 'template0'`,
		`SELECT 'role ' || rolname FROM pg_roles WHERE rolname = ANY (` + pgsession.Literal(roles) +
			`::text[])`,
		`SELECT 'lacking ' || what FROM (` +
			pgroles.LackingSQL(pg.ReplicationUser, pg.RewindUser) + `) AS lacking (what)`,
		inUseSQL,
		`SELECT 'refused ' || (` + pgfiles.RefusedSQL(pg.Version) + `)`,
	}
}

// textArray is the text of a value of PostgreSQL's type text[].
func textArray(elements ...string) string {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	for i, e := range elements {
		elements[i] = `"` + quote.Replace(e) + `"`
	}
	return "{" + strings.Join(elements, ",") + "}"
}

// readDatabases reads "encoding", "locale", "role" and "lacking" with a value each.
func readDatabases(text string) *Databases {
	d := &Databases{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch name {
		case "encoding":
			d.Encoding = value
		case "locale":
			d.Locale = value
		case "role":
			d.Roles = append(d.Roles, value)
		case "lacking":
			d.Lacking = append(d.Lacking, value)
		}
	}
	if d.Encoding == "" {
		return nil
	}
	return d
}

// readRefused reads "refused" with a JSON list of texts; nil where there is no such line.
func readRefused(text string) []string {
	for line := range strings.Lines(text) {
		if list, ok := strings.CutPrefix(line, "refused "); ok {
			refused := []string{}
			if json.Unmarshal([]byte(list), &refused) != nil {
				return nil
			}
			return refused
		}
	}
	return nil
}
