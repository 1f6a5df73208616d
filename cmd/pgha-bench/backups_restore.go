package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/probe"
	"github.com/pgha/toolkit/pgha/restore"
)

// moment of now, with a commit before it and one after it, which is in the archive.
func (v *vault) moment(ctx context.Context, c *pgha.Cluster) (string, error) {
	at, err := v.ask(ctx, "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', "+
		"'YYYY-MM-DD HH24:MI:SS.US\"+00\"')")
	if err == nil {
		err = v.exec(ctx, "CREATE TABLE public.later ()")
	}
	if err == nil {
		err = c.Backups().Check(ctx, pgha.Operation{})
	}
	return at, err
}

// inPlace goes back to a moment under a writer, after the same by hand beside the leader's data.
func (v *vault) inPlace(ctx context.Context) (backupFigure, error) {
	figure := backupFigure{title: "restore in place until writes, and by hand, seconds",
		goal: atMost(1.3)}
	err := v.connected(ctx, func(c *pgha.Cluster) error {
		writer, err := probe.Start(ctx, probe.Options{Config: v.cfg, Rate: rate})
		if err != nil {
			return err
		}
		err = writer.WaitAcked(ctx, time.Now())
		var began time.Time
		if err == nil {
			began, err = v.goBack(ctx, c, &figure)
		}
		if err == nil {
			err = writer.WaitAcked(ctx, time.Now())
		}
		rows, stopErr := writer.Stop(ctx)
		if err = errors.Join(err, stopErr); err != nil {
			return err
		}
		figure.ours = rows.Since(began).Longest().End.Sub(began).Seconds()
		return c.Backups().Confirm(ctx, pgha.Operation{})
	})
	return figure, err
}

// goBack restores by hand and then by pgha, and returns when that began.
func (v *vault) goBack(ctx context.Context, c *pgha.Cluster, figure *backupFigure) (time.Time, error) {
	at, err := v.moment(ctx, c)
	if err != nil {
		return time.Time{}, err
	}
	s, err := c.Status(ctx)
	if err != nil {
		return time.Time{}, err
	}
	for _, h := range v.spec.Databases() {
		if h.Member == s.Leader() {
			figure.plain, err = v.bare(ctx, h.Name, at)
		}
	}
	if err != nil {
		return time.Time{}, err
	}
	began := time.Now()
	_, err = c.Backups().Restore(ctx, restore.Options{To: at})
	return began, err
}

// bare restores on a host beside its data and replays up to a moment, and returns how many seconds
// it took until that server would take writes. It deletes the copy.
func (v *vault) bare(ctx context.Context, host, at string) (took float64, err error) {
	dir := v.spec.PostgreSQL.DataDir + ".bench"
	bin := func(name string) string {
		return path.Join("/usr/lib/postgresql", fmt.Sprint(v.spec.PostgreSQL.Version), "bin", name)
	}
	defer func() {
		clean := context.WithoutCancel(ctx)
		_, stopErr := v.byHand(clean, host, bin("pg_ctl"), "-D", dir, "-m", "immediate", "stop")
		_, dropErr := v.byHand(clean, host, "rm", "-rf", dir)
		if err == nil {
			err = errors.Join(stopErr, dropErr)
		}
	}()
	if _, err := v.byHand(ctx, host, "mkdir", "-m", "700", dir); err != nil {
		return 0, err
	}
	return seconds(func() error {
		if _, err := v.byHand(ctx, host, "pgbackrest", "--stanza="+v.spec.Cluster, "--pg1-path="+dir,
			"--archive-mode=off", "--type=time", "--target="+at, "--target-action=promote",
			"restore"); err != nil {
			return err
		}
		// Without hot standby it lets nobody in before it takes writes.
		if _, err := v.byHand(ctx, host, bin("pg_ctl"), "-D", dir, "-l", dir+"/log", "-W", "-o",
			"-c hot_standby=off -c port=5999 -c unix_socket_directories="+dir+" -c listen_addresses='' "+
				"-c ssl=off -c archive_mode=off -c synchronous_standby_names=''", "start"); err != nil {
			return err
		}
		return poll.Until(ctx, poll.Options{What: "the end of the replay on " + host, Bound: time.Hour,
			Every: 100 * time.Millisecond}, func(ctx context.Context) (string, error) {
			if _, err := v.byHand(ctx, host, "psql", "-XAth", dir, "-p", "5999", "-c",
				"CREATE TEMPORARY TABLE written ()", "postgres"); err != nil {
				return err.Error(), nil
			}
			return "", nil
		})
	})
}

// nearly is how old the last archived segment is when the power is cut: shortly before the next one
// is archived, 30 s after it, which is the worst moment.
const nearly = "25"

// recoveryPoint cuts the power of all databases under a writer, throws their disks away, begins
// again with the repository alone, and returns the age of the first row that is lost.
func (v *vault) recoveryPoint(ctx context.Context) (backupFigure, error) {
	figure := backupFigure{title: "recovery point, seconds", goal: atMost(60)}
	writer, err := probe.Start(ctx, probe.Options{Config: v.cfg, Rate: rate})
	if err != nil {
		return figure, err
	}
	err = poll.Until(ctx, poll.Options{What: "an archived segment that is " + nearly + " s old",
		Bound: 5 * time.Minute, Every: 500 * time.Millisecond},
		func(ctx context.Context) (string, error) {
			old, err := v.ask(ctx, "SELECT last_archived_time > "+stamp(writer)+" AND clock_timestamp() - "+
				"last_archived_time > interval '"+nearly+" s' FROM pg_stat_archiver")
			if old == "t" {
				return "", err
			}
			return "it is younger", err
		})
	if err == nil {
		err = v.each(func(host string) error { return v.lab.Kill(ctx, host) })
	}
	rows, stopErr := writer.Stop(ctx)
	if err = errors.Join(err, stopErr); err != nil {
		return figure, err
	}
	if err := v.beginAgain(ctx); err != nil {
		return figure, err
	}
	figure.ours, err = v.age(ctx, rows)
	return figure, err
}

// stamp is when a writer began, in SQL.
func stamp(w *probe.Writer) string {
	rows, err := w.Result()
	if err != nil {
		return "'infinity'"
	}
	return "'" + rows.Started.UTC().Format(time.RFC3339Nano) + "'"
}

// each does something to all hosts of databases at once.
func (v *vault) each(do func(host string) error) error {
	hosts := v.spec.Databases()
	failed := make([]error, len(hosts))
	var wait sync.WaitGroup
	for i, h := range hosts {
		wait.Go(func() { failed[i] = do(h.Name) })
	}
	wait.Wait()
	return errors.Join(failed...)
}

// beginAgain makes the cluster of empty hosts and of what the repository has.
func (v *vault) beginAgain(ctx context.Context) error {
	err := v.each(func(host string) error { return v.lab.Wipe(ctx, host, lab.WipeOptions{}) })
	if err != nil {
		return err
	}
	from, err := restore.SourceOf(ctx, v.spec, v.spec, "latest")
	if err != nil {
		return err
	}
	return v.connected(ctx, func(c *pgha.Cluster) error {
		_, err := c.Apply(ctx, pgha.ApplyOptions{Phases: restore.Phases(from)})
		return err
	})
}

// age is how long before the last acknowledged row the first lost one was, in seconds.
func (v *vault) age(ctx context.Context, rows probe.Result) (float64, error) {
	text, err := v.ask(ctx, "SELECT coalesce(max(seq), 0) FROM "+rows.Table.Sanitize()+" WHERE run = '"+
		rows.Run+"'")
	if err != nil {
		return 0, err
	}
	var last int64
	if _, err := fmt.Sscan(text, &last); err != nil {
		return 0, err
	}
	return lostSeconds(rows, last), nil
}

// lostSeconds is the time from the last acknowledged row that is there to the last of all. With none
// there it is all the time of the writer.
func lostSeconds(rows probe.Result, last int64) float64 {
	from, to := rows.Started, rows.Started
	for _, a := range rows.Attempts {
		if a.Outcome != probe.Acked {
			continue
		}
		if to = a.Done; a.Seq <= last {
			from = a.Done
		}
	}
	return to.Sub(from).Seconds()
}
