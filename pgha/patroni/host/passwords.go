package host

import (
	"fmt"
	"path"
	"strings"

	"github.com/pgha/toolkit/internal/pgroles"
	"github.com/pgha/toolkit/internal/pgsession"
	"github.com/pgha/toolkit/pgha/remote"
)

// Where passwords go. Patroni's own way, passwords in config.yml, fails for some of them: it sets
// them with SQL text that it quotes as Latin-1 and wraps in $$. So config.yml holds none:
//
//   - The roles of a new cluster get SCRAM verifiers, which are plain ASCII, from rolesPath when
//     Patroni has initialized it.
//   - Replicas and pg_rewind find the passwords in PasswordFile, which libpq reads whenever it
//     connects: a new password needs neither a reload nor a restart. The unit's environment leads
//     pg_basebackup and pg_rewind there; Patroni, which finds no password to write there itself,
//     names the file in each replica's primary_conninfo.
//   - The superuser's is on no host: Patroni logs in over the local socket as the system's
//     postgres.

// passFile is PasswordFile's content. The hosts need no more than the two roles that connect from
// one to another.
func (o Options) passFile() []byte {
	var b strings.Builder
	b.WriteString("# Written by pgha: what replicas and pg_rewind log in to other members with.\n")
	for _, c := range []Credentials{o.Replication, o.Rewind} {
		b.WriteString(pgsession.PassFileLine(c.Username, string(c.Password.Reveal())) + "\n")
	}
	return []byte(b.String())
}

// rolesSQL gives the three roles their passwords, and makes those that are missing. It can be run
// again. Nothing of it is written into PostgreSQL's log.
func (o Options) rolesSQL() string {
	var b strings.Builder
	b.WriteString(
		`-- Written by pgha: the roles that Patroni works with, with SCRAM verifiers in place of passwords.
-- Patroni runs it when it has initialized a new cluster, and never again.
` + pgsession.Quiet)
	for _, r := range []struct {
		Credentials
		attributes string
	}{{o.Superuser, "SUPERUSER LOGIN"}, {o.Replication, "REPLICATION LOGIN"}, {o.Rewind, "LOGIN"}} {
		name := `"` + r.Username + `"`
		fmt.Fprintf(&b,
			`SELECT 'CREATE ROLE %s' WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '%s') \gexec`+"\n",
			strings.ReplaceAll(name, "'", "''"), strings.ReplaceAll(r.Username, "'", "''"))
		fmt.Fprintf(&b, "ALTER ROLE %s WITH %s PASSWORD '%s';\n", name, r.attributes,
			r.Verifier.Reveal())
	}
	return b.String()
}

// psql reads SQL as the superuser, whole or not at all.
func (o Options) psql() []string {
	return []string{path.Join(o.BinDir, "psql"), "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1"}
}

// PasswordFiles are the files on the member's host that hold passwords or verifiers.
func PasswordFiles(o Options, m Member) []remote.Resource {
	o = o.WithDefaults()
	l := Layout(o)
	list := []remote.Resource{l.Place(PasswordFile, o.passFile())}
	if o.isFirst(m) {
		list = append(list, l.Place(rolesPath, []byte(o.rolesSQL())))
	}
	return list
}

// SetRoles is the command that gives the three roles of a running cluster the passwords of the
// options, and the rights that they need. It is run on the leader's host, and can be run again.
func SetRoles(o Options) remote.Cmd { return SetRolesAt(o, socketDir, o.WithDefaults().ListenPort) }

// SetRolesAt is SetRoles for a server whose socket is in another directory and has another port's
// name.
func SetRolesAt(o Options, socket string, port int) remote.Cmd {
	o = o.WithDefaults()
	cmd := o.scriptAt(socket, port, o.rolesSQL()+o.rightsSQL())
	cmd.Secrets = []string{string(o.Superuser.Verifier.Reveal()),
		string(o.Replication.Verifier.Reveal()), string(o.Rewind.Verifier.Reveal())}
	return cmd
}

// SetRights is the command that gives the roles of replication and of pg_rewind in a running
// cluster what they need. Patroni does so when it makes a cluster, and never again. It is run on
// the leader's host, and can be run again.
func SetRights(o Options) remote.Cmd {
	o = o.WithDefaults()
	return o.script("SET synchronous_commit TO local;\n" + o.rightsSQL())
}

func (o Options) rightsSQL() string {
	return pgroles.GrantSQL(o.Replication.Username, o.Rewind.Username)
}

// DropSlots is the command that drops replication slots on the member's own server, where nobody
// reads them and PostgreSQL does not keep them as copies. It can be run again.
func DropSlots(o Options, names []string) remote.Cmd {
	o = o.WithDefaults()
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = pgsession.Literal(name)
	}
	return o.script("SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM " +
		"pg_catalog.pg_replication_slots WHERE NOT active AND slot_name IN (" +
		strings.Join(quoted, ", ") + ");\n")
}

// HasSlots is the command that prints those of the named replication slots that the member's own
// server has.
func HasSlots(o Options, names []string) remote.Cmd {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = pgsession.Literal(name)
	}
	return o.WithDefaults().script("\\pset tuples_only\n\\pset format unaligned\n" +
		"SELECT slot_name FROM pg_catalog.pg_replication_slots WHERE slot_name IN (" +
		strings.Join(quoted, ", ") + ");\n")
}

// Copies is the command that prints the base backups that are being taken of the member, a line
// each: "ADDRESS|STREAMED|TOTAL", the bytes that were sent and those of all databases.
func Copies(o Options) remote.Cmd {
	return o.WithDefaults().script("\\pset tuples_only\n\\pset format unaligned\n" +
		"SELECT pg_catalog.host(a.client_addr), p.backup_streamed, (SELECT " +
		"sum(pg_catalog.pg_database_size(oid))::bigint FROM pg_catalog.pg_database) " +
		"FROM pg_catalog.pg_stat_progress_basebackup p " +
		"JOIN pg_catalog.pg_stat_activity a USING (pid) WHERE a.client_addr IS NOT NULL;\n")
}

// script is a command that has the local PostgreSQL run SQL as the superuser.
func (o Options) script(sql string) remote.Cmd { return o.scriptAt(socketDir, o.ListenPort, sql) }

func (o Options) scriptAt(socket string, port int, sql string) remote.Cmd {
	argv := append(o.psql(), "-w", "-h", socket, "-p", fmt.Sprint(port), "-U",
		o.Superuser.Username, "-d", "postgres", "-f", "-")
	return remote.Cmd{
		Argv: pgsession.Clean(
			pgsession.Settings(o.PostgreSQLVersion, pgsession.Superuser, "pgha"), argv...),
		Stdin: strings.NewReader(sql), User: systemUser,
	}
}

// Login is the command that logs in to a member as one of the roles.
type Login struct {
	Role    string
	Command remote.Cmd
}

// Logins log in to the leader as Patroni and PostgreSQL do from the other members' hosts, with
// their password file.
func Logins(o Options, leader Member) []Login {
	o = o.WithDefaults()
	common := fmt.Sprintf(
		"host=%s port=%d sslmode=verify-full sslrootcert=%s passfile=%s connect_timeout=5",
		leader.Address, o.ListenPort, PostgresCAFile, PasswordFile)
	login := func(role, dsn, sql string) Login {
		return Login{role, remote.Cmd{
			Argv: pgsession.Psql(path.Join(o.BinDir, "psql"),
				pgsession.Settings(o.PostgreSQLVersion, pgsession.Ordinary, "pgha"),
				"-q", "-U", role, "-d", common+" "+dsn, "-c", sql),
			User: systemUser,
		}}
	}
	return []Login{
		login(o.Replication.Username, "replication=true", "IDENTIFY_SYSTEM"),
		login(o.Rewind.Username, "dbname=postgres", "SELECT 1"),
	}
}
