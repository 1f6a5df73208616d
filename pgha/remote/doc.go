// Package remote runs commands on hosts and manages their files, packages, users and units, over
// any transport that implements the five methods of [Executor]. Package ssh is the one for hosts
// behind sshd, [Local] the one for this machine; package sudo makes root of another account.
//
// An Executor is paired with its host's name in a [Target], and [Target.Ensure] is what most code
// calls:
//
//	changes, err := target.Ensure(ctx,
//		remote.Packages{Names: []string{"haproxy"}},
//		remote.File{FileMeta: remote.FileMeta{Path: "/etc/haproxy/haproxy.cfg"}, Content: cfg},
//		remote.Unit{Name: "haproxy.service", Enabled: remote.Yes, Running: remote.Yes,
//			ReloadOn: []string{"/etc/haproxy/haproxy.cfg"}},
//	)
//
// Ensure looks first, in one round trip, and changes only what differs; called again it changes
// nothing. With the executor wrapped by [Plan] the same call only tells what it would change.
package remote
