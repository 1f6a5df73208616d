package operate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha/connstring"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
)

// SynchronousOptions say which commits wait for replicas.
type SynchronousOptions struct {
	engine.Operation
	Mode patroni.SynchronousMode
	// Nodes is how many replicas a commit waits for. 0 means 1; with patroni.SynchronousOff it must
	// be 0.
	Nodes int
}

// SynchronousResult is what SetSynchronous did, with the proof of it.
type SynchronousResult struct {
	patroni.SynchronousResult
	// Promise and Cost are those of DescribeSynchronous.
	Promise string `json:"promise"`
	Cost    string `json:"cost"`
	// Replicas are the leader's own view of them afterwards.
	Replicas []SynchronousReplica `json:"replicas"`
	// Commit is how long a transaction took to commit through the address that applications use.
	Commit patroni.Elapsed `json:"commit_seconds"`
	// Notes are what deserves attention: a specification that says otherwise, a setting that takes
	// the promise back.
	Notes []errs.Next `json:"notes,omitempty"`
}

// SynchronousReplica is one line of the leader's pg_stat_replication.
type SynchronousReplica struct {
	Member string `json:"member"`
	// SyncState is sync, quorum, potential or async.
	SyncState string `json:"sync_state"`
}

// DescribeSynchronous says in words what a mode promises and what it costs.
func DescribeSynchronous(mode patroni.SynchronousMode) (promise, cost string) {
	switch mode {
	case patroni.SynchronousOff:
		return "a commit returns as soon as the leader has it; a failover may lose the last " +
				"transactions, up to maximum_lag_on_failover bytes",
			"none"
	case patroni.SynchronousOn:
		return "a commit returns when a replica has it on disk, and only such a replica is " +
				"promoted, so a failover loses nothing; without any replica the leader goes on " +
				"alone, and what it takes then is on no other host",
			"each commit waits for a replica's network and disk; when that replica dies, commits " +
				"pause until Patroni has chosen another"
	case patroni.SynchronousStrict:
		return "a commit returns when a replica has it on disk, always: no acknowledged commit " +
				"is ever on one host alone, and a failover loses nothing",
			"each commit waits for a replica's network and disk, and writes stop while there is " +
				"no replica"
	case patroni.SynchronousQuorum:
		return "a commit returns when any replica has it on disk, whichever is fastest, and a " +
				"failover finds one that has all; without any replica the leader goes on " +
				"alone, and what it takes then is on no other host",
			"each commit waits for the fastest replica's network and disk; needs Patroni 4 on " +
				"every member"
	}
	return "", ""
}

// SetSynchronous says which commits wait for replicas, waits until it holds, and proves it: the
// leader's pg_stat_replication shows the replicas, and a transaction commits through the address
// that applications use. What is refused, and what is put back when it fails, is as for
// patroni.SetSynchronous. The mode lives in the DCS until an apply of a specification that says
// otherwise: then a note says so.
func SetSynchronous(ctx context.Context, c *site.Site,
	opts SynchronousOptions) (SynchronousResult, error) {
	var result SynchronousResult
	result.Promise, result.Cost = DescribeSynchronous(opts.Mode)
	err := engine.Operate(ctx, c, "sync "+string(opts.Mode), opts.Operation, job.LockEtcd,
		func(ctx context.Context, run *job.Job) error {
			po, err := engine.PatroniOptions(run)
			if err != nil {
				return err
			}
			if result.Promise != "" && opts.DryRun {
				run.Progress("promise: " + result.Promise)
				run.Progress("cost: " + result.Cost)
			}
			if result.SynchronousResult, err = patroni.SetSynchronous(ctx, po, opts.Mode,
				opts.Nodes); err != nil {
				return err
			}
			if !run.Planning() {
				if err := proveSynchronous(ctx, run, &result); err != nil {
					return err
				}
			}
			if inSpec := patroni.SynchronousMode(
				c.Spec.Patroni.SynchronousMode); inSpec != opts.Mode {
				result.note(run,
					errs.Text(
						"the specification says patroni.synchronous_mode: %s, and the next apply "+
							"puts that back; write %s there to keep it", inSpec, opts.Mode))
			}
			return nil
		})
	return result, err
}

func (r *SynchronousResult) note(run *job.Job, text errs.Next) {
	r.Notes = append(r.Notes, text)
	run.WarnNext("", text)
}

// commitSQL commits something that is in the WAL and nowhere else.
const commitSQL = "SELECT pg_logical_emit_message(true, 'pgha', 'synchronous mode')"

// proveSynchronous asks the leader through the address, and commits there.
func proveSynchronous(ctx context.Context, r *job.Job, result *SynchronousResult) error {
	route := r.WriteRoute()
	commit := ""
	err := r.WithSQL(ctx, route, func(conn *pgx.Conn) error {
		// withSQL bounds the connection only: in strict mode a commit can wait for ever.
		ctx, cancel := context.WithTimeout(ctx, 2*site.SqlTimeout)
		defer cancel()
		start := time.Now()
		if _, err := conn.Exec(ctx, commitSQL); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		result.Commit = patroni.Elapsed(time.Since(start))
		if err := conn.QueryRow(ctx, "SHOW synchronous_commit").Scan(&commit); err != nil {
			return err
		}
		rows, err := conn.Query(ctx,
			"SELECT application_name, sync_state FROM pg_stat_replication WHERE state = "+
				"'streaming' ORDER BY 1")
		if err != nil {
			return err
		}
		result.Replicas, err = pgx.CollectRows(rows, pgx.RowToStructByPos[SynchronousReplica])
		return err
	})
	if err != nil {
		return errs.WithNext(fmt.Errorf("prove that commits work in synchronous mode %s through "+
			"%s: %w",
			result.Mode, connstring.HostPort(route.Host, route.Port), err),
			errs.Text("%s shows the replicas; %s lets commits go on without them",
				errs.Verb("status"),
				errs.Verb("sync", "off")))
	}
	if result.Mode != patroni.SynchronousOff && slices.Contains([]string{"off", "local"}, commit) {
		result.note(r,
			errs.Text("synchronous_commit is %s, so commits do not wait for any replica: %s",
				commit,
				errs.Verb("config", "set", "synchronous_commit=on")))
	}
	waiting := 0
	for _, replica := range result.Replicas {
		if replica.SyncState == "sync" || replica.SyncState == "quorum" {
			waiting++
		}
	}
	if waiting < result.Nodes {
		return fmt.Errorf("synchronous mode %s is set, but the leader waits for %d replicas, not "+
			"%d: %+v",
			result.Mode, waiting, result.Nodes, result.Replicas)
	}
	return nil
}
