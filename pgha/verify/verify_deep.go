package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/operate"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/probe"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// DeepVerifyOptions say how VerifyDeep works.
type DeepVerifyOptions struct {
	engine.Operation
	// Force is that of SwitchoverOptions.
	Force bool
}

// DeepVerifyResult is what VerifyDeep measured.
type DeepVerifyResult struct {
	// From is the member that led, and leads again at the end; To led in between.
	From string `json:"from"`
	To   string `json:"to"`
	// There and Back are the longest times in which no row could be written through the virtual IP.
	There patroni.Elapsed `json:"seconds_without_writes_there"`
	Back  patroni.Elapsed `json:"seconds_without_writes_back"`
	// Acknowledged rows, how many of them the leader does not have (Lost), and rows of which the
	// writer does not know the fate.
	Acknowledged int `json:"acknowledged_rows"`
	Lost         int `json:"lost_rows"`
	Unknown      int `json:"unknown_rows"`
	// Missing are acknowledged rows that a replica does not have at the end, by member.
	Missing map[string]int  `json:"missing_rows,omitempty"`
	Elapsed patroni.Elapsed `json:"seconds"`
}

// deepTable is where VerifyDeep writes, and which it drops.
var deepTable = pgx.Identifier{"public", "pgha_verify_deep"}

// deepWait bounds each wait of VerifyDeep: for the former leader to be fit to lead again, and for
// replicas to have all rows.
const deepWait = 60 * time.Second

// VerifyDeep proves what Verify cannot see by looking: it moves the leadership to a replica and
// back, while it writes twenty rows a second through the virtual IP, and compares every
// acknowledged row with every member. It is an operation like a switchover, which it makes two of:
// with the lock, in the trail, refused as one is; sessions to the leader are cut twice.
//
// The error matches ErrVerify if a row is lost or missing somewhere, or writes stopped for longer
// than slo.switchover. After any other error the leadership may have stayed where it went; the
// error says so. The table that it writes is dropped.
func VerifyDeep(ctx context.Context, c *site.Site,
	opts DeepVerifyOptions) (DeepVerifyResult, error) {
	result := DeepVerifyResult{}
	start := time.Now()
	err := engine.Operate(ctx, c, "verify --deep", opts.Operation, job.LockEtcd,
		func(ctx context.Context, run *job.Job) error {
			if run.Planning() {
				planned, err := operate.HandOver(ctx, run, patroni.SwitchoverOptions{}, opts.Force)
				if err != nil {
					return err
				}
				result.From, result.To = planned.OldLeader, planned.NewLeader
				return run.Changed(planned.OldLeader,
					remote.Change{Kind: "cluster", Name: c.Spec.Cluster,
						Action: "switched back from " + planned.NewLeader})
			}
			if err := thereAndBack(ctx, run, opts.Force, &result); err != nil {
				return err
			}
			return reasonsMatching(ErrVerify, result.problems(c.Spec))
		})
	result.Elapsed = patroni.Elapsed(time.Since(start))
	return result, err
}

// reasonsMatching is one error of several problems that matches kind, or nil.
func reasonsMatching(kind error, problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", kind, strings.Join(problems, "; "))
}

// problems holds the result against what the specification promises.
func (d DeepVerifyResult) problems(sp *spec.Spec) []string {
	var found []string
	for _, leg := range []struct {
		to   string
		took time.Duration
	}{{d.To, d.There.Duration()}, {d.From, d.Back.Duration()}} {
		if leg.took > sp.SLO.Switchover && sp.SLO.Switchover > 0 {
			found = append(found,
				fmt.Sprintf("%.2fs without writes while the leadership moved to %s, "+
					"slo.switchover is %gs",
					leg.took.Seconds(), leg.to, sp.SLO.Switchover.Seconds()))
		}
	}
	if d.Lost > 0 {
		found = append(found, fmt.Sprintf("%d of %d acknowledged rows are lost", d.Lost,
			d.Acknowledged))
	}
	for _, h := range sp.Databases() {
		if n := d.Missing[h.Member]; n > 0 {
			found = append(found, fmt.Sprintf("%s has not got %d acknowledged rows", h.Member, n))
		}
	}
	return found
}

// thereAndBack makes both switchovers beside a writer and compares what each member has.
func thereAndBack(ctx context.Context, r *job.Job, force bool,
	result *DeepVerifyResult) (err error) {
	cfg, err := r.SqlConfig(r.WriteRoute())
	if err != nil {
		return err
	}
	w, err := probe.Start(ctx, probe.Options{Config: cfg, Table: deepTable})
	if err != nil {
		return fmt.Errorf("write through the address: %w", err)
	}
	defer func() { err = errors.Join(err, endProbe(ctx, r, w)) }()
	begin := time.Now()
	there, err := operate.HandOver(ctx, r, patroni.SwitchoverOptions{}, force)
	if err != nil {
		return err
	}
	result.From, result.To = there.OldLeader, there.NewLeader
	turn := time.Now()
	if err := backTo(ctx, r, there.OldLeader, force); err != nil {
		return fmt.Errorf("%s leads now and %s did before: %w", there.NewLeader,
			there.OldLeader, err)
	}
	if err := w.WaitAcked(ctx, time.Now()); err != nil {
		return fmt.Errorf("write through the address: %w", err)
	}
	rows, err := w.Stop(ctx)
	if err != nil {
		return fmt.Errorf("write through the address: %w", err)
	}
	back := rows.Since(turn).Longest()
	result.Back = patroni.Elapsed(back.Seconds * float64(time.Second))
	for _, g := range rows.Since(begin).Gaps(0) {
		if g.Start.Before(back.Start) && g.Start.Before(turn) {
			result.There = max(result.There, patroni.Elapsed(g.Seconds*float64(time.Second)))
		}
	}
	result.Acknowledged, result.Unknown = rows.Count(probe.Acked), rows.Count(probe.Unknown)
	return compareRows(ctx, r, rows, result)
}

// backTo switches back as soon as the former leader may lead: in a synchronous mode that takes one
// look of Patroni more.
func backTo(ctx context.Context, r *job.Job, member string, force bool) error {
	quiet, err := engine.PatroniOptions(r.Rehearsed())
	if err != nil {
		return err
	}
	var refused error
	err = r.Until(ctx, deepWait, member+" to be fit to lead again",
		errs.Text("%s shows how it is", errs.Verb("status")), func(ctx context.Context) string {
			_, refused = patroni.Switchover(ctx, quiet,
				patroni.SwitchoverOptions{Candidate: member})
			if refused != nil {
				return refused.Error()
			}
			return ""
		})
	if err != nil {
		return err
	}
	_, err = operate.HandOver(ctx, r, patroni.SwitchoverOptions{Candidate: member}, force)
	return err
}

// compareRows asks every member for what it has, replicas until they have all or the time is over.
func compareRows(ctx context.Context, r *job.Job, written probe.Result,
	result *DeepVerifyResult) error {
	lost := func(route site.Route) (n int, err error) {
		err = r.WithSQL(ctx, route, func(conn *pgx.Conn) error {
			there, err := probe.Rows(ctx, conn, written.Table, written.Run)
			n = len(written.Compare(there).Lost)
			return err
		})
		return n, err
	}
	var err error
	if result.Lost, err = lost(r.WriteRoute()); err != nil {
		return fmt.Errorf("compare the rows: %w", err)
	}
	databases, err := r.Databases()
	if err != nil {
		return err
	}
	result.Missing = map[string]int{}
	for _, h := range r.Spec.Databases() {
		if !r.Promises()[h.Member].Streams {
			continue // the archive has the rows once their WAL is full
		}
		t := databases[slices.IndexFunc(databases,
			func(t *remote.Target) bool { return t.Name == h.Name })]
		err := r.Until(ctx, deepWait/4, h.Member+" to have every row", errs.Next{},
			func(ctx context.Context) string {
				n, err := lost(site.Route{Host: h.Address, Port: r.Spec.PostgreSQL.Port, From: t})
				switch {
				case err != nil:
					return err.Error()
				case n > result.Lost:
					result.Missing[h.Member] = n
					return fmt.Sprintf("%d rows are missing", n)
				}
				delete(result.Missing, h.Member)
				return ""
			})
		if err != nil && (result.Missing[h.Member] == 0 || ctx.Err() != nil) {
			return fmt.Errorf("compare the rows: %w", err)
		}
	}
	return nil
}

// endProbe ends the writer, if it still runs, and drops its table.
func endProbe(ctx context.Context, r *job.Job, w *probe.Writer) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_, err := w.Stop(ctx)
	drop := r.WithSQL(ctx, r.WriteRoute(), func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "DROP TABLE IF EXISTS "+deepTable.Sanitize())
		return err
	})
	if drop != nil {
		r.Warn("", fmt.Sprintf("the table %s was left behind: %v", deepTable.Sanitize(), drop))
	}
	return err
}
