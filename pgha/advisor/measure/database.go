package measure

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/advisor"
	"github.com/pgha/toolkit/pgha/internal/site"
)

// advisedSettings are those that the advisor's rules look at.
var advisedSettings = []string{"max_connections", "shared_buffers", "work_mem", "max_wal_size",
	"max_slot_wal_keep_size", "max_wal_senders",
	"max_replication_slots", "synchronous_commit", "archive_mode", "archive_command",
	"archive_library"}

// advisedSQL gives sizes in bytes; -1 and the like have a meaning of their own.
const advisedSQL = `SELECT name, CASE WHEN setting !~ '^[0-9]+$' THEN setting
	WHEN unit = '8kB' THEN (setting::bigint * 8192)::text WHEN unit = 'kB' THEN (setting::bigint * 1024)::text
	WHEN unit = 'MB' THEN (setting::bigint * 1048576)::text ELSE setting END
FROM pg_settings WHERE name = ANY($1)`

const replicasSQL = `SELECT application_name, greatest(coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), flush_lsn), 0), 0)::bigint, sync_state IN ('sync', 'quorum')
FROM pg_stat_replication WHERE state = 'streaming'`

const slotsSQL = `SELECT slot_name, active, greatest(coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0), 0)::bigint
FROM pg_replication_slots WHERE NOT temporary ORDER BY slot_name`

const writtenSQL = `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8, (SELECT coalesce(sum(tup_inserted + tup_updated + tup_deleted), 0)::float8 FROM pg_stat_database)`

// rateOver is how long writes are counted to know their rate. Sessions report their rows about once
// a second.
const rateOver = 1100 * time.Millisecond

// measureDatabase asks the leader.
func measureDatabase(ctx context.Context, c *site.Site) (advisor.Database, error) {
	db := advisor.Database{Settings: map[string]string{}, Replicas: map[string]advisor.Replica{},
		Slots: []advisor.Slot{}}
	err := c.WithSQL(ctx, c.WriteRoute(), func(conn *pgx.Conn) error {
		if err := writeRates(ctx, conn, &db); err != nil {
			return err
		}
		rows, _ := conn.Query(ctx, advisedSQL, advisedSettings)
		var name, value string
		if _, err := pgx.ForEachRow(rows, []any{&name, &value},
			func() error { db.Settings[name] = value; return nil }); err != nil {
			return err
		}
		rows, _ = conn.Query(ctx, replicasSQL)
		var r advisor.Replica
		if _, err := pgx.ForEachRow(rows, []any{&name, &r.LagBytes, &r.Synchronous},
			func() error { db.Replicas[name] = r; return nil }); err != nil {
			return err
		}
		rows, _ = conn.Query(ctx, slotsSQL)
		var s advisor.Slot
		_, err := pgx.ForEachRow(rows, []any{&s.Name, &s.Active, &s.KeptBytes},
			func() error { db.Slots = append(db.Slots, s); return nil })
		return err
	})
	if err != nil {
		return db, fmt.Errorf("ask the leader: %w", err)
	}
	return db, nil
}

// writeRates counts what is written for a moment.
func writeRates(ctx context.Context, conn *pgx.Conn, db *advisor.Database) error {
	var wal, rows [2]float64
	start := time.Now()
	for i := range 2 {
		if i > 0 {
			if err := poll.Pause(ctx, rateOver); err != nil {
				return err
			}
		}
		if err := conn.QueryRow(ctx, writtenSQL).Scan(&wal[i], &rows[i]); err != nil {
			return err
		}
	}
	took := time.Since(start).Seconds()
	db.WALRate, db.RowRate = max(wal[1]-wal[0], 0)/took, max(rows[1]-rows[0], 0)/took
	return nil
}
