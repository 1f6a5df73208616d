// Package etcd installs etcd on the cluster's hosts, forms its cluster, and asks it how it is.
//
//	err := etcd.Bootstrap(ctx, etcd.Options{
//		Members: []etcd.Member{{Target: pg1, Name: "pg1", Address: "192.168.0.203",
//			Server: server, Peer: peer, Gateway: gateway}, ...},
//		CA:      ca, Client: operator,
//	})
//	members, err := etcd.Status(ctx, options)
//
// [Bootstrap] is all that a caller needs to have a healthy cluster, however far an earlier run
// came. [Health], [Status] and [Leader] look, [MoveLeader] hands leadership over. etcd is reached
// through the hosts' own connections ([remote.Dialer]), so none of its ports has to be open to the
// operator.
//
// Options are plain data and every function may be called concurrently. Errors of several members
// are joined (errs.Join), in the members' order, each naming its host.
package etcd
