package pgsession

import _ "embed"

//go:embed ask.pl
var askScript string

// AskScript is the text of a perl program for a database's host, which asks the server behind a
// socket there: USER SOCKET ROLE OPTIONS SQL... It prints the first column of every row, one a
// line, and nothing of a statement that fails; it ends within 2 s. It is for questions that every
// run asks: psql needs 40 ms of a CPU to begin, of which this program needs 4.
func AskScript() string { return askScript }
