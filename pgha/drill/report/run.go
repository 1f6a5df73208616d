package report

import (
	"fmt"
	"strings"

	"github.com/pgha/toolkit/pgha/drill"
)

// runView is one run with its timeline.
type runView struct {
	ID, Title string
	Status    status
	// Open: shown unfolded.
	Open   bool
	Gap    string
	Fault  string
	At     string
	Error  string
	Broken []string
	Facts  []fact
	Line   timeline
}

// fact is a figure with its name.
type fact struct {
	Name, Value, Note string
	Bad               bool
}

func runViewOf(index int, run drill.RunResult, p drill.Promise, open bool) *runView {
	o := run.Outcome
	return &runView{
		ID: fmt.Sprintf("r%d", index+1), Title: fmt.Sprintf("Run %d", o.Run), Status: statusOf(run),
		Open: open,
		Gap:  number(o.GapSeconds) + " s without writes", Fault: o.Fault.Text,
		At:    moment(o.Fault.At),
		Error: run.Error, Broken: o.Verdict.Broken,
		Facts: facts(run, p), Line: timelineOf(run),
	}
}

func facts(run drill.RunResult, p drill.Promise) []fact {
	o := run.Outcome
	limit := promised(p, run)
	gap := fact{Name: "Without writes", Value: number(o.GapSeconds) + " s", Bad: limit > 0 &&
		o.GapSeconds > limit}
	if limit > 0 {
		gap.Note = "promised " + round(limit) + " s"
	}
	all := []fact{
		gap,
		{Name: "Without reads", Value: number(o.ReadGapSeconds) + " s"},
		{Name: "Rows lost", Value: grouped(o.Lost), Note: "of " + grouped(o.Acknowledged) +
			" acknowledged",
			Bad: o.Lost > p.LostRows},
		{Name: "Rows of unknown fate", Value: grouped(o.Unknown),
			Note: grouped(o.Arrived) + " of them arrived"},
		{Name: "Rows that failed", Value: grouped(o.Failed)},
		spansFact("Double writers", o.DoubleWriters),
	}
	if len(o.DoubleHolders) > 0 {
		all = append(all, spansFact("Double holders of the address", o.DoubleHolders))
	}
	if m := missing(o, ": "); m != "" {
		all = append(all, fact{Name: "Rows that replicas lack", Value: m, Bad: true})
	}
	redundant := fact{Name: "Redundant again after", Value: "never", Bad: true}
	if o.RedundantSeconds >= 0 {
		redundant = fact{Name: redundant.Name, Value: number(o.RedundantSeconds) + " s"}
	}
	return append(all, redundant, leaderFact(o))
}

func spansFact(name string, spans []drill.Span) fact {
	f := fact{Name: name, Value: "none"}
	if len(spans) > 0 {
		f.Value, f.Bad = number(total(spans))+" s", true
		var who []string
		for _, s := range spans {
			who = append(who, strings.Join(s.Names, " and "))
		}
		f.Note = strings.Join(who[:min(len(who), 3)], "; ")
	}
	return f
}

func leaderFact(o drill.Outcome) fact {
	f := fact{Name: "Leader", Value: o.ToLeader, Note: "as before"}
	if o.FromLeader != o.ToLeader {
		f.Note = "before: " + o.FromLeader
	}
	if f.Value == "" {
		f.Value, f.Bad = "none", true
	}
	return f
}
