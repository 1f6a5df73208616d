package pgha_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// Six hosts become a cluster, and a proof that it works is printed check by check.
func Example() {
	ctx := context.Background()
	sp, err := spec.Load("pgha.yaml")
	if err != nil {
		log.Fatal(err)
	}
	cluster, err := pgha.Connect(ctx, sp, pgha.ConnectOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	report, err := cluster.Apply(ctx, pgha.ApplyOptions{
		Observer: func(e pgha.Event) { log.Println(e.Kind, e.Phase, e.Host, e.Message) },
	})
	if err != nil {
		log.Fatal(err, remote.Hint(err))
	}
	fmt.Println(len(report.Changes), "changes")
	if _, err := cluster.Verify(ctx, func(c pgha.Check) {
		fmt.Println(c.OK, c.Name, c.Detail)
	}); err != nil {
		log.Fatal(err)
	}
}

// The standard phases, each with those that it waits for.
func ExampleStandardPhases() {
	for _, p := range pgha.StandardPhases() {
		after := strings.Join(p.After, ", ")
		if p.After == nil {
			after = "everything before"
		}
		fmt.Printf("%-17s after %s\n", p.Name, after)
	}
	// Output:
	// preflight         after everything before
	// install balancers after preflight
	// install databases after preflight
	// etcd              after preflight
	// haproxy           after install balancers
	// pooler            after haproxy
	// keepalived        after pooler
	// pgbackrest        after install balancers, install databases
	// patroni           after install databases, etcd, pgbackrest
	// archive           after patroni
	// databases         after patroni
	// ready             after everything before
}

// A phase of one's own: every host tells who logs in what it belongs to. On a host where the file
// is as it should be already, Ensure changes nothing.
func ExamplePhase() {
	motd := pgha.Phase{
		Name:  "message of the day",
		After: []string{"preflight"},
		Run: func(ctx context.Context, run *pgha.Run) error {
			text := "This host belongs to the PostgreSQL cluster " + run.Spec.Cluster + ".\n"
			for _, h := range run.Spec.Hosts {
				t, err := run.Target(h.Name)
				if err != nil {
					return err
				}
				if _, err := t.Ensure(ctx, remote.File{
					FileMeta: remote.FileMeta{Path: "/etc/motd"}, Content: []byte(text),
				}); err != nil {
					return err
				}
			}
			return nil
		},
	}
	phases := append(pgha.StandardPhases(), motd)
	fmt.Println(phases[len(phases)-1].Name)
	// Output: message of the day
}

// A look at a cluster of which some hosts may be dead: nothing is made, changed or locked.
func ExampleCluster_Status() {
	ctx := context.Background()
	sp, err := spec.Load("pgha.yaml")
	if err != nil {
		log.Fatal(err)
	}
	cluster, err := pgha.Connect(ctx, sp, pgha.ConnectOptions{AllowUnreachable: true,
		ReadOnly: true})
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	status, err := cluster.Status(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("healthy:", status.Healthy())
	for _, m := range status.Members {
		fmt.Println(m.Name, m.Role, m.State, m.Timeline)
	}
}

// How an application connects; no host has to be reached for it.
func ExampleConnectionFor() {
	sp, err := spec.Load("pgha.yaml")
	if err != nil {
		log.Fatal(err)
	}
	conn, err := pgha.ConnectionFor(sp)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(conn.DSN) // sslmode=verify-full and a password file: no password is in it
}
