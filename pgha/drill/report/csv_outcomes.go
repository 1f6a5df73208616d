package report

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/pgha/drill"
)

func outcomesColumns() []Column {
	columns := runColumns(
		Column{"fault", "what was done"},
		Column{"hosts", "the hosts that it struck"},
		Column{"at", "when the fault could first be felt"},
		Column{"verdict",
			"kept, broken, or unfinished when the run could not be brought to its end"},
		Column{"broken", "the promises that were not kept, separated by semicolons"},
		Column{"error", "why the run was not brought to its end"},
		Column{"from_leader", "the member that led before the fault"},
		Column{"to_leader", "the member that led at the end"},
		Column{"gap_start", "the last acknowledged write before the gap"},
		Column{"gap_end", "the first one after it"},
		Column{"gap_seconds", "the longest time without an acknowledged write since the fault"},
	)
	for _, name := range drill.PhaseNames() {
		columns = append(columns,
			Column{string(name) + "_seconds", "the part of the gap that went into the " +
				string(name)})
	}
	return append(columns,
		Column{"longest_call_seconds",
			"the longest that a caller of the writer waited for a row or for its error"},
		Column{"wait_seconds", "how long somebody waited for a host that was gone, in scenarios " +
			"about that; empty when he still did at the end"},
		Column{"read_gap_seconds", "the longest time without an answered read"},
		Column{"acknowledged", "rows that were acknowledged"},
		Column{"failed", "rows that were surely not written"},
		Column{"unknown", "rows whose fate the writer did not learn"},
		Column{"arrived", "how many of these are in the table"},
		Column{"lost", "rows that were acknowledged and are not on the leader at the end"},
		Column{"missing", "rows that other members lack at the end, as member=rows"},
		Column{"double_writers", "times with two writable members"},
		Column{"double_writers_seconds", "how long these were together"},
		Column{"double_holders", "times with two holders of the virtual IP"},
		Column{"double_holders_seconds", "how long these were together"},
		Column{"redundant_seconds", "from the fault until full redundancy was back; empty when " +
			"it was not"},
	)
}

func outcomesRows(run drill.RunResult, add func(...string)) {
	o := run.Outcome
	fields := []string{o.Fault.Text, strings.Join(o.Fault.Hosts, " "), stamp(o.Fault.At),
		string(statusOf(run)),
		strings.Join(o.Verdict.Broken, "; "), run.Error, o.FromLeader, o.ToLeader,
		stamp(o.GapStart),
		stamp(o.GapEnd), decimal(o.GapSeconds)}
	for _, name := range drill.PhaseNames() {
		seconds, known := phaseSeconds(o, name)
		if !known {
			fields = append(fields, "")
			continue
		}
		fields = append(fields, decimal(seconds))
	}
	fields = append(fields, decimal(o.LongestCallSeconds), waited(o), decimal(o.ReadGapSeconds))
	for _, n := range []int{o.Acknowledged, o.Failed, o.Unknown, o.Arrived, o.Lost} {
		fields = append(fields, strconv.Itoa(n))
	}
	redundant := ""
	if o.RedundantSeconds >= 0 {
		redundant = decimal(o.RedundantSeconds)
	}
	add(append(fields, missing(o, "="),
		strconv.Itoa(len(o.DoubleWriters)), decimal(total(o.DoubleWriters)),
		strconv.Itoa(len(o.DoubleHolders)), decimal(total(o.DoubleHolders)), redundant)...)
}

// waited is how long somebody waited for a host that was gone.
func waited(o drill.Outcome) string {
	if o.WaitSeconds <= 0 {
		return ""
	}
	return decimal(o.WaitSeconds)
}

// missing lists the rows that members lack, by member.
func missing(o drill.Outcome, between string) string {
	var parts []string
	for _, member := range slices.Sorted(maps.Keys(o.Missing)) {
		if n := o.Missing[member]; n > 0 {
			parts = append(parts, member+between+strconv.Itoa(n))
		}
	}
	return strings.Join(parts, " ")
}

// phaseSeconds adds up what the gap had of a phase.
func phaseSeconds(o drill.Outcome, name drill.PhaseName) (seconds float64, known bool) {
	for _, p := range o.Phases {
		if p.Name == name {
			seconds, known = seconds+p.Seconds, true
		}
	}
	return seconds, known
}

// total adds up the seconds of spans.
func total(spans []drill.Span) float64 {
	seconds := 0.0
	for _, s := range spans {
		seconds += s.End.Sub(s.Start).Seconds()
	}
	return seconds
}
