// Package pooler configures PgBouncer on the balancers of a cluster, and holds its clients while
// something is done to the servers.
//
// Each balancer has two, one for writes and one for reads, in front of HAProxy's ports on the same
// host: they lead to whoever is the primary, so that nothing of them changes when the leader does.
// Both sides speak TLS, and a role's password is asked for on the server by a role that can do
// nothing else.
//
// Pause holds clients between two transactions, on all balancers at the same time, and a timer on
// each lets them go on if nobody comes back: see there.
//
// Everything goes through remote.Executor: a Target for each balancer is all that the package
// needs.
package pooler
