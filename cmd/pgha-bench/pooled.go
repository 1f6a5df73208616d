package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
)

// pooled is something that is measured with pgbench through the poolers of a lab.
type pooled struct {
	name        string // for -only
	title, goal string
	measure     func(context.Context, *pool) (figure float64, errors int, err error)
}

// pooledOperations in the order in which they are measured.
var pooledOperations = [...]pooled{
	{"pool-switchover", "switchover, 50 clients: longest transaction, s", "<= 1.8, max <= 2.5",
		switchoverHeld},
	{"pool-connects", "a connection for each transaction: times TPS without", ">= 3",
		func(ctx context.Context, p *pool) (float64, int, error) {
			return p.times(ctx, throughput, []string{"-C", "-S", "-c", "8"},
				[]string{"-C", "-S", "-c", "8"})
		}},
	{"pool-400", "400 clients: times TPS of 50 without", ">= 1",
		func(ctx context.Context, p *pool) (float64, int, error) {
			return p.times(ctx, manyClients, []string{"-c", "400"}, []string{"-c", "50"})
		}},
	{"pool-select", "select-only, 8 clients: times TPS without", ">= 0.8",
		func(ctx context.Context, p *pool) (float64, int, error) {
			return p.times(ctx, throughput, []string{"-S", "-c", "8"}, []string{"-S", "-c", "8"})
		}},
}

// pool is a lab's cluster with poolers, and what pgbench connects to.
type pool struct {
	lab          *lab.Lab
	cluster      *pgha.Cluster
	pool, direct string
}

const (
	// throughput is how long a throughput is measured for.
	throughput = 15 * time.Second
	// manyClients is the same where hundreds of clients log in first, which pgbench counts as part
	// of the time, and not as part of the throughput.
	manyClients = 90 * time.Second
	// underSwitchover is how long clients write around a switchover.
	underSwitchover = 45 * time.Second
)

// measurePooled measures on a lab of its own, and prints what was measured until then.
func measurePooled(ctx context.Context, name string, runs int, chosen []pooled, w io.Writer) error {
	if len(chosen) == 0 {
		return nil
	}
	var all []pooledFigures
	err := withLab(ctx, lab.Options{Name: name, Installed: true}, func(l *lab.Lab) error {
		sp, err := specOf(l, "patroni: "+fast+"\npooler: {}\n")
		if err != nil {
			return err
		}
		return connected(ctx, l, sp, pgha.ConnectOptions{}, func(c *pgha.Cluster) error {
			if _, err := c.Apply(ctx, pgha.ApplyOptions{}); err != nil {
				return err
			}
			to, err := pgha.ConnectionFor(sp)
			if err != nil {
				return err
			}
			p := &pool{l, c, to.PoolDSN, to.DSN}
			if _, err := p.pgbench(ctx, p.direct, "-i", "-q", "-s", "5"); err != nil {
				return err
			}
			for _, o := range chosen {
				figures := pooledFigures{pooled: o}
				for n := range runs {
					if _, err = c.AwaitHealthy(ctx); err != nil {
						break
					}
					var figure float64
					var failed int
					if figure, failed, err = o.measure(ctx, p); err != nil {
						break
					}
					figures.figures, figures.errors = append(figures.figures, figure),
						figures.errors+failed
					fmt.Fprintf(os.Stderr, "%s %d of %d: %.2f, %d errors\n", o.name, n+1, runs, figure,
						failed)
				}
				all = append(all, figures)
				if err != nil {
					return fmt.Errorf("%s: %w", o.name, err)
				}
			}
			return nil
		})
	})
	return errors.Join(err, printPooled(w, all))
}

// pgbench runs it in the lab's network and returns what it printed.
func (p *pool) pgbench(ctx context.Context, dsn string, args ...string) (string, error) {
	var out bytes.Buffer
	argv := slices.Concat([]string{"pgbench"}, args, []string{dsn})
	code, err := p.lab.Run(ctx, argv, lab.Stdio{In: strings.NewReader(""), Out: &out, Err: &out})
	if err == nil && code != 0 {
		err = fmt.Errorf("pgbench %s: exit code %d: %s", strings.Join(args, " "), code, out.String())
	}
	return out.String(), err
}

var (
	tpsLine     = regexp.MustCompile(`(?m)^tps = ([0-9.]+)`)
	failedLine  = regexp.MustCompile(`(?m)^number of failed transactions: ([0-9]+)`)
	abortedLine = regexp.MustCompile(`(?m)client [0-9]+ (script [0-9]+ )?aborted`)
)

// said reads what pgbench prints at its end.
func said(text string) (tps float64, failed int, err error) {
	m, f := tpsLine.FindStringSubmatch(text), failedLine.FindStringSubmatch(text)
	if m == nil || f == nil {
		return 0, 0, fmt.Errorf("pgbench did not say what it measured: %s", text)
	}
	tps, err = strconv.ParseFloat(m[1], 64)
	if err == nil {
		failed, err = strconv.Atoi(f[1])
	}
	return tps, failed + len(abortedLine.FindAllString(text, -1)), err
}

// times measures a throughput through the pooler and one without, one after the other, and returns
// the first divided by the second. Errors are those of clients of the pooler.
func (p *pool) times(ctx context.Context, long time.Duration, through,
	without []string) (float64, int, error) {
	measure := func(dsn string, args []string) (float64, int, error) {
		out, err := p.pgbench(ctx, dsn, slices.Concat([]string{"-n", "-j", "2", "-T",
			fmt.Sprint(long.Seconds())}, args)...)
		if err != nil && !strings.Contains(out, "aborted") {
			return 0, 0, err
		}
		return said(out)
	}
	tps, failed, err := measure(p.pool, through)
	if err != nil {
		return 0, 0, err
	}
	plain, _, err := measure(p.direct, without)
	if err != nil {
		return 0, 0, err
	}
	fmt.Fprintf(os.Stderr, "through the pooler %.0f TPS, without %.0f\n", tps, plain)
	return tps / plain, failed, nil
}

// switchoverHeld moves the leadership under clients that write, and returns their longest
// transaction.
func switchoverHeld(ctx context.Context, p *pool) (longest float64, failed int, err error) {
	dir, err := os.MkdirTemp("", "pgha-bench")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("\\set i random(1, 500000)\n"+
		"UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :i;\n"), 0o600); err != nil {
		return 0, 0, err
	}
	var out string
	ended := make(chan error, 1)
	go func() {
		var err error
		out, err = p.pgbench(ctx, p.pool, "-n", "-M", "prepared", "-c", "50", "-j", "2", "-T",
			fmt.Sprint(underSwitchover.Seconds()), "-l", "--log-prefix="+filepath.Join(dir, "log"),
			"-f", script)
		ended <- err
	}()
	if err := writing(ctx, dir); err != nil {
		return 0, 0, errors.Join(err, <-ended)
	}
	done, err := p.cluster.Switchover(ctx, pgha.SwitchoverOptions{})
	benchErr := <-ended
	if err != nil || benchErr != nil && !strings.Contains(out, "aborted") {
		return 0, 0, errors.Join(err, benchErr)
	}
	if _, failed, err = said(out); err != nil {
		return 0, 0, err
	}
	fmt.Fprintf(os.Stderr, "clients held for %.2f s at most, %.2f s without writes, a new leader "+
		"after %.2f s\n", done.Held.Duration().Seconds(), done.WithoutWrites.Duration().Seconds(),
		done.Promoted.Duration().Seconds())
	longest, err = longestOf(dir)
	return longest, failed, err
}

// writing waits until the first transactions are logged.
func writing(ctx context.Context, dir string) error {
	return poll.Until(ctx, poll.Options{What: "pgbench to write", Bound: time.Minute,
		Every: 100 * time.Millisecond}, func(context.Context) (string, error) {
		longest, err := longestOf(dir)
		if err == nil && longest == 0 {
			return "nothing is logged", nil
		}
		return "", err
	})
}

// longestOf is the longest transaction of pgbench's logs, in seconds.
func longestOf(dir string) (float64, error) {
	files, err := filepath.Glob(filepath.Join(dir, "log.*"))
	longest := 0.0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(string(text)) {
			// The client, its transaction's number, how long it took in microseconds, ...
			if words := strings.Fields(line); len(words) >= 6 {
				us, err := strconv.ParseFloat(words[2], 64)
				if err != nil {
					continue // pgbench wrote "failed", which it counts
				}
				longest = max(longest, us/1e6)
			}
		}
	}
	return longest, err
}

// pooledFigures is what one of them gave.
type pooledFigures struct {
	pooled
	figures []float64
	errors  int
}

func printPooled(w io.Writer, all []pooledFigures) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "THROUGH THE POOLER\tMIN\tMEDIAN\tMAX\tRUNS\tERRORS\tGOAL, WITHOUT ERRORS")
	for _, k := range all {
		if len(k.figures) == 0 {
			fmt.Fprintf(tw, "%s\t-\t-\t-\t0\t-\t%s\n", k.title, k.goal)
			continue
		}
		sorted := slices.Sorted(slices.Values(k.figures))
		fmt.Fprintf(tw, "%s\t%.2f\t%.2f\t%.2f\t%d\t%d\t%s\n", k.title, sorted[0], median(sorted),
			sorted[len(sorted)-1], len(sorted), k.errors, k.goal)
	}
	return tw.Flush()
}
