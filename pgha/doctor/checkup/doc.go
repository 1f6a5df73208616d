// Package checkup runs the doctor on a cluster.
//
//	d, err := checkup.Examine(ctx, cluster, checkup.Options{})
//	for _, f := range d.Findings {
//		fmt.Println(f.Host, f.Title, f.Consequence)
//	}
//
// [Examine] asks every host about everything at once, each program on its own host, so that a
// broken network or certificate between hosts hides nothing, and has package doctor judge. [Fix]
// carries out the remedy of a finding, under the cluster's lock and with a record in the audit log.
// [Bundle] packs everything that was seen, without secrets, for somebody else to look at.
package checkup
