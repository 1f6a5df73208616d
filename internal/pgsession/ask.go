package pgsession

import _ "embed"

//go:embed ask.pl
var askScript string

// AskScript is the text of a perl program for a database's host, which asks the server behind a
// socket there: USER SOCKET ROLE OPTIONS SQL... It prints the first column of every row, one a
// line, and nothing of a statement that fails; it ends within 2 s. It is for questions that every
// run asks: psql needs 40 ms of a CPU to begin, of which this program needs 4.
func AskScript() string { return askScript }

// askFirst asks by the script of its first argument; what stands behind the fifth is psql's.
// setpriv asks no PAM, as runuser does, which takes as long as two more programs.
const askFirst = `perl -e "$1" postgres "$2" "$3" "$4" "$5" | grep -a . && exit; shift 5; ` +
	`exec setpriv --reuid postgres --regid postgres --init-groups "$@"`

// Ask is the command line by which root asks the server behind a socket of the host as a role. The
// statement has to give something. Where AskScript hears nothing a command of psql's asks again, as
// the operating system's postgres: its answer counts, and it says what is wrong.
func Ask(socket, role string, settings map[string]string, statement string,
	psql ...string) []string {
	return append([]string{"sh", "-c", askFirst, "ask", askScript, socket, role, Options(settings),
		statement},
		psql...)
}
