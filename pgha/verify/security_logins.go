package verify

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/pgsession"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
)

// loginsSQL gives all that decides how somebody may log in on a member: no password, and no
// verifier.
const loginsSQL = `SELECT json_build_object(
	'password_encryption', current_setting('password_encryption'),
	'weak_roles', (SELECT coalesce(json_agg(rolname ORDER BY rolname), '[]') FROM pg_authid WHERE rolpassword IS NOT NULL AND rolpassword NOT LIKE 'SCRAM-SHA-256$%'),
	'rules', (SELECT coalesce(json_agg(json_build_object('line', line_number, 'type', type, 'method', auth_method, 'error', error) ORDER BY line_number), '[]') FROM pg_hba_file_rules))`

// logins is the answer.
type logins struct {
	PasswordEncryption string    `json:"password_encryption"`
	WeakRoles          []string  `json:"weak_roles"`
	Rules              []hbaRule `json:"rules"`
}

// hbaRule is one line of pg_hba.conf as PostgreSQL reads it.
type hbaRule struct {
	Line   int    `json:"line"`
	Type   string `json:"type"`
	Method string `json:"method"`
	Error  string `json:"error"`
}

func checkLogins(ctx context.Context, c *site.Site) (string, error) {
	databases, err := c.Databases()
	if err != nil {
		return "", err
	}
	err = remote.Each(ctx, databases, func(ctx context.Context, t *remote.Target) error {
		res, err := t.Run(ctx, remote.Cmd{User: "postgres", Argv: c.Psql("-c", loginsSQL)})
		if err != nil {
			return err
		}
		var found logins
		if err := json.Unmarshal(res.Stdout, &found); err != nil {
			return fmt.Errorf("read how logins are set up: %w", err)
		}
		return errs.Reasons(found.problems())
	})
	return "scram-sha-256 in pg_hba.conf, for new passwords and for every role", err
}

// problems lists what lets somebody in without TLS, or with a password that can be read or guessed
// offline.
func (l logins) problems() []string {
	var found []string
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if l.PasswordEncryption != "scram-sha-256" {
		add("password_encryption is %s", l.PasswordEncryption)
	}
	if len(l.WeakRoles) > 0 {
		add("the password of %s is not kept as scram-sha-256", strings.Join(l.WeakRoles, ", "))
	}
	for _, r := range l.Rules {
		switch {
		case r.Error != "":
			add("line %d of pg_hba.conf is wrong: %s", r.Line, r.Error)
		case slices.Contains([]string{"trust", "password", "md5", "ident"}, r.Method):
			add("line %d of pg_hba.conf lets in by %s", r.Line, r.Method)
		case r.Method != "reject" && r.Type != "local" && r.Type != "hostssl":
			add("line %d of pg_hba.conf (%s) lets in without TLS", r.Line, r.Type)
		}
	}
	return found
}

// loginScript logs in to each of the addresses as both roles, with the password file and as
// strictly as replicas do.
//
//go:embed logins.sh
var loginScript string

// checkPasswordFile logs in from each host to each other one with what is on the host, and nothing
// that the operator has.
func checkPasswordFile(ctx context.Context, c *site.Site) (string, error) {
	databases, err := c.Databases()
	if err != nil {
		return "", err
	}
	pg := c.Spec.PostgreSQL
	err = remote.Each(ctx, databases, func(ctx context.Context, t *remote.Target) error {
		argv := pgsession.Clean(pgsession.Settings(pg.Version, pgsession.Ordinary, "pgha"),
			"sh", "-c",
			loginScript, "login",
			fmt.Sprint(pg.Port), patroni.PasswordFile, patroni.PostgresCAFile,
			conninfo(pg.ReplicationUser),
			conninfo(pg.RewindUser), c.PsqlPath())
		for _, h := range c.Spec.Databases() {
			if h.Name != t.Name || len(databases) == 1 {
				argv = append(argv, h.Address)
			}
		}
		res, err := t.Run(ctx, remote.Cmd{User: "postgres", Argv: argv})
		if who := strings.TrimSpace(string(res.Stdout)); err != nil && who != "" {
			return fmt.Errorf("log in as %s: %w", who, err)
		}
		return err
	})
	return fmt.Sprintf("%s and %s, from each host to each other one", pg.ReplicationUser,
		pg.RewindUser), err
}

// conninfo escapes a value that stands in single quotes in a libpq connection string.
func conninfo(value string) string {
	return strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value)
}
