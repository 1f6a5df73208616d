#!/bin/sh
# github.com/urfave/cli/v2 v2.27.7: Base of an IntFlag counts for the environment and not for the command line.
#
# Expected: a flag with Base 10 reads the same number from --n 010 and from N=010. Seen: the command line goes through Go's
# package flag, which reads as Go does (010 is eight, 0x10 sixteen, 1_000 a thousand, 08 an error), while the same text in the
# environment is decimal. Whoever wants decimal numbers needs a flag with a Value of its own.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'GO'
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"
)

func main() {
	ask := func(text string) (n int, err error) {
		app := &cli.App{
			Name: "demo", Writer: io.Discard, ErrWriter: io.Discard,
			Flags:  []cli.Flag{&cli.IntFlag{Name: "n", Base: 10, EnvVars: []string{"N"}}},
			Action: func(c *cli.Context) error { n = c.Int("n"); return nil },
		}
		args := []string{"demo"}
		if text != "" {
			args = append(args, "--n", text)
		}
		err = app.Run(args)
		return n, err
	}
	for _, text := range []string{"010", "0x10", "1_000", "08"} {
		n, err := ask(text)
		fmt.Printf("command line %s: %d, error %t\n", text, n, err != nil)
	}
	for _, text := range []string{"010", "08"} {
		os.Setenv("N", text)
		n, err := ask("")
		fmt.Printf("environment %s: %d, error %t\n", text, n, err != nil)
	}
}
GO
export GOFLAGS=-mod=mod GOWORK=off
go mod init example.org/finding >/dev/null 2>&1
go get github.com/urfave/cli/v2@v2.27.7 >/dev/null 2>&1
go build -o finding .
env -i HOME="$dir" ./finding >seen
cat seen
cat >want <<'WANT'
command line 010: 8, error false
command line 0x10: 16, error false
command line 1_000: 1000, error false
command line 08: 0, error true
environment 010: 10, error false
environment 08: 8, error false
WANT
cmp want seen
