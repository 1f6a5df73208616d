// Command certificates writes an authority and one server certificate into the
// directory that it is given: certificates only, no host involved.
package main

import (
	"errors"
	"log"
	"os"
	"path/filepath"

	"github.com/pgha/toolkit/pgha/pki"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: certificates DIRECTORY")
	}
	ca, err := pki.NewCA("example")
	if err != nil {
		log.Fatal(err)
	}
	leaf, err := ca.Issue(pki.Request{CommonName: "db", DNSNames: []string{"db.example.com"},
		Usage: pki.ServerUsage})
	if err != nil {
		log.Fatal(err)
	}
	write := func(name string, data []byte, mode os.FileMode) error {
		return os.WriteFile(filepath.Join(os.Args[1], name), data, mode)
	}
	if err := errors.Join(
		write("ca.key", ca.KeyPEM().Reveal(), 0o600),
		write("ca.crt", ca.CertPEM(), 0o644),
		write("db.key", leaf.KeyPEM.Reveal(), 0o600),
		write("db.crt", leaf.CertPEM, 0o644),
	); err != nil {
		log.Fatal(err)
	}
}
