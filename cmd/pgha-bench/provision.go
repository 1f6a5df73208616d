package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
)

// provision measures labs of its own, one after the other. What was measured before an error is
// printed too.
func provision(ctx context.Context, name string, runs int) error {
	var t table
	var failed error
	for i := range runs {
		fmt.Fprintf(os.Stderr, "run %d of %d\n", i+1, runs)
		if failed = once(ctx, name, &t); failed != nil {
			break
		}
	}
	return errors.Join(failed, t.print(os.Stdout))
}

// once measures one lab from its first boot to its end.
func once(ctx context.Context, name string, t *table) error {
	return withLab(ctx, lab.Options{Name: name}, func(l *lab.Lab) error {
		sp, err := specOf(l, "")
		if err != nil {
			return err
		}
		if err := measureApply(ctx, l, sp, t, "fresh apply"); err != nil {
			return err
		}
		if err := measureApply(ctx, l, sp, t, "second apply"); err != nil {
			return err
		}
		return measureLooks(ctx, l, sp, t)
	})
}

// measureApply counts from the first connection to the last phase's end, as the CLI's user does,
// and the round trips of the host that had most.
func measureApply(ctx context.Context, l *lab.Lab, sp *pgha.Spec, t *table, name string) error {
	start := time.Now()
	var trips tally
	return connected(ctx, l, sp, pgha.ConnectOptions{Wrap: trips.wrap},
		func(c *pgha.Cluster) error {
			report, err := c.Apply(ctx, pgha.ApplyOptions{Observer: func(e pgha.Event) {
				if e.Kind == pgha.PhaseFinished {
					t.add(name+": "+e.Phase, e.Duration.Seconds())
				}
			}})
			t.add(name, time.Since(start).Seconds())
			t.add(name+": changes", float64(len(report.Changes)))
			commands, all := trips.worst()
			t.add(name+": commands and files in a row", float64(commands))
			t.add(name+": and every step of TCP, TLS and HTTP", float64(all))
			return err
		})
}

// measureLooks measures what changes nothing, each with connections of its own.
func measureLooks(ctx context.Context, l *lab.Lab, sp *pgha.Spec, t *table) error {
	looks := []struct {
		name string
		look func(*pgha.Cluster) error
	}{
		{"status", func(c *pgha.Cluster) error { _, err := c.Status(ctx); return err }},
		{"verify", func(c *pgha.Cluster) error { _, err := c.Verify(ctx, nil); return err }},
	}
	for _, k := range looks {
		start := time.Now()
		err := connected(ctx, l, sp, pgha.ConnectOptions{ReadOnly: true}, k.look)
		t.add(k.name, time.Since(start).Seconds())
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	return nil
}
