// Package doctor says what is wrong with a cluster, why, and how to mend it.
//
// [Diagnose] judges [Facts], what was seen of a cluster: units, journals, files, certificates,
// ports, disks, clocks, and what etcd, Patroni, PostgreSQL, HAProxy and keepalived say of
// themselves. It is pure computation. Rules turn facts into [Finding] values, and a cause takes its
// symptoms under itself: one broken certificate is one finding, not twelve.
//
// A remedy is a list of [Step] values: commands on hosts, which can be typed as they are, and verbs
// of the cluster, which a command line writes in its own way.
//
// Package checkup collects the facts and carries out remedies.
package doctor
