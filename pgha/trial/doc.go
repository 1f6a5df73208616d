// Package trial finds out what a PostgreSQL would say of settings and rules before they are written
// anywhere: a server is started with them in a directory of its own, on the host that is to run it.
//
//	present := trial.ReadPresent(answer) // of the command that PresentQuestion returns
//	if server.Differs(present) {
//		input := trial.Input(server, present) // for the script that Command runs
//		faults := trial.Judge(server, trial.Read(output))
//	}
//
// The server reads its settings, loads its libraries, certificates and rules, and ends when it
// finds no WAL: that takes a fifth of a second, opens no port, and neither touches the server that
// runs nor its data. What a start does not look at is looked for beside it: memory, libraries that
// sessions load, programs and directories that settings name. Measured with PostgreSQL 18.
//
// Everything here is pure computation: the facade runs the commands.
package trial
