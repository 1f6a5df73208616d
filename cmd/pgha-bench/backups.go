package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/probe"
	"github.com/pgha/toolkit/pgha/restore"
)

// keeper is the host with the repository.
const keeper = "haproxy-03"

// vault is a cluster with backups, and a database that is worth measuring.
type vault struct {
	lab  *lab.Lab
	spec *pgha.Spec
	cfg  *pgx.ConnConfig // to the database that takes writes
}

// measureBackups fills one lab with data, measures each figure of backups on it, and prints a
// table.
func measureBackups(ctx context.Context, name string, sizeMB int, w io.Writer) error {
	var all backupFigures
	began := loadAverage()
	err := withLab(ctx, lab.Options{Name: name, Installed: true}, func(l *lab.Lab) error {
		v := &vault{lab: l}
		if err := v.begin(ctx, sizeMB); err != nil {
			return err
		}
		for _, m := range []func(context.Context) (backupFigure, error){
			v.full, v.throughput, v.replica, v.drill,
		} {
			figure, err := m(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", figure.title, err)
			}
			fmt.Fprintln(os.Stderr, strings.Join(figure.cells(), "  "))
			all = append(all, figure)
		}
		return nil
	})
	return errors.Join(err, all.print(w, sizeMB, began, loadAverage()))
}

// loadAverage of this machine over the last minute, as the kernel writes it.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(text))[0]
}

// begin makes the cluster and its data.
func (v *vault) begin(ctx context.Context, sizeMB int) (err error) {
	if v.spec, err = specOf(v.lab, "backup: {repository: [{type: host, host: "+keeper+"}]}\n"); err != nil {
		return err
	}
	err = v.connected(ctx, func(c *pgha.Cluster) error {
		if _, err := c.Apply(ctx, pgha.ApplyOptions{}); err != nil {
			return err
		}
		v.cfg, err = c.ConnConfig()
		return err
	})
	if err != nil {
		return err
	}
	v.cfg.DialFunc = v.lab.DialContext
	// A row takes 320 bytes, and its entry in the index 22; texts of digits of a hash are what
	// compresses to about a half.
	return v.exec(ctx, "CREATE TABLE public.bench AS SELECT id, encode(sha512(int8send(id)), 'hex') || "+
		"encode(sha512(int8send(-id)), 'hex') AS text FROM generate_series(1::bigint, "+
		fmt.Sprint(int64(sizeMB)<<20/342)+") AS id; ALTER TABLE public.bench ADD PRIMARY KEY (id); CHECKPOINT")
}

func (v *vault) connected(ctx context.Context, f func(*pgha.Cluster) error) error {
	return connected(ctx, v.lab, v.spec, pgha.ConnectOptions{}, f)
}

// ask sends statements, and returns the first value of the last one.
func (v *vault) ask(ctx context.Context, statements string) (string, error) {
	conn, err := pgx.ConnectConfig(ctx, v.cfg)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	results, err := conn.PgConn().Exec(ctx, statements).ReadAll()
	if err != nil || len(results) == 0 {
		return "", err
	}
	if last := results[len(results)-1]; len(last.Rows) > 0 {
		return string(last.Rows[0][0]), nil
	}
	return "", nil
}

func (v *vault) exec(ctx context.Context, statements string) error {
	_, err := v.ask(ctx, statements)
	return err
}

// byHand runs a program on a host as PostgreSQL's system user; out is what it printed.
func (v *vault) byHand(ctx context.Context, host string, argv ...string) (out string, err error) {
	var stdout, stderr strings.Builder
	code, err := v.lab.Exec(ctx, host, append([]string{"runuser", "-u", "postgres", "--"}, argv...),
		lab.Stdio{Out: &stdout, Err: &stderr})
	if err == nil && code != 0 {
		err = fmt.Errorf("run %s on %s: exit code %d: %s", argv[0], host, code,
			strings.TrimSpace(stderr.String()+stdout.String()))
	}
	return strings.TrimSpace(stdout.String()), err
}

// seconds that f takes.
func seconds(f func() error) (float64, error) {
	began := time.Now()
	err := f()
	return time.Since(began).Seconds(), err
}

// take makes a full backup.
func (v *vault) take(ctx context.Context) (float64, error) {
	var took float64
	err := v.connected(ctx, func(c *pgha.Cluster) (err error) {
		took, err = seconds(func() error {
			_, err := c.Backups().Take(ctx, restore.TakeOptions{Type: backup.Full})
			return err
		})
		return err
	})
	return took, err
}

// full makes backups in turn, so that neither way has the warmer caches: the first one, by hand, is
// not counted. By hand it has the priority that pgha's unit gives it.
func (v *vault) full(ctx context.Context) (backupFigure, error) {
	figure := backupFigure{title: "full backup, seconds", goal: atLeast(0.8), faster: true}
	plain := func() (float64, error) {
		return seconds(func() error {
			_, err := v.byHand(ctx, keeper, "nice", "-n", "5", "ionice", "-c", "3", "pgbackrest",
				"--stanza="+v.spec.Cluster, "--type=full", "backup")
			return err
		})
	}
	if _, err := plain(); err != nil {
		return figure, err
	}
	ours := func() (float64, error) { return v.take(ctx) }
	for _, way := range []struct {
		sum *float64
		do  func() (float64, error)
	}{{&figure.ours, ours}, {&figure.plain, plain}, {&figure.plain, plain}, {&figure.ours, ours}} {
		took, err := way.do()
		if err != nil {
			return figure, err
		}
		*way.sum += took / 2
	}
	return figure, nil
}

// window is how long a writer is watched without a backup, before one and after it.
const window = 15 * time.Second

// throughput of a writer in one session that never rests, up to the 1000 rows a second of probe.
func (v *vault) throughput(ctx context.Context) (backupFigure, error) {
	figure := backupFigure{title: "rows a second, during a backup and without", goal: atLeast(0.9)}
	writer, err := probe.Start(ctx, probe.Options{Config: v.cfg, Rate: 1000})
	if err != nil {
		return figure, err
	}
	var moments [4]time.Time
	err = errors.Join(writer.WaitAcked(ctx, time.Now()), func() error {
		moments[0] = time.Now()
		if err := pass(ctx, window); err != nil {
			return err
		}
		moments[1] = time.Now()
		_, err := v.take(ctx)
		moments[2] = time.Now()
		return errors.Join(err, pass(ctx, window))
	}())
	moments[3] = time.Now()
	rows, stopErr := writer.Stop(ctx)
	if err = errors.Join(err, stopErr); err != nil {
		return figure, err
	}
	figure.ours = perSecond(rows, moments[1], moments[2])
	figure.plain = (perSecond(rows, moments[0], moments[1]) + perSecond(rows, moments[2], moments[3])) / 2
	return figure, nil
}

// pass lets time pass in which something is measured.
func pass(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// perSecond counts rows that were acknowledged between two moments.
func perSecond(rows probe.Result, from, to time.Time) float64 {
	n := 0
	for _, a := range rows.Attempts {
		if a.Outcome == probe.Acked && !a.Done.Before(from) && a.Done.Before(to) {
			n++
		}
	}
	return float64(n) / to.Sub(from).Seconds()
}

// replica is made again, of a member (pg_basebackup, by Patroni) and of the newest backup.
func (v *vault) replica(ctx context.Context) (backupFigure, error) {
	figure := backupFigure{title: "replica, from the repository and by pg_basebackup, seconds",
		goal: atMost(1)}
	err := v.connected(ctx, func(c *pgha.Cluster) error {
		s, err := c.Status(ctx)
		if err != nil {
			return err
		}
		member := ""
		for _, h := range v.spec.Databases() {
			if h.Member != s.Leader() {
				member = h.Member
			}
		}
		for _, from := range []bool{false, true} {
			r, err := c.Reinitialize(ctx, pgha.ReinitializeOptions{Member: member, FromBackup: from,
				FromLeader: !from})
			switch {
			case err != nil:
				return err
			case from && r.Backup == nil:
				return errors.New("a member was copied, and not the backup")
			case from:
				figure.ours = r.Took.Duration().Seconds()
			default:
				figure.plain = r.Took.Duration().Seconds()
			}
		}
		return nil
	})
	return figure, err
}

// drill proves the newest backup.
func (v *vault) drill(ctx context.Context) (backupFigure, error) {
	figure := backupFigure{title: "backup drill, seconds", goal: atMost(90)}
	err := v.connected(ctx, func(c *pgha.Cluster) error {
		p, err := c.Backups().Prove(ctx, pgha.Operation{})
		figure.ours = p.Seconds
		return err
	})
	return figure, err
}
