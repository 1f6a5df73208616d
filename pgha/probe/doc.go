// Package probe counts the seconds without writes and the rows that were lost.
//
// A Writer inserts rows at a fixed rate as an ordinary application does (Client): it has the time
// limits of the connection strings, reconnects at once when a session fails, and opens no second
// connection beside one that hangs. It notes what became of each row, and its Result tells how long
// no row was acknowledged. What the table holds afterwards, compared with what was acknowledged,
// tells what was lost.
//
//	w, err := probe.Start(ctx, probe.Options{Config: config})
//	if err != nil {
//		return err
//	}
//	fault := time.Now()
//	... // break something
//	if err := w.WaitAcked(ctx, fault); err != nil {
//		return err
//	}
//	result, err := w.Stop(ctx)
//	if err != nil {
//		return err
//	}
//	there, err := probe.Rows(ctx, conn, result.Table, result.Run)
//	...
//	fmt.Println(result.Longest().Seconds, result.Compare(there).Lost)
//
// The package knows nothing of Patroni or of this project's clusters: it measures whatever speaks
// PostgreSQL's protocol.
//
// # What became of a row
//
// A row is Acked when PostgreSQL answered that its transaction is committed, and when that answer
// is in the log on disk, if there is one. It is Failed when it cannot have been committed: no
// session could be opened, or PostgreSQL answered with an error, which rolls an INSERT back.
// Everything else is Unknown: the statement was sent and no answer came back. Such a row may or may
// not be in the table. Having lost it is not a broken promise, so it is never counted as lost.
//
// # Resolution
//
// A Gap lasts from one acknowledgement to the next, both as they reached this program. At the usual
// pace that is 1/Rate plus the time of one INSERT, and nothing is subtracted from a gap for it: a
// gap is never shorter than the outage. It is longer by at most two ticks (2/Rate) and the opening
// of a session as long as the other end answers or refuses.
//
// Where it is silent instead, the gap has in it what a caller in an application waits for: a
// session that died without a sign is given up after 25 s of silence (Options.StatementTimeout),
// and a login that gets no answer, from a dead host or from a proxy that knows no primary, after 5
// s (Options.LoginTimeout). LongestCall is the longest of these waits.
package probe
