package operate

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/remote"
)

// longTransaction is how old a transaction may be that a switchover ends: who waited a minute for
// it will want to know.
const longTransaction = time.Minute

// archiverSQL gives a reason if the last try to archive a WAL segment failed.
const archiverSQL = `SELECT format('archiving of %s fails since %s (%s failures)', last_failed_wal, last_failed_time::timestamptz(0), failed_count)
FROM pg_stat_archiver
WHERE current_setting('archive_mode') <> 'off' AND last_failed_time > coalesce(last_archived_time, '-infinity')`

// archiveWait is how long a WAL segment may wait for the archiver before a switchover is held for
// it: archiving one takes seconds, and a new segment is filled every few of them at most.
const archiveWait = 30 * time.Second

// backlogSQL gives a reason if segments wait for an archiver that does not fail: it is slow, or
// archive_command hangs.
const backlogSQL = `SELECT format('%s WAL segments wait for the archiver, the oldest (%s) since %s: the former leader stays away until all are archived',
	count(*), min(name), date_trunc('second', min(modification)))
FROM pg_ls_archive_statusdir(), pg_stat_archiver
WHERE current_setting('archive_mode') <> 'off' AND name LIKE '%.ready' AND NOT coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false)
HAVING min(modification) < now() - make_interval(secs => $1)`

// sessionsSQL gives a line for each session whose work would be cut short: no query text, which may
// hold anything.
const sessionsSQL = `SELECT format('%s of %s (%s, pid %s) runs for %s',
	CASE WHEN b.pid IS NULL THEN 'a transaction' ELSE 'a base backup' END,
	coalesce(a.usename, '?'), coalesce(nullif(a.application_name, ''), 'no application name'), a.pid, date_trunc('second', now() - coalesce(a.xact_start, a.backend_start)))
FROM pg_stat_activity a LEFT JOIN pg_stat_progress_basebackup b ON b.pid = a.pid
WHERE a.pid <> pg_backend_pid()
  AND (b.pid IS NOT NULL OR a.backend_type = 'client backend' AND a.xact_start < now() - make_interval(secs => $1))
ORDER BY coalesce(a.xact_start, a.backend_start) LIMIT 10`

// obstacles lists what speaks against stopping the primary now: work that would be lost, or that
// would hold it up. An archiver that fails or hangs is the worst: PostgreSQL archives everything
// before it stops, so the stop would never end.
func obstacles(ctx context.Context, c *site.Site) ([]string, error) {
	var found []string
	err := c.WithSQL(ctx, c.WriteRoute(), func(conn *pgx.Conn) error {
		for _, q := range []struct {
			sql  string
			args []any
		}{{archiverSQL, nil}, {backlogSQL, []any{archiveWait.Seconds()}},
			{sessionsSQL, []any{longTransaction.Seconds()}}} {
			rows, err := conn.Query(ctx, q.sql, q.args...)
			if err != nil {
				return err
			}
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				return err
			}
			found = append(found, lines...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for work that would be cut short: %w", err)
	}
	return found, nil
}

// RefuseObstacles is an error that matches ErrRefused if something speaks against stopping the
// primary; with force it only warns.
func RefuseObstacles(ctx context.Context, r *job.Job, force bool) error {
	found, err := obstacles(ctx, r.Site)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return nil
	}
	if force {
		r.Warn("", "goes on although "+strings.Join(found, "; "))
		return nil
	}
	return remote.WithHint(fmt.Errorf("%w: %s", errs.ErrRefused, strings.Join(found, "; ")),
		"wait for it, end it, or mend it; --force goes ahead all the same")
}
