package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pgha/toolkit/pgha/drill"
)

// page is what the template shows.
type page struct {
	Cluster, Headline, Lead string
	Status                  status
	Tiles                   []tile
	Scenarios               []*scenario
	Columns                 []string
	Several                 bool
	Phases                  []phaseKey
	// List has every run, where there are several of a scenario.
	List          []listed
	Drawn, Total  int
	Specification string
	Settings      []pair
	Versions      []pair
}

type pair struct{ Name, Value string }

// tile is one figure at the top.
type tile struct {
	Name, Value, Unit, Note string
	Status                  status
	// Share is how much of the promise was used up, as a length; "" draws no meter.
	Share string
}

// listed is a line of the list of all runs.
type listed struct {
	Scenario, Fault, At string
	Run                 int
	// Link leads to its timeline; "" when it has none.
	Link            string
	Status          status
	Gap, Redundant  string
	Lost, Unknown   int
	Doubles         int
	GapBad, LostBad bool
}

func pageOf(r drill.Result) page {
	p := page{Cluster: r.Cluster, Scenarios: scenariosOf(r), Columns: columns(),
		Phases:        phaseKeys(),
		Total:         len(r.Runs),
		Specification: r.Specification, Settings: pairs(r.Settings), Versions: pairs(r.Versions)}
	drawn, open := choose(p.Scenarios)
	p.Drawn = len(drawn)
	for _, s := range p.Scenarios {
		p.Several = p.Several || len(s.runs) > 1
		for k, i := range s.indices {
			if !drawn[i] {
				s.Undrawn++
				continue
			}
			s.Drawn = append(s.Drawn, runViewOf(i, s.runs[k], r.Promise, open[i]))
		}
	}
	if p.Several {
		for i, run := range r.Runs {
			p.List = append(p.List, listedOf(i, run, r.Promise, drawn[i]))
		}
	}
	p.head(r)
	return p
}

// head works out what is said at the top.
func (p *page) head(r drill.Result) {
	good, bad, cutShort := 0, 0, 0
	var began, ended time.Time
	for _, run := range r.Runs {
		switch statusOf(run) {
		case kept:
			good++
		case broken:
			bad++
		case unfinished:
			cutShort++
		}
		if b := run.Recording.Began; !b.IsZero() && (began.IsZero() || b.Before(began)) {
			began = b
		}
		ended = latest(ended, run.Recording.Ended)
	}
	switch {
	case len(r.Runs) == 0:
		p.Status, p.Headline = unfinished, "Nothing was run"
	case bad > 0:
		p.Status, p.Headline = broken, fmt.Sprintf("A promise was broken in %s",
			outOf(bad, len(r.Runs)))
	case cutShort > 0:
		p.Status, p.Headline = unfinished,
			fmt.Sprintf("No promise was broken, but %s could not be finished",
				outOf(cutShort, len(r.Runs)))
	default:
		p.Status, p.Headline = kept, "Every promise was kept"
	}
	p.Lead = fmt.Sprintf("%s of %s", count(len(r.Runs), "run", "runs"),
		count(len(p.Scenarios), "scenario", "scenarios"))
	if !began.IsZero() {
		p.Lead += fmt.Sprintf(", %s to %s UTC", moment(began), ended.UTC().Format("15:04:05"))
	}
	if len(r.Runs) > 0 {
		p.Tiles = append([]tile{{Name: "Promises kept", Value: fmt.Sprint(good),
			Unit: "of " + count(len(r.Runs), "run", "runs"), Status: p.Status}}, tiles(r)...)
	}
}

func outOf(n, all int) string {
	if n == all {
		return map[bool]string{true: "the only run", false: fmt.Sprintf("all %d runs", all)}[n == 1]
	}
	return fmt.Sprintf("%d of %d runs", n, all)
}

// tiles are the worst figures of all runs against the promise.
func tiles(r drill.Result) []tile {
	var all []tile
	for _, kind := range []struct {
		name    string
		writes  drill.Writes
		promise float64
	}{{"Longest failover", drill.WithinFailover, r.Promise.FailoverSeconds},
		{"Longest switchover", drill.WithinSwitchover, r.Promise.SwitchoverSeconds}} {
		if t, any := gapTile(r, kind.name, kind.writes, kind.promise); any {
			all = append(all, t)
		}
	}
	lost, acknowledged, doubles, seconds := 0, 0, 0, 0.0
	for _, run := range r.Runs {
		o := run.Outcome
		lost, acknowledged = lost+o.Lost, acknowledged+o.Acknowledged
		doubles, seconds = doubles+len(o.DoubleWriters), seconds+total(o.DoubleWriters)
	}
	rows := tile{Name: "Rows lost", Value: grouped(lost), Unit: "of " + grouped(acknowledged),
		Note:   fmt.Sprintf("acknowledged; promised: at most %s", grouped(r.Promise.LostRows)),
		Status: kept}
	for _, run := range r.Runs {
		if run.Outcome.Lost > r.Promise.LostRows {
			rows.Status = broken
		}
	}
	double := tile{Name: "Double writers", Value: grouped(doubles), Unit: "times",
		Note: "two members that take writes; there must be none", Status: kept}
	if doubles > 0 {
		double.Status, double.Unit = broken, map[bool]string{true: "time",
			false: "times"}[doubles == 1]+
			", "+number(seconds)+" s"
	}
	return append(all, rows, double)
}

func gapTile(r drill.Result, name string, writes drill.Writes, promise float64) (t tile, any bool) {
	longest, where := 0.0, ""
	for _, run := range r.Runs {
		if o := run.Outcome; cmp.Or(run.Recording.Expect.Writes, drill.WithinFailover) == writes &&
			o.GapSeconds >= longest {
			longest, where, any = o.GapSeconds, o.Scenario, true
		}
	}
	t = tile{Name: name, Value: number(longest), Unit: "s", Note: "without writes, in " + where,
		Status: kept}
	if promise > 0 {
		t.Unit = "of " + round(promise) + " s"
		t.Share = percent(clamp(longest / promise))
		if longest > promise {
			t.Status = broken
		}
	}
	return t, any
}

func listedOf(index int, run drill.RunResult, p drill.Promise, drawn bool) listed {
	o := run.Outcome
	l := listed{Scenario: o.Scenario, Run: o.Run, Fault: o.Fault.Text, At: moment(o.Fault.At),
		Status: statusOf(run), Gap: number(o.GapSeconds),
		Lost: o.Lost, Unknown: o.Unknown, Doubles: len(o.DoubleWriters), Redundant: "never",
		LostBad: o.Lost > p.LostRows}
	if o.RedundantSeconds >= 0 {
		l.Redundant = number(o.RedundantSeconds)
	}
	if limit := promised(p, run); limit > 0 {
		l.GapBad = o.GapSeconds > limit
	}
	if drawn {
		l.Link = fmt.Sprintf("#r%d", index+1)
	}
	return l
}

func pairs(m map[string]string) []pair {
	var all []pair
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, pair{name, m[name]})
	}
	return all
}
