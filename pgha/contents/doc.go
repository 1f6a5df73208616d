// Package contents compares the roles and databases of a specification with those of a PostgreSQL
// that runs, and says in statements what makes them so.
//
//	server, err := contents.Read(shared)     // what SharedSQL gives on the leader
//	err = server.ReadInside("shop", inside)  // what InsideSQL gives in that database
//	problems := contents.Judge(sp, server)   // what cannot be done, by field, with a way out
//	for _, step := range contents.Steps(sp, server) {
//		fmt.Println(step.Kind, step.Name, step.Action)
//	}
//
// What the specification does not name is left alone, and nothing is dropped that is not named as
// absent. No password and no verifier is in anything here: a step says whose is to be set.
//
// Everything here is pure computation: who calls it runs the statements.
package contents
