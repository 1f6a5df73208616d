//go:build !linux

package main

import (
	"errors"
	"os"
)

// inMemory needs Linux: psql takes a password from a file or its environment, and only there a file can lie on no disk.
func inMemory([]byte) (*os.File, error) {
	return nil, withHint(errors.New("the password is encrypted, and psql can be given it without a file on disk only on Linux"),
		"log in with a password file of your own and the strings of pgha-cli connection")
}

func memoryPath(f *os.File) string { return f.Name() }
