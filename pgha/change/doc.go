// Package change knows what a change of the specification means for a cluster that runs.
//
//	for _, r := range change.Judge(sp, running) {
//		fmt.Println(r)
//	}
//
// [Fields] is the table: each field of a specification with its [Effect]. [Judge] compares a
// specification with what [Running] says of the hosts and of etcd, and refuses what cannot be done
// on a cluster that runs. A test sees to it that every field is in the table and that every field
// with the effect [Refused] is judged; the page docs/changing-the-specification.md is made from the
// table.
//
// Everything here is pure computation: the facade asks the hosts, with the scripts that [Question]
// returns.
package change
