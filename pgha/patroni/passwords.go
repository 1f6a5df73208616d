package patroni

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/pgha/toolkit/internal/pgsession"
	"github.com/pgha/toolkit/pgha/remote"
)

// Where passwords go. Patroni's own way, passwords in config.yml, fails for some of them: it sets them with SQL text that
// it quotes as Latin-1 and wraps in $$. So config.yml holds none:
//
//   - The roles of a new cluster get SCRAM verifiers, which are plain ASCII, from rolesPath when Patroni has initialized it.
//   - Replicas and pg_rewind find the passwords in passPath, which libpq reads whenever it connects: a new password
//     needs neither a reload nor a restart. The unit's environment leads pg_basebackup and pg_rewind there; Patroni, which
//     finds no password to write there itself, names the file in each replica's primary_conninfo.
//   - The superuser's is on no host: Patroni logs in over the local socket as the system's postgres.

// passFile is passPath's content. The hosts need no more than the two roles that connect from one to another.
func (o Options) passFile() []byte {
	var b strings.Builder
	b.WriteString("# Written by pgha: what replicas and pg_rewind log in to other members with.\n")
	for _, c := range []Credentials{o.Replication, o.Rewind} {
		fmt.Fprintf(&b, "*:*:*:%s:%s\n", escapePassFile(c.Username), escapePassFile(c.Password))
	}
	return []byte(b.String())
}

func escapePassFile(s string) string { return strings.NewReplacer(`\`, `\\`, ":", `\:`).Replace(s) }

// rolesSQL gives the three roles their passwords, and makes those that are missing. It can be run again. Nothing of it is
// written into PostgreSQL's log.
func (o Options) rolesSQL() string {
	var b strings.Builder
	b.WriteString(`-- Written by pgha: the roles that Patroni works with, with SCRAM verifiers in place of passwords.
-- Patroni runs it when it has initialized a new cluster, and never again.
SET synchronous_commit TO local;
SET log_statement TO none;
SET log_min_duration_statement TO -1;
SET log_min_error_statement TO panic;
SET pg_stat_statements.track_utility TO off;
SET pgaudit.log TO none;
`)
	for _, r := range []struct {
		Credentials
		attributes string
	}{{o.Superuser, "SUPERUSER LOGIN"}, {o.Replication, "REPLICATION LOGIN"}, {o.Rewind, "LOGIN"}} {
		name := `"` + r.Username + `"`
		fmt.Fprintf(&b, `SELECT 'CREATE ROLE %s' WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '%s') \gexec`+"\n",
			strings.ReplaceAll(name, "'", "''"), strings.ReplaceAll(r.Username, "'", "''"))
		fmt.Fprintf(&b, "ALTER ROLE %s WITH %s PASSWORD '%s';\n", name, r.attributes, r.Verifier)
	}
	return b.String()
}

// psql reads SQL as the superuser, whole or not at all.
func (o Options) psql() []string {
	return []string{path.Join(o.BinDir, "psql"), "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1"}
}

// passwordResources are the files that hold passwords or verifiers.
func (o Options) passwordResources(m Member) []remote.Resource {
	list := []remote.Resource{remote.File{FileMeta: owned(passPath, 0o600), Content: o.passFile(), Secret: true}}
	if o.isFirst(m) {
		list = append(list, remote.File{FileMeta: owned(rolesPath, 0o600), Content: []byte(o.rolesSQL()), Secret: true})
	}
	return list
}

func (o Options) isFirst(m Member) bool { return len(o.Members) > 0 && o.Members[0].Name == m.Name }

// SetPasswords gives the three roles of a running cluster the passwords of the options, and puts them into every member's
// password file. Sessions and replication go on; whoever connects afterwards needs the new password. A replica that loses
// its connection between the two steps, which are moments apart, tries again until it has the new password. Nothing is
// reloaded or restarted.
//
// In the end every host has logged in with them.
//
// Safe to repeat, and to be repeated after it was interrupted anywhere. The error matches ErrInvalid, ErrNoLeader or
// ErrUnavailable; when the targets only plan, the changes are reported and nothing happens.
func SetPasswords(ctx context.Context, o Options) error {
	o = o.withDefaults()
	c := NewClient(o)
	if c.err != nil {
		return fmt.Errorf("set passwords: %w", c.err)
	}
	state, err := c.Cluster(ctx)
	if err != nil {
		return fmt.Errorf("set passwords: %w", err)
	}
	leads, ok := state.Leader()
	if !ok {
		return fmt.Errorf("set passwords: %w", ErrNoLeader)
	}
	leader, err := c.member(leads.Name)
	if err != nil {
		return fmt.Errorf("set passwords: %w", err)
	}
	argv := append(o.psql(), "-w", "-h", socketDir, "-p", fmt.Sprint(o.ListenPort), "-U", o.Superuser.Username, "-d", "postgres", "-f", "-")
	_, err = leader.Target.Do(ctx, "passwords of the roles", "set", remote.Cmd{
		Argv: pgsession.Clean(pgsession.Settings(o.PostgreSQLVersion, pgsession.Superuser, "pgha"), argv...), Stdin: strings.NewReader(o.rolesSQL()), User: systemUser,
		Secrets: []string{o.Superuser.Verifier, o.Replication.Verifier, o.Rewind.Verifier},
	})
	if err != nil {
		return fmt.Errorf("set passwords: %w", remote.OnHost(leader.Target.Name, err))
	}
	err = o.eachMember(func(m Member) error {
		_, err := m.Target.Ensure(ctx, o.passwordResources(m)...)
		return err
	})
	if err == nil && !o.planning() {
		err = o.eachMember(func(m Member) error { return o.tryLogins(ctx, m, leader) })
	}
	if err != nil {
		return fmt.Errorf("set passwords: %w", err)
	}
	return nil
}

// tryLogins logs in to the leader from a member's host as Patroni and PostgreSQL do there, with the password file.
func (o Options) tryLogins(ctx context.Context, from, leader Member) error {
	common := fmt.Sprintf("host=%s port=%d sslmode=verify-full sslrootcert=%s passfile=%s connect_timeout=5", leader.Address, o.ListenPort, postgresCA, passPath)
	for _, login := range []struct{ role, dsn, sql string }{
		{o.Replication.Username, "replication=true", "IDENTIFY_SYSTEM"},
		{o.Rewind.Username, "dbname=postgres", "SELECT 1"},
	} {
		_, err := from.Target.Run(ctx, remote.Cmd{
			Argv: pgsession.Psql(path.Join(o.BinDir, "psql"), pgsession.Settings(o.PostgreSQLVersion, pgsession.Ordinary, "pgha"),
				"-q", "-U", login.role, "-d", common+" "+login.dsn, "-c", login.sql),
			User: systemUser,
		})
		if err != nil {
			return fmt.Errorf("log in to %s as %s: %w", leader.Name, login.role, err)
		}
	}
	return nil
}
