package leader

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/internal/pgsession"
	"github.com/pgha/toolkit/pgha/contents"
	"github.com/pgha/toolkit/pgha/internal/scram"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

//go:embed lookup.sql
var lookupSQL string

// lookupBody is what the pooler asks: what the server keeps of a role's password. A role that does
// not log in, that is the pooler's own or that replicates the cluster has none for it, nor has one
// whose password has expired.
const lookupBody = `
SELECT rolname, CASE WHEN rolvaliduntil < now() THEN NULL ELSE rolpassword END
  FROM pg_authid
 WHERE rolname = wanted AND rolcanlogin AND rolname <> 'pgha_pooler'
`

// Lookup is what is in PostgreSQL for the pooler: a role that logs in to call one function, and the
// function.
type Lookup struct {
	// Member leads.
	Member string
	// Role and Function say what has to be done: "created", "changed", or "" for nothing.
	Role, Function string

	exists    bool
	superuser string
	limit     int
}

const created = "created"

// lookupSessions is how many sessions each balancer may have as the role: one for each port, and
// again as many that are about to end.
const lookupSessions = 4

// LookUp asks the leader what is there for the pooler. Errors are those of Look. It changes
// nothing.
func LookUp(ctx context.Context, c *site.Site, password pki.Secret) (Lookup, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	l := Lookup{superuser: c.Spec.PostgreSQL.Superuser,
		limit: lookupSessions * max(1, len(c.Spec.Balancers()))}
	var err error
	if l.Member, err = Find(ctx, c); err != nil {
		return l, err
	}
	err = with(ctx, c, l.Member, "postgres", func(conn *pgx.Conn) error {
		var stored string
		var role, function bool
		err := conn.QueryRow(ctx, lookupSQL, spec.PoolerRole, l.limit, l.superuser,
			lookupBody).Scan(&stored, &l.exists, &role, &function)
		if err != nil {
			return err
		}
		switch {
		case !l.exists:
			l.Role = created
		case !role || !scram.Verifies(pki.NewSecret([]byte(stored)), password):
			l.Role = "changed"
		}
		if !function {
			l.Function = created
		}
		return nil
	})
	if err != nil {
		return l, fmt.Errorf("ask %s about the pooler's role: %w", l.Member, err)
	}
	return l, nil
}

// FreshLookup is what a leader says before there is one. The member is the one that will lead.
func FreshLookup(c *site.Site) Lookup {
	return Lookup{Member: c.Spec.Databases()[0].Member, Role: created, Function: created}
}

// Make makes what lacks, in one transaction. The server gets a verifier of the password alone.
func (l Lookup) Make(ctx context.Context, c *site.Site, password pki.Secret) error {
	verifier, err := scram.New(password)
	if err != nil {
		return err
	}
	verb := "CREATE"
	if l.exists {
		verb = "ALTER"
	}
	statements := []string{
		fmt.Sprintf("%s ROLE pgha_pooler LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE "+
			"NOREPLICATION NOBYPASSRLS VALID UNTIL 'infinity' CONNECTION LIMIT %d", verb, l.limit),
		contents.PasswordSQL(spec.PoolerRole, string(verifier.Reveal())),
		`DO $$ DECLARE other text; BEGIN
  FOR other IN SELECT g.rolname FROM pg_auth_members m JOIN pg_authid a ON a.oid = m.member
    JOIN pg_authid g ON g.oid = m.roleid WHERE a.rolname = 'pgha_pooler' LOOP
    EXECUTE format('REVOKE %I FROM pgha_pooler', other);
  END LOOP;
END $$`,
		"DROP SCHEMA IF EXISTS pgha_pooler CASCADE",
		"CREATE SCHEMA pgha_pooler",
		"GRANT USAGE ON SCHEMA pgha_pooler TO pgha_pooler",
		"CREATE FUNCTION pgha_pooler.lookup(wanted text, OUT role name, OUT secret text) " +
			"RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER " +
			"SET search_path = pg_catalog AS $lookup$" + lookupBody + "$lookup$",
		"REVOKE ALL ON FUNCTION pgha_pooler.lookup(text) FROM PUBLIC",
		"GRANT EXECUTE ON FUNCTION pgha_pooler.lookup(text) TO pgha_pooler",
	}
	return l.run(ctx, c, "make the pooler's role", statements)
}

// SetPassword gives the role a password, of which the server gets a verifier alone. Its sessions go
// on.
func (l Lookup) SetPassword(ctx context.Context, c *site.Site, password pki.Secret) error {
	verifier, err := scram.New(password)
	if err != nil {
		return err
	}
	return l.run(ctx, c, "set the password of the pooler's role", []string{
		contents.PasswordSQL(spec.PoolerRole, string(verifier.Reveal()))})
}

// Drop takes the role and its function away.
func (l Lookup) Drop(ctx context.Context, c *site.Site) error {
	return l.run(ctx, c, "drop the pooler's role", []string{
		"DROP SCHEMA IF EXISTS pgha_pooler CASCADE", "DROP ROLE IF EXISTS pgha_pooler"})
}

// Exists tells whether the role is there.
func (l Lookup) Exists() bool { return l.exists }

func (l Lookup) run(ctx context.Context, c *site.Site, what string, statements []string) error {
	err := with(ctx, c, l.Member, "postgres", func(conn *pgx.Conn) error {
		if _, err := conn.PgConn().Exec(ctx, pgsession.Quiet).ReadAll(); err != nil {
			return err
		}
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			for _, statement := range statements {
				if _, err := tx.Exec(ctx, statement,
					pgx.QueryExecModeSimpleProtocol); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("%s on %s: %w", what, l.Member, err)
	}
	return nil
}
