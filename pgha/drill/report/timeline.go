package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/drill"
)

// timeline is the picture of one run.
type timeline struct {
	// From and To are the edges in seconds relative to the fault, for the readout.
	From, To string
	Bars     int
	// Per says what a bar stands for.
	Per     string
	Caption string
	Marks   []flag
	// MarkHeight is what their labels need.
	MarkHeight int
	Gap        *band
	Phases     []band
	PhaseWords string
	Doubles    []band
	Rows       []bars
	Lanes      []lane
	Ticks      []tick
	Cut        string
}

// flag is a moment that is marked through all rows.
type flag struct {
	X, Label, Title, Class, Anchor string
	// DX keeps the label clear of its line, Y is its height.
	DX string
	Y  int
	// Top is where the line begins, so that it does not cross the labels above its own.
	Top int
}

func timelineOf(run drill.RunResult) timeline {
	w := windowOf(run)
	o := run.Outcome
	t := timeline{From: decimal(w.seconds(w.From)), To: decimal(w.seconds(w.To)), Bars: w.Bars,
		Per:  w.per(),
		Rows: []bars{writeBars(w, run)}, Lanes: lanesOf(w, run), Ticks: w.ticks(), Cut: w.Cut}
	if len(run.Recording.Reads) > 0 {
		t.Rows = append(t.Rows, readBars(w, run))
	}
	t.Marks, t.MarkHeight = w.flags(run)
	if len(o.Phases) > 0 {
		gap := w.band(o.GapStart, o.GapEnd)
		t.Gap = &gap
		t.Phases, t.PhaseWords = w.phases(o)
	}
	for _, s := range o.DoubleWriters {
		t.Doubles = append(t.Doubles, w.alarm(s, "both take writes"))
	}
	for _, s := range o.DoubleHolders {
		t.Doubles = append(t.Doubles, w.alarm(s, "both carry the address"))
	}
	t.Caption = fmt.Sprintf("Seconds relative to the fault. Bars count what happened within %s.",
		w.per())
	return t
}

func (w window) phases(o drill.Outcome) ([]band, string) {
	var bands []band
	var words []string
	for _, p := range o.Phases {
		b := w.band(p.Start, p.End)
		b.Class = phaseClass(p.Name)
		b.Title = fmt.Sprintf("%s %s s, %s", p.Name, number(p.Seconds), w.span(p.Start, p.End))
		share := clamp(w.at(p.End)) - clamp(w.at(p.Start))
		b.label(fmt.Sprintf("%s %s s", p.Name, number(p.Seconds)), share)
		if b.Need == "" || b.Need > "n640" {
			b.label(number(p.Seconds)+" s", share)
		}
		bands = append(bands, b)
		words = append(words, b.Title)
	}
	return bands, "Phases: " + strings.Join(words, "; ")
}

// phaseClass is the class of a phase, also of one that this package does not know.
func phaseClass(name drill.PhaseName) string {
	for i, known := range drill.PhaseNames() {
		if name == known {
			return fmt.Sprintf("phase%d", i)
		}
	}
	return "phase0"
}

func (w window) alarm(s drill.Span, what string) band {
	b := w.band(s.Start, s.End)
	b.Title = fmt.Sprintf("%s: %s for %s s, %s", strings.Join(s.Names, " and "), what,
		number(s.End.Sub(s.Start).Seconds()), w.span(s.Start, s.End))
	return b
}

// Labels of flags, in pixels on the narrowest row there is.
const (
	flagWidth  = 300
	flagLetter = 7
	flagHeight = 16
)

// flags marks the moments of a run, and stacks labels that would cover each other.
func (w window) flags(run drill.RunResult) (flags []flag, height int) {
	o := run.Outcome
	var ends []float64
	for _, f := range []struct {
		at           time.Time
		label, class string
	}{
		{o.Fault.At, "fault", "fault"},
		{o.GapEnd, "writes again", "again"},
		{o.Fault.Mended, "mended", "mended"},
		{run.Recording.Redundant, "redundant again", "redundant"},
	} {
		x := w.at(f.at)
		if f.at.IsZero() || x < 0 || x > 1 || f.class == "again" && len(o.Phases) == 0 {
			continue
		}
		width := float64(flagLetter*len(f.label)+10) / flagWidth
		left, anchor, dx := x, "start", "5"
		if x+width > 1 {
			left, anchor, dx = x-width, "end", "-5"
		}
		row := 0
		for row < len(ends) && ends[row] > left {
			row++
		}
		if row == len(ends) {
			ends = append(ends, 0)
		}
		ends[row] = left + width
		flags = append(flags, flag{X: percent(x), Label: f.label, Class: f.class,
			Anchor: anchor, DX: dx,
			Y: row*flagHeight + 12, Top: row * flagHeight,
			Title: fmt.Sprintf("%s at %s", f.label, signed(w.seconds(f.at)))})
	}
	return flags, max(1, len(ends))*flagHeight + 2
}
