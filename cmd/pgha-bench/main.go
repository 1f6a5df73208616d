// Command pgha-bench measures what an operator waits for: a fresh apply on a new lab, phase by phase, a second apply,
// status and verify. The lab's image is built beforehand and not counted; each run has a lab of its own, which is removed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/spec"
)

func main() {
	runs := flag.Int("runs", 1, "how many labs to provision")
	name := flag.String("lab-name", "bench", "the lab's name; a lab of that name is removed first")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx, *name, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// bench measures and prints. What was measured before an error is printed too.
func bench(ctx context.Context, name string, runs int) error {
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
func once(ctx context.Context, name string, t *table) (err error) {
	options := lab.Options{Name: name}
	if err := lab.Down(ctx, options); err != nil {
		return err
	}
	defer func() {
		// An interrupted measurement leaves no lab behind either.
		err = errors.Join(err, lab.Down(context.WithoutCancel(ctx), options))
	}()
	l, err := lab.Start(ctx, options)
	if err != nil {
		return err
	}
	text, err := l.Spec()
	if err != nil {
		return err
	}
	sp, err := spec.Parse("lab "+name, text)
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
}

// measureApply counts from the first connection to the last phase's end, as the CLI's user does.
func measureApply(ctx context.Context, l *lab.Lab, sp *pgha.Spec, t *table, name string) error {
	start := time.Now()
	return connected(ctx, l, sp, pgha.ConnectOptions{}, func(c *pgha.Cluster) error {
		report, err := c.Apply(ctx, pgha.ApplyOptions{Observer: func(e pgha.Event) {
			if e.Kind == pgha.PhaseFinished {
				t.add(name+": "+e.Phase, e.Duration.Seconds())
			}
		}})
		t.add(name, time.Since(start).Seconds())
		t.add(name+": changes", float64(len(report.Changes)))
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

func connected(ctx context.Context, l *lab.Lab, sp *pgha.Spec, opts pgha.ConnectOptions, f func(*pgha.Cluster) error) error {
	opts.Dial = l.DialContext
	c, err := pgha.Connect(ctx, sp, opts)
	if err != nil {
		return err
	}
	return errors.Join(f(c), c.Close())
}
