// Package host describes a Patroni cluster by its options, and says what each member's host has of
// it: files, units, packages, ports and commands. Pure computation: nothing is looked at or changed
// on any host.
package host
