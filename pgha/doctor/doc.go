// Package doctor says what is wrong with a cluster, why, and how to mend it.
//
// [Examine] looks at everything at once: units, journals, files, certificates, ports, disks, clocks, and what etcd, Patroni,
// PostgreSQL, HAProxy and keepalived say of themselves, each on its own host, so that a broken network or certificate
// between hosts hides nothing. From these [Facts] pure rules come to [Finding] values. A cause takes its symptoms under
// itself: one broken certificate is one finding, not twelve.
//
// Every remedy is a list of commands that can be typed as they stand. [Fix] runs them, under the cluster's lock and in the
// trail of its operations. [Bundle] packs everything that was seen, without secrets, for somebody else to look at.
package doctor
