package pgsession

import "strconv"

// Psql is the command line of the psql at a path, on a database host. It reads no psqlrc and asks
// for no password.
func Psql(path string, settings map[string]string, args ...string) []string {
	return append(Clean(settings, path, "-X", "-w"), args...)
}

// Clean is the command line that runs a program of libpq's on a host with these settings for its
// sessions, and without any variable of its surroundings (a PGPORT or PGOPTIONS of the host's own,
// say) and any file of a home directory.
func Clean(settings map[string]string, argv ...string) []string {
	return append([]string{"env", "-i", "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=/nonexistent",
		"PGOPTIONS=" + Options(settings)}, argv...)
}

// clientVariables are those that tell libpq where to connect, as which role and how safely.
// PGOPTIONS, PGAPPNAME, PGCLIENTENCODING and the like are about the session that an operator opens
// for himself, and stay.
var clientVariables = []string{
	"PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGPASSFILE",
	"PGREQUIREPEER",
	"PGREQUIREAUTH", "PGCHANNELBINDING",
	"PGSERVICE", "PGSERVICEFILE", "PGSYSCONFDIR", "PGREQUIRESSL", "PGSSLMODE", "PGSSLNEGOTIATION",
	"PGSSLCOMPRESSION", "PGSSLCERT", "PGSSLKEY",
	"PGSSLCERTMODE", "PGSSLROOTCERT", "PGSSLCRL", "PGSSLCRLDIR", "PGSSLSNI",
	"PGSSLMINPROTOCOLVERSION",
	"PGSSLMAXPROTOCOLVERSION",
	"PGMINPROTOCOLVERSION", "PGMAXPROTOCOLVERSION", "PGGSSENCMODE", "PGKRBSRVNAME", "PGGSSLIB",
	"PGGSSDELEGATION", "PGTARGETSESSIONATTRS",
	"PGLOADBALANCEHOSTS", "PGREALM", "PGTTY", "PGSSLKEYLOGFILE", "PGOAUTHDEBUG",
}

// Environment returns the variables without those that would lead a libpq program elsewhere than
// its arguments say.
func Environment(variables []string) []string {
	var kept []string
	for _, v := range variables {
		if !named(v) {
			kept = append(kept, v)
		}
	}
	return kept
}

// Unset is the command line that runs a program of libpq's without those variables, for where the
// environment is another's.
func Unset(argv ...string) []string {
	without := []string{"env"}
	for _, name := range clientVariables {
		without = append(without, "-u", name)
	}
	return append(without, argv...)
}

func named(variable string) bool {
	for _, name := range clientVariables {
		if len(variable) > len(name) && variable[len(name)] == '=' && variable[:len(name)] == name {
			return true
		}
	}
	return false
}

// remedial are the settings that a statement typed at a prompt says of itself: those by which a
// cluster's own defaults would refuse it, end it, or let it mean something else.
var remedial = []string{
	"default_transaction_isolation", "default_transaction_read_only", "event_triggers",
	"lock_timeout",
	"role", "search_path", "statement_timeout",
	"transaction_timeout",
}

// Remedy is the command line, to be read and typed by people, that runs psql on a database host as
// the operating system's user postgres, through the server's socket, whatever the cluster's
// defaults and the host's environment say.
func Remedy(version, port int, superuser string, args ...string) []string {
	all, settings := Settings(version, Superuser, ""), map[string]string{}
	for _, name := range remedial {
		if value, known := all[name]; known {
			settings[name] = value
		}
	}
	command := []string{"runuser", "-u", "postgres", "--", "env", "-i", "PATH=/usr/bin:/bin",
		"PGOPTIONS=" + Options(settings),
		"psql", "-X", "-p", strconv.Itoa(port), "-U", superuser, "-d", "postgres"}
	return append(command, args...)
}
