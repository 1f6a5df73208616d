// Command custom-phase provisions a cluster with one phase more than the standard ones: it gives an
// application its own database, owned by a role of the same name. The role has no password and so
// cannot log in until it is given one: pgha-cli psql -c '\password NAME'.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: custom-phase SPEC DATABASE")
	}
	if err := provision(context.Background(), os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func provision(ctx context.Context, file, database string) error {
	sp, err := spec.Load(file)
	if err != nil {
		return err
	}
	cluster, err := pgha.Connect(ctx, sp, pgha.ConnectOptions{})
	if err != nil {
		return err
	}
	defer cluster.Close()
	// A phase without After waits for every phase before it, so this one finds a cluster that takes
	// writes.
	phases := append(pgha.StandardPhases(), pgha.Phase{
		Name: "application database",
		Run: func(ctx context.Context, run *pgha.Run) error {
			return ensureDatabase(ctx, run, database)
		},
	})
	report, err := cluster.Apply(ctx, pgha.ApplyOptions{Phases: phases})
	for _, change := range report.Changes {
		fmt.Println(change.Host, change)
	}
	fmt.Println(len(report.Changes), "changes")
	return err
}

// exists and create are for psql: :'name' is the variable as an SQL text, and \gexec runs the
// statements that the query before it made, here at most one.
const (
	exists = `SELECT count(*) FROM pg_database WHERE datname = :'name';`
	create = `
SELECT format('CREATE ROLE %I LOGIN', :'name') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name') WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
`
)

// ensureDatabase looks first and changes only what is missing, as every phase must: a second Apply
// reports nothing.
func ensureDatabase(ctx context.Context, run *pgha.Run, name string) error {
	leader, err := leaderOf(ctx, run)
	if err != nil {
		return err
	}
	psql := func(sql string) remote.Cmd {
		argv := []string{"psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-v", "name=" + name, "-p",
			fmt.Sprint(run.Spec.PostgreSQL.Port), "-d", "postgres"}
		return remote.Cmd{Argv: argv, User: "postgres", Stdin: strings.NewReader(sql)}
	}
	found, err := leader.Run(ctx, psql(exists))
	if err != nil || strings.TrimSpace(string(found.Stdout)) != "0" {
		return err
	}
	// Do reports the change; when Apply only plans, it is reported and not made.
	_, err = leader.Do(ctx, "database "+name, "created", psql(create))
	return err
}

// leaderOf returns the connection to the host where PostgreSQL takes writes.
func leaderOf(ctx context.Context, run *pgha.Run) (*remote.Target, error) {
	status, err := run.Status(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range status.Members {
		if m.Role == "leader" {
			return run.Target(m.Host)
		}
	}
	return nil, errors.New("no member leads the cluster")
}
