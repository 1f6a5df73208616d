// Package labtest holds the tests that need a whole cluster on real hosts: what the library and its
// command line promise, tried on the systemd hosts of package lab. They run as root with
//
//	PGHA_LAB=1 go test ./pgha/labtest
//
// and are skipped otherwise. They use labs of their own, take them down again, and never touch one
// that a person uses.
package labtest
