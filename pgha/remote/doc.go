// Package remote does things to hosts: it runs commands, puts files into place and makes a host match a wish, over SSH
// or any other transport that implements the five methods of [Executor].
//
// An Executor is paired with its host's name in a [Target], and [Target.Ensure] is what most code calls:
//
//	changes, err := target.Ensure(ctx,
//		remote.Packages{Names: []string{"haproxy"}},
//		remote.File{FileMeta: remote.FileMeta{Path: "/etc/haproxy/haproxy.cfg"}, Content: cfg},
//		remote.Unit{Name: "haproxy.service", Enabled: remote.Yes, Running: remote.Yes, ReloadOn: []string{"/etc/haproxy/haproxy.cfg"}},
//	)
//
// Ensure looks first, in one round trip, and changes only what differs; called again it changes nothing. With the
// executor wrapped by [Plan] the same call only tells what it would change.
package remote
