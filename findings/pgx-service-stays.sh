#!/bin/sh
# github.com/jackc/pgx/v5 v5.12.0, pgconn.ParseConfig: a program cannot switch a service off that PGSERVICE names.
#
# Expected: as in libpq, an empty value in the connection string ("service=") stands for "none", or at least some word of the
# string does. Seen: the empty name is looked up in the service file and is an error, so a program that must not take
# anything from its surroundings has to name a service of its own that sets nothing. Without it, whatever the string leaves
# out (here the port and the application's name) comes from the service, although the string names another host.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >service.conf <<'CONF'
[elsewhere]
host=192.0.2.1
port=6543
application_name=of-the-service

[nothing]
CONF
cat >main.go <<'GO'
package main

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

func main() {
	for _, s := range []string{
		"host=127.0.0.1 user=u dbname=d",
		"host=127.0.0.1 user=u dbname=d service=",
		"host=127.0.0.1 user=u dbname=d service=nothing",
	} {
		c, err := pgconn.ParseConfig(s)
		if err != nil {
			fmt.Printf("%s: error %t\n", s, strings.Contains(err.Error(), "service"))
			continue
		}
		fmt.Printf("%s: %s:%d %q\n", s, c.Host, c.Port, c.RuntimeParams["application_name"])
	}
}
GO
export GOFLAGS=-mod=mod GOWORK=off
go mod init example.org/finding >/dev/null 2>&1
go get github.com/jackc/pgx/v5@v5.12.0 >/dev/null 2>&1
go build -o finding .
env -i PGSERVICE=elsewhere PGSERVICEFILE="$dir/service.conf" HOME="$dir" ./finding >seen
cat seen
cat >want <<'WANT'
host=127.0.0.1 user=u dbname=d: 127.0.0.1:6543 "of-the-service"
host=127.0.0.1 user=u dbname=d service=: error true
host=127.0.0.1 user=u dbname=d service=nothing: 127.0.0.1:5432 ""
WANT
cmp want seen
