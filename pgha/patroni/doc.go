// Package patroni puts Patroni on the PostgreSQL hosts of a cluster, starts the cluster in the
// right order, waits until it is really replicating, and talks to Patroni's REST API.
//
// It works on live hosts (remote.Target) and plain data: endpoints and PEM bytes come from the
// caller, so that this package knows nothing of how etcd or a certificate authority was set up. A
// program that only wants the configuration file calls Config; one that only wants to talk to a
// cluster that runs already calls NewClient.
//
// The usual order is Options.Validate, Install, Bootstrap, then Client and Switchover. Install and
// Bootstrap may be repeated: on a cluster that is as the options say, they change nothing.
package patroni
