// Command maintenance runs one command on every database host, such as an upgrade of packages:
// replicas first, the leader last and after a switchover, each only while the whole cluster is
// healthy. It stops at the first that fails.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

func main() {
	if len(os.Args) < 3 {
		log.Fatal("usage: maintenance SPEC COMMAND [ARGUMENT...]")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	sp, err := spec.Load(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	cluster, err := pgha.Connect(ctx, sp, pgha.ConnectOptions{Existing: true})
	if err != nil {
		log.Fatal(err)
	}
	if err := errors.Join(maintain(ctx, cluster, os.Args[2:]), cluster.Close()); err != nil {
		log.Fatal(err)
	}
}

// maintain takes the hosts in an order that needs one switchover for all of them.
func maintain(ctx context.Context, cluster *pgha.Cluster, command []string) error {
	status, err := cluster.AwaitHealthy(ctx)
	if err != nil {
		return err
	}
	var replicas, leader []string
	for _, m := range status.Members {
		if m.Role == "leader" {
			leader = append(leader, m.Host)
		} else {
			replicas = append(replicas, m.Host)
		}
	}
	for _, host := range replicas {
		if err := patch(ctx, cluster, host, command); err != nil {
			return err
		}
	}
	for _, host := range leader {
		if len(replicas) > 0 {
			moved, err := cluster.Switchover(ctx, pgha.SwitchoverOptions{To: replicas[0]})
			if err != nil {
				return err
			}
			fmt.Printf("%s leads now\n", moved.NewLeader)
		}
		if err := patch(ctx, cluster, host, command); err != nil {
			return err
		}
	}
	return nil
}

// patch runs the command on one host and waits until nothing is missing any more.
func patch(ctx context.Context, cluster *pgha.Cluster, host string, command []string) error {
	target, err := cluster.Target(host)
	if err != nil {
		return err
	}
	result, err := target.Do(ctx, "maintenance", "done", remote.Cmd{Argv: command})
	if err != nil {
		return err
	}
	fmt.Printf("%s: done in %.1fs\n%s", host, result.Duration.Seconds(), result.Stdout)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	_, err = cluster.AwaitHealthy(ctx)
	return err
}
