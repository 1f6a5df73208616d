package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/drill"
)

// Column is one column of a CSV file.
type Column struct {
	Name string
	// Text says what is in it.
	Text string
}

// CSVColumns returns the columns of each CSV file by the file's name between the base and ".csv":
// writes, reads, members, leadership and outcomes. Every file has a header line. Times are RFC 3339
// in UTC with nanoseconds, as the machine that ran the drill had them; those in seconds are
// relative to the run's fault. What is unknown or does not apply is empty, and several names in one
// field are separated by spaces.
func CSVColumns() map[string][]Column {
	columns := map[string][]Column{}
	for _, t := range tables() {
		columns[t.name] = t.columns
	}
	return columns
}

// table is one CSV file: its columns, and what it has of one run.
type table struct {
	name    string
	columns []Column
	rows    func(run drill.RunResult, add func(...string))
}

func tables() []table {
	return []table{
		{"writes", writesColumns, writesRows},
		{"reads", readsColumns, readsRows},
		{"members", membersColumns, membersRows},
		{"leadership", leadershipColumns, leadershipRows},
		{"outcomes", outcomesColumns(), outcomesRows},
	}
}

func (t table) write(w io.Writer, r drill.Result) error {
	out := csv.NewWriter(w)
	header := make([]string, 0, len(t.columns))
	for _, c := range t.columns {
		header = append(header, c.Name)
	}
	_ = out.Write(header) // an error is kept for out.Error
	for _, run := range r.Runs {
		lead := []string{run.Outcome.Scenario, strconv.Itoa(run.Outcome.Run)}
		t.rows(run, func(fields ...string) { _ = out.Write(append(lead[:2:2], fields...)) })
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write %s as CSV: %w", t.name, err)
	}
	return nil
}

// runColumns lead every table.
func runColumns(rest ...Column) []Column {
	return append([]Column{{"scenario", "name of the scenario"},
		{"run", "number of the run of that scenario, from 1 on"}}, rest...)
}

var writesColumns = runColumns(
	Column{"seq", "number of the row; each attempt has one of its own"},
	Column{"began", "when the attempt began"},
	Column{"connected", "when the session was open that the attempt had to open"},
	Column{"done", "when the answer came, or it was clear that none would"},
	Column{"done_seconds", "the same in seconds after the fault"},
	Column{"outcome", "acked, failed (surely not written) or unknown"},
	Column{"cause",
		"why it was not acknowledged: refused, unreachable, closed, timeout, read_only, " +
			"unavailable, rejected, other"},
	Column{"error", "the error in words"},
	Column{"skipped", "ticks that passed while this attempt was under way"},
	Column{"held_by", "members that have the row at the end"},
)

func writesRows(run drill.RunResult, add func(...string)) {
	held := holders(run.Recording)
	for _, a := range run.Recording.Writes.Attempts {
		add(strconv.FormatInt(a.Seq, 10), stamp(a.Began), stamp(a.Connected), stamp(a.Done),
			since(run, a.Done),
			string(a.Outcome), string(a.Cause), a.Error, strconv.Itoa(a.Skipped),
			strings.Join(held[a.Seq], " "))
	}
}

// holders returns, for every row, the members that have it, in the order of the specification.
func holders(rec drill.Recording) map[int64][]string {
	held := map[int64][]string{}
	for _, m := range rec.Members {
		for _, seq := range rec.Held[m] {
			held[seq] = append(held[seq], m)
		}
	}
	return held
}

var readsColumns = runColumns(
	Column{"at", "when the read began"},
	Column{"done", "when it ended"},
	Column{"done_seconds", "the same in seconds after the fault"},
	Column{"member", "the member that answered"},
	Column{"seq", "the newest row that it saw"},
	Column{"error", "the error in words"},
)

func readsRows(run drill.RunResult, add func(...string)) {
	for _, r := range run.Recording.Reads {
		seq := ""
		if r.Seq != 0 {
			seq = strconv.FormatInt(r.Seq, 10)
		}
		add(stamp(r.At), stamp(r.Done), since(run, r.Done), r.Member, seq, r.Error)
	}
}

var membersColumns = runColumns(
	Column{"member", "the member that was asked"},
	Column{"asked", "when it was asked"},
	Column{"answered", "when it answered, or was given up; the role was true at some moment " +
		"between the two"},
	Column{"asked_seconds", "when it was asked, in seconds after the fault"},
	Column{"role", "writable, blocked (out of recovery, but a write waited), read_only or down"},
	Column{"timeline", "PostgreSQL's timeline"},
	Column{"started", "when PostgreSQL was started, by the host's clock"},
	Column{"error", "the error in words"},
)

func membersRows(run drill.RunResult, add func(...string)) {
	for _, s := range run.Recording.States {
		timeline := ""
		if s.Timeline != 0 {
			timeline = strconv.Itoa(s.Timeline)
		}
		add(s.Member, stamp(s.Asked), stamp(s.Answered), since(run, s.Asked), string(s.Role),
			timeline,
			stamp(s.Started), s.Error)
	}
}

var leadershipColumns = runColumns(
	Column{"at", "from when on this was so, until the next line"},
	Column{"at_seconds", "the same in seconds after the fault"},
	Column{"patroni", "the member that held the leader key"},
	Column{"etcd", "the host whose member led etcd"},
	Column{"address", "the balancers that carried the virtual IP"},
)

func leadershipRows(run drill.RunResult, add func(...string)) {
	for _, l := range run.Recording.Leadership {
		add(stamp(l.At), since(run, l.At), l.Patroni, l.Etcd, strings.Join(l.Address, " "))
	}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func since(run drill.RunResult, t time.Time) string {
	if t.IsZero() || run.Outcome.Fault.At.IsZero() {
		return ""
	}
	return decimal(t.Sub(run.Outcome.Fault.At).Seconds())
}

// decimal writes seconds to the microsecond.
func decimal(seconds float64) string { return strconv.FormatFloat(seconds, 'f', 6, 64) }
