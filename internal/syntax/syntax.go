// Package syntax holds the patterns of names that the specification and the components judge alike.
package syntax

const (
	// Interface is what Linux takes for the name of a network interface, 15 bytes at most, and
	// keepalived's configuration for one word.
	Interface = `^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$`
	// Name is what etcd and Patroni take for the name of a member, and HAProxy for that of a
	// server. It needs no quotes in any file.
	Name = `^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`
)
