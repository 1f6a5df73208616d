// Command custom-verb is a verb of its own: it puts a message of the day on every host, alone on
// the cluster, leaves a trail, and only shows what it would do when the last argument is --dry-run.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

func main() {
	if len(os.Args) < 3 {
		log.Fatal("usage: custom-verb SPEC MESSAGE [--dry-run]")
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
	dryRun := len(os.Args) > 3 && os.Args[3] == "--dry-run"
	if err := errors.Join(announce(ctx, cluster, os.Args[2], dryRun), cluster.Close()); err != nil {
		log.Fatal(err)
	}
}

// announce changes the hosts that have another message, all at once.
func announce(ctx context.Context, cluster *pgha.Cluster, message string, dryRun bool) error {
	op := pgha.Operation{DryRun: dryRun, Observer: func(e pgha.Event) {
		if e.Kind == pgha.Changed {
			fmt.Println(e.Host, e.Change.Name, e.Change.Action)
		}
	}}
	file := remote.File{
		FileMeta: remote.FileMeta{Path: "/etc/motd", Mode: 0o644},
		Content:  []byte(message + "\n"),
	}
	return cluster.Operate(ctx, "announce", op, func(ctx context.Context, run *pgha.Run) error {
		return remote.Each(ctx, run.Targets(), func(ctx context.Context, t *remote.Target) error {
			_, err := t.Ensure(ctx, file)
			return err
		})
	})
}
