package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/ssh"
)

// scaleGoal is how many times the time of 6 hosts 100 may take.
const scaleGoal = 3

// scaleLatency is the round-trip time to each simulated host: 20 ms on the way there and 20 ms on
// the way back.
const scaleLatency = 40 * time.Millisecond

// scaleRun is what one run over hosts that need no change took.
type scaleRun struct {
	hosts, connections, commands, changes int
	// the most that any host waited for one after the other
	roundTrips int
	took       time.Duration
}

// scale measures a run without changes on 6 and on 100 simulated hosts, and prints the medians. It
// needs neither root nor a lab: every host is an SSH server in this process, with a host in memory
// behind it.
func scale(ctx context.Context, runs int, w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "no-change run, %v round trip\n", scaleLatency)
	fmt.Fprintln(tw,
		"HOSTS\tCONNECTIONS\tCOMMANDS A HOST\tSEQUENTIAL ROUND TRIPS\tCHANGES\tSECONDS (MEDIAN)\tTIMES 6 HOSTS\tGOAL")
	var failed error
	first := 0.0
	for _, hosts := range []int{6, 100} {
		var last scaleRun
		var seconds []float64
		for range runs {
			run, err := scaleOnce(ctx, hosts)
			if err != nil {
				return errors.Join(err, tw.Flush())
			}
			last, seconds = run, append(seconds, run.took.Seconds())
		}
		took := medianOf(seconds)
		if first == 0 {
			first = took
		}
		fmt.Fprintf(tw, "%d\t%d\t%.1f\t%d\t%d\t%.2f\t%.1f\t<= %d\n", hosts, last.connections,
			float64(last.commands)/float64(hosts),
			last.roundTrips, last.changes, took, took/first, scaleGoal)
		if took > scaleGoal*first {
			failed = fmt.Errorf("%d hosts take %.1f times as long as 6, more than %d", hosts,
				took/first, scaleGoal)
		}
	}
	return errors.Join(failed, tw.Flush())
}

// scaleOnce makes the hosts, brings them to what is wished, and measures the run after that:
// connections, looks and the end.
func scaleOnce(ctx context.Context, hosts int) (run scaleRun, err error) {
	dir, err := os.MkdirTemp("", "pgha-scale-")
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fleet, err := newFleet(hosts, filepath.Join(dir, "id_ed25519"))
	if err != nil {
		return run, err
	}
	defer fleet.close()
	if _, err := fleet.apply(ctx); err != nil {
		return run, fmt.Errorf("first run: %w", err)
	}
	connections, commands := fleet.counts()
	start := time.Now()
	outcome, err := fleet.apply(ctx)
	if err != nil {
		return run, fmt.Errorf("second run: %w", err)
	}
	run.took, run.hosts = time.Since(start), hosts
	run.connections, run.commands = fleet.counts()
	run.connections, run.commands = run.connections-connections, run.commands-commands
	run.changes, run.roundTrips = outcome.changes, outcome.roundTrips
	return run, nil
}

// outcomeOfRun is what a run over a fleet did.
type outcomeOfRun struct{ changes, roundTrips int }

// apply does to every host at the same time what Apply does to one in its turn: connect, look at
// the facts, and ensure one step after the other.
func (f *fleet) apply(ctx context.Context) (outcomeOfRun, error) {
	type result struct {
		outcomeOfRun
		err error
	}
	results := make(chan result)
	for i := range f.servers {
		go func() {
			var r result
			r.outcomeOfRun, r.err = f.applyTo(ctx, i)
			results <- r
		}()
	}
	var total outcomeOfRun
	var problems []error
	for range f.servers {
		r := <-results
		total.changes += r.changes
		total.roundTrips = max(total.roundTrips, r.roundTrips)
		problems = append(problems, r.err)
	}
	return total, errs.Join(problems...)
}

func (f *fleet) applyTo(ctx context.Context, i int) (out outcomeOfRun, err error) {
	cfg := f.servers[i].Config()
	cfg.Name = f.hosts[i].String()
	ssh, err := ssh.Dial(ctx, cfg)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, ssh.Close()) }()
	// Nothing here runs side by side on a host, so every operation is one round trip after the
	// last.
	counted := remote.Audit(ssh, func(remote.Cmd, remote.Result, error) { out.roundTrips++ })
	t := &remote.Target{Host: remote.Host{Name: cfg.Name}, Executor: counted}
	if _, err := t.Batch(ctx, facts...); err != nil {
		return out, err
	}
	for _, resources := range steps(cfg.Name) {
		changes, err := t.Ensure(ctx, resources...)
		if err != nil {
			return out, err
		}
		out.changes += len(changes)
	}
	return out, nil
}
