// Package drill breaks a cluster on purpose and measures what its applications notice.
//
//	result, err := drill.Run(ctx, cluster, drill.Options{
//		Scenarios: []string{"switchover", "postgres-killed"}, Consent: "orders"})
//	if err != nil {
//		return err
//	}
//	for _, run := range result.Runs {
//		o := run.Outcome
//		fmt.Println(o.Scenario, o.GapSeconds, o.Lost, o.Verdict.Kept)
//	}
//
// Scenarios is everything that can be practised. Each run records (Recording) what a writer through
// the virtual IP, a reader through the port of the replicas, a question to every member ten times a
// second, a watch of the leader key, etcd's leader and every balancer saw; Analyse works out of
// that, as pure computation, how long nobody could write and why, which rows were lost, whether two
// members took writes at once, and whether the promise of the specification (slo) was kept.
//
// # Where drills may run
//
// On a lab, everywhere. On any other cluster Run refuses unless Options.Consent is the cluster's
// name, and then still refuses the scenarios that are not Safe. What is broken on a host by a
// program, a packet filter or a file is given back by a timer of the host's own, set before it is
// broken, so that it ends even if this program dies. Power and cables of a lab are given back by
// this program alone.
//
// # Resolution
//
// Times are of this machine's clock. A gap is exact to two ticks of the writer (100 ms at the usual
// 20 rows a second). The leader key is watched: some milliseconds. Members are asked every 100 ms,
// balancers every 200 ms, etcd's leader every 250 ms, so that where a phase ends by one of these it
// is known as exactly as that.
//
// Two writers at once are reported only where the answers prove it: while two members are out of
// recovery each is asked to commit a write of the drill's own, which under a synchronous mode a
// former leader cannot; both acknowledged that at least twice without a restart in between, and the
// times between those answers overlap. Two writers for less than some 200 ms can therefore go
// unseen by that; the comparison of rows at the end sees what they cost.
package drill
