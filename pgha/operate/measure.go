package operate

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/probe"
)

// measureTable is where measureWrites writes. It exists only while an operation measures.
var measureTable = pgx.Identifier{"public", "pgha_operation"}

// measureWrites writes rows through the virtual IP until the function that it returns is called,
// which waits for one more row if the caller says that writes flow, and returns the longest time
// without any. It is a comfort: if it cannot measure it warns, and the operation continues.
func measureWrites(ctx context.Context, r *job.Job) func(flowing bool) time.Duration {
	nothing := func(bool) time.Duration { return 0 }
	cfg, err := r.SqlConfig(r.WriteRoute())
	if err != nil {
		r.Warn("", "time without writes is not measured: "+err.Error())
		return nothing
	}
	w, err := probe.Start(ctx, probe.Options{Config: cfg, Table: measureTable})
	if err != nil {
		r.Warn("", "time without writes is not measured: "+err.Error())
		return nothing
	}
	return func(flowing bool) time.Duration {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if flowing {
			if err := w.WaitAcked(ctx, time.Now()); err != nil {
				r.Warn("", "the last writes were not measured: "+err.Error())
			}
		}
		result, err := w.Stop(ctx)
		if err == nil && flowing {
			err = r.WithSQL(ctx, r.WriteRoute(), func(conn *pgx.Conn) error {
				_, err := conn.Exec(ctx, "DROP TABLE IF EXISTS "+measureTable.Sanitize())
				return err
			})
		}
		if err != nil {
			r.Warn("", fmt.Sprintf("the table %s of the measurement was left behind: %v",
				measureTable.Sanitize(), err))
		}
		return time.Duration(result.Longest().Seconds * float64(time.Second))
	}
}
