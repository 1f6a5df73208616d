// Package pgha turns plain Linux servers into a PostgreSQL high-availability cluster: PostgreSQL,
// Patroni and etcd on the database hosts, HAProxy and keepalived on the balancers, TLS on every
// link. It is the facade over the packages below it, and all that most programs need.
//
//	sp, err := spec.Load("pgha.yaml")
//	if err != nil {
//		return err // everything that is wrong with the file, each with its line and a remedy
//	}
//	cluster, err := pgha.Connect(ctx, sp, pgha.ConnectOptions{})
//	if err != nil {
//		return err
//	}
//	defer cluster.Close()
//	report, err := cluster.Apply(ctx, pgha.ApplyOptions{Observer: show})
//	if err != nil {
//		return err
//	}
//	checks, err := cluster.Verify(ctx, nil)
//
// # From description to cluster
//
// A [Spec] describes a cluster; package spec reads one from a file and lists every default.
// [Connect] opens one SSH connection to each host and makes or loads the operator's credentials. On
// the [Cluster] that it returns:
//
//   - [Cluster.Preflight] looks whether the hosts can become the cluster, and [Cluster.CheckPorts]
//     whether they reach each other. Both change nothing.
//   - [Cluster.Apply] makes it so. It looks first and changes only what differs, so it can be run
//     at any time, finishes what an interrupted run began, and reports no changes when there is
//     nothing to do.
//   - [Cluster.Verify] proves that it works, up to a row that is written through the virtual IP and
//     read on every replica.
//   - [Cluster.Status] says how it is, also when half of it is dead.
//   - [ConnectionFor] says how applications reach it.
//
// # Phases
//
// Apply runs the phases of [StandardPhases]. They are a plain slice: append a [Phase] of your own,
// leave one out or put one in between. A phase names those that it waits for, and whatever does not
// wait for each other runs at the same time. It gets a [Run], whose Target method leads to a host;
// changes made through that connection appear in the report and in the events. Package remote has
// the resources (files, packages, users, units) that a phase is best made of, because they change
// only what differs.
//
// # Progress, errors, time
//
// The package prints nothing. Progress goes to the [Observer] as [Event] values, diagnostics to the
// logger of [ConnectOptions], and neither ever holds a secret. Errors of several hosts come
// together, in the order of the spec, each with the name of its host; NextOf finds what an operator
// can do about one. [ErrVerify], [ErrStateLocked], [ErrNotProvisioned] and the sentinels of the
// packages below are for errors.Is.
//
// Every method that can block takes a context and returns soon after it ends. An Apply that is cut
// short leaves whole steps behind, and the next one continues from there.
//
// # The state directory
//
// Spec.StateDir, on the machine where the program runs, holds the authorities' keys, every
// certificate and the generated passwords, all with mode 0600. It is the one thing that cannot be
// recreated from the spec: back it up. A lock in it keeps two programs from changing the same
// cluster; looking (ConnectOptions.ReadOnly) needs no lock.
//
// # Reaching hosts in another way
//
// Everything that is done to a host goes through a remote.Executor, five methods.
// ConnectOptions.Executor replaces SSH by your own, ConnectOptions.Dial only the TCP connections
// below SSH. etcd, Patroni and PostgreSQL are reached through the same connection, so the
// operator's machine needs no way to any port of the cluster but sshd's.
package pgha

// Version is the toolkit's version, without a "v". CHANGELOG.md has a section for each version.
const Version = "0.1.0"
