// Command onlab does everything with the hosts of a specification that an embedder may want, and
// prints a line for each: usage: onlab SPEC FOLDER.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"sync"

	"example.org/external"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/spec"
)

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

// watcher counts what it sees.
type watcher struct {
	mu      sync.Mutex
	phases  []string
	changes map[string]int // by host
}

func (w *watcher) see(e pgha.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e.Kind {
	case pgha.PhaseFinished:
		w.phases = append(w.phases, e.Phase)
	case pgha.Changed:
		if w.changes == nil {
			w.changes = map[string]int{}
		}
		w.changes[e.Host]++
	}
}

func run(ctx context.Context, file, dir string) error {
	sp, err := spec.Load(file)
	if err != nil {
		return err
	}
	var seen watcher
	if err := external.Provision(ctx, sp, pgha.ConnectOptions{}, seen.see); err != nil {
		return err
	}
	fmt.Println("provisioned, with changes on", len(seen.changes), "hosts in the phases",
		seen.phases)

	cluster, err := pgha.Connect(ctx, sp, pgha.ConnectOptions{})
	if err != nil {
		return err
	}
	return errors.Join(operate(ctx, cluster, sp, dir), cluster.Close())
}

// operate plans, and runs the verb: dry, for real, again, and beside another one.
func operate(ctx context.Context, cluster *pgha.Cluster, sp *spec.Spec, dir string) error {
	pending, err := external.Pending(ctx, cluster, nil)
	if err != nil {
		return err
	}
	fmt.Println("planned:", pending, "changes")
	for _, round := range []struct {
		name string
		dry  bool
	}{{"dry run", true}, {"announced", false}, {"announced again", false}} {
		var w watcher
		op := pgha.Operation{DryRun: round.dry, Holder: "embedder", Observer: w.see}
		if err := external.Announce(ctx, cluster, dir, "hello", op); err != nil {
			return fmt.Errorf("%s: %w", round.name, err)
		}
		fmt.Println(round.name+":", len(w.changes), "hosts")
	}
	records, err := cluster.Operations(ctx)
	if err != nil {
		return err
	}
	for _, r := range records {
		if r.Verb == "announce" {
			fmt.Printf("trail: %s by %s, finished %v, %d changes\n", r.Verb, r.Holder, r.Finished,
				len(r.Changes))
		}
	}
	return beside(ctx, cluster, sp, dir)
}

// beside announces while another operation holds the cluster's lock.
func beside(ctx context.Context, cluster *pgha.Cluster, sp *spec.Spec, dir string) error {
	other, err := pgha.Connect(ctx, sp, pgha.ConnectOptions{Existing: true})
	if err != nil {
		return err
	}
	defer other.Close()
	var refused error
	err = cluster.Operate(ctx, "hold", pgha.Operation{},
		func(ctx context.Context, _ *pgha.Run) error {
			refused = external.Announce(ctx, other, dir, "another", pgha.Operation{})
			return nil
		})
	fmt.Println("beside another verb it is locked:", pgha.KindOf(refused) == errs.Locked)
	return err
}
