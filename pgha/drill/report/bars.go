package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/pgha/drill"
	"github.com/pgha/toolkit/pgha/probe"
)

// bars are counts per bucket: what was done stands above the line, what failed hangs below it, on
// the same scale.
type bars struct {
	Name, Unit string
	// ViewBox has one unit for each bucket, Base is the height of the line.
	ViewBox string
	Base    string
	// Good and Bad are the paths of the bars.
	Good, Bad string
	// Unknown and Lost are marks below the bars.
	Unknown, Lost []mark
	// Height of the row with its marks, and how high these are.
	Height, UnknownY, LostY int
	// Data has the counts for the readout: "2" or "good.bad.unknown.lost" for each bucket, "*5"
	// repeats the one before.
	Data string
	// Summary says it in words.
	Summary string
}

// mark is a small sign below a bar.
type mark struct{ X, Title string }

// barsHeight is the height of a row of bars in units of its view box.
const barsHeight = 60

// markHeight is what a line of marks adds, in pixels.
const markHeight = 11

// tally counts what happened within a bucket.
type tally struct{ good, bad, unknown, lost int }

// writeBars draws the writes at the moment when their fate was clear.
func writeBars(w window, run drill.RunResult) bars {
	lost := lostRows(run)
	counts, all := make([]tally, w.Bars), tally{}
	for _, a := range run.Recording.Writes.Attempts {
		i, inside := w.bucket(a.Done)
		if !inside {
			continue
		}
		switch a.Outcome {
		case probe.Acked:
			counts[i].good, all.good = counts[i].good+1, all.good+1
		case probe.Failed:
			counts[i].bad, all.bad = counts[i].bad+1, all.bad+1
		case probe.Unknown:
			counts[i].unknown, all.unknown = counts[i].unknown+1, all.unknown+1
		}
		if lost[a.Seq] {
			counts[i].lost, all.lost = counts[i].lost+1, all.lost+1
		}
	}
	b := drawBars(w, counts)
	b.Name, b.Unit = "Writes", "acknowledged"
	b.Summary = fmt.Sprintf(
		"Writes per %s: in this picture %d acknowledged, %d failed, %d of unknown fate, %d "+
			"acknowledged and lost",
		w.per(), all.good, all.bad, all.unknown, all.lost)
	return b
}

// readBars draws the reads in the same way.
func readBars(w window, run drill.RunResult) bars {
	counts, all := make([]tally, w.Bars), tally{}
	for _, r := range run.Recording.Reads {
		i, inside := w.bucket(r.Done)
		if !inside {
			continue
		}
		if r.Error == "" && r.Member != "" {
			counts[i].good, all.good = counts[i].good+1, all.good+1
			continue
		}
		counts[i].bad, all.bad = counts[i].bad+1, all.bad+1
	}
	b := drawBars(w, counts)
	b.Name, b.Unit = "Reads", "answered"
	b.Summary = fmt.Sprintf("Reads per %s: in this picture %d answered, %d failed", w.per(),
		all.good, all.bad)
	return b
}

// lostRows are those that were acknowledged and that the last leader does not have.
func lostRows(run drill.RunResult) map[int64]bool {
	held, asked := run.Recording.Held[run.Outcome.ToLeader]
	if !asked || run.Outcome.Lost == 0 {
		return nil
	}
	there := make(map[int64]bool, len(held))
	for _, seq := range held {
		there[seq] = true
	}
	lost := map[int64]bool{}
	for _, a := range run.Recording.Writes.Attempts {
		if a.Outcome == probe.Acked && !there[a.Seq] {
			lost[a.Seq] = true
		}
	}
	return lost
}

func drawBars(w window, counts []tally) bars {
	up, down := 1, 0
	for _, c := range counts {
		up, down = max(up, c.good), max(down, c.bad)
	}
	unit := barsHeight / float64(up+down)
	base := unit * float64(up)
	b := bars{ViewBox: fmt.Sprintf("0 0 %d %d", w.Bars, barsHeight), Base: short(base)}
	var good, bad, data strings.Builder
	for i, c := range counts {
		if c.good > 0 {
			fmt.Fprintf(&good, "M%d %sh.84v-%sh-.84z", i, b.Base, short(unit*float64(c.good)))
		}
		if c.bad > 0 {
			fmt.Fprintf(&bad, "M%d %sh.84v%sh-.84z", i, b.Base, short(unit*float64(c.bad)))
		}
		x := percent((float64(i) + 0.5) / float64(w.Bars))
		if c.unknown > 0 {
			b.Unknown = append(b.Unknown, mark{x, count(c.unknown, "row", "rows") +
				" of unknown fate"})
		}
		if c.lost > 0 {
			b.Lost = append(b.Lost, mark{x, count(c.lost, "row", "rows") +
				" acknowledged and lost"})
		}
	}
	for i := 0; i < len(counts); {
		n := 1
		for i+n < len(counts) && counts[i+n] == counts[i] {
			n++
		}
		data.WriteString(counts[i].data(n))
		i += n
	}
	b.Height, b.UnknownY = barsHeight+4, barsHeight+8
	b.LostY = b.UnknownY
	if len(b.Unknown) > 0 {
		b.Height, b.LostY = b.Height+markHeight, b.LostY+markHeight
	}
	if len(b.Lost) > 0 {
		b.Height += markHeight
	}
	b.Good, b.Bad, b.Data = good.String(), bad.String(), strings.TrimSuffix(data.String(), " ")
	return b
}

func (c tally) data(times int) string {
	s := strconv.Itoa(c.good)
	if c.bad+c.unknown+c.lost > 0 {
		s = fmt.Sprintf("%d.%d.%d.%d", c.good, c.bad, c.unknown, c.lost)
	}
	if times > 1 {
		s += "*" + strconv.Itoa(times)
	}
	return s + " "
}

// short writes a coordinate with one decimal.
func short(f float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
}
