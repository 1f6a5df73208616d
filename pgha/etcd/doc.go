// Package etcd installs etcd on the cluster's hosts, forms its cluster, and asks it how it is.
//
//	err := etcd.Bootstrap(ctx, etcd.Options{
//		Members: []etcd.Member{{Target: pg1, Name: "pg1", Address: "192.168.0.203", Server: serverCert, Peer: peerCert, Gateway: gatewayCert}, ...},
//		CA:      ca, Client: operatorCert,
//	})
//	members, err := etcd.Status(ctx, options)
//
// etcd is reached through the hosts' own connections (remote.Dialer), so no port of it has to be open to the operator.
package etcd
