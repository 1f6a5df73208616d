// Package incident explains what happened to a cluster: it reads the journals of all hosts and
// makes an account of them of incidents, each with what began it, who lost the leadership and why,
// how long nobody took writes, what was not replicated, and when every part was back.
//
//	account, err := incident.Explain(ctx, cluster,
//		incident.Options{Since: time.Now().Add(-time.Hour)})
//	for _, in := range account.Incidents {
//		fmt.Println(in.Headline)
//	}
//
// # How it concludes
//
// Recognizers turn lines into events, and what no line says is derived: a journal that ends without
// the lines of a shutdown and goes on with another boot is a lost power. Events that open something
// (a replica that no longer streams, a unit that is down) begin an incident, which lasts until all
// of it is closed. Of the events at its beginning the most basic one is its cause: a lost power
// explains a lost session, not the other way round. Cause.Confidence says how sure that is.
//
// Writes are away while they cannot go all the way: the virtual IP's holder, its HAProxy, the
// server that it holds for the primary, and a PostgreSQL that takes writes. Every part of that way
// is followed through the journals.
//
// Analyse does all this as a pure function over lines that have been read already.
package incident
