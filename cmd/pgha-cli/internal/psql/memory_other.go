//go:build !linux

package psql

import (
	"errors"
	"os"

	"github.com/pgha/toolkit/pgha/remote"
)

// InMemory needs Linux: psql takes a password from a file or its environment, and only there a file
// can lie on no disk.
func InMemory([]byte) (*os.File, error) {
	return nil, remote.WithHint(
		errors.New("the password is encrypted, and psql can be given it without a file on disk "+
			"only on Linux"),
		"log in with a password file of your own and the strings of pgha-cli connection")
}

// PathOf is the path of a file of InMemory.
func PathOf(f *os.File) string { return f.Name() }
