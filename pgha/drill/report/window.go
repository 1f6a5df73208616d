package report

import (
	"fmt"
	"math"
	"time"

	"github.com/pgha/toolkit/pgha/drill"
)

// What of a run is drawn.
const (
	shortest   = 6 * time.Second  // shown after the fault at the least
	longWindow = 90 * time.Second // beyond this, what follows the gap is cut off
	maxBars    = 900              // bars in a row at most
	maxTicks   = 9                // labels of the axis at most
)

// window is the part of a run that is drawn, and its scale.
type window struct {
	From, To time.Time
	// Zero is the fault.
	Zero time.Time
	// Bucket is the time that one bar stands for.
	Bucket time.Duration
	Bars   int
	// Cut says in words what is not in the picture; "" when it is whole.
	Cut string
}

// windowOf chooses it: all of the gap, and the way back to redundancy unless that makes the gap too
// small to read.
func windowOf(run drill.RunResult) window {
	o, rec := run.Outcome, run.Recording
	w := window{Zero: o.Fault.At}
	if w.Zero.IsZero() {
		w.Zero = rec.Began
	}
	must := latest(w.Zero.Add(shortest*3/4), o.Fault.Done, o.GapEnd)
	for _, s := range append(o.DoubleWriters, o.DoubleHolders...) {
		must = latest(must, s.End)
	}
	may := latest(must, o.Fault.Mended, rec.Redundant)
	if l := len(rec.Leadership); l > 0 {
		may = latest(may, rec.Leadership[l-1].At)
	}
	if limit := max(longWindow, 4*must.Sub(w.Zero)); may.Sub(w.Zero) > limit {
		may = latest(must.Add(must.Sub(w.Zero)), w.Zero.Add(longWindow/3))
	}
	shown := may.Sub(w.Zero)
	w.From, w.To = w.Zero.Add(-min(5*time.Second, shown/3)), may.Add(min(5*time.Second, shown/3))
	if !o.GapStart.IsZero() && o.GapStart.Before(w.From) {
		w.From = o.GapStart.Add(-time.Second)
	}
	if rec.Began.After(w.From) && rec.Began.Before(w.Zero) {
		w.From = rec.Began
	}
	if rec.Ended.After(w.Zero) && rec.Ended.Before(w.To) {
		w.To = rec.Ended
	}
	w.scale()
	w.Cut = w.cut(run)
	return w
}

// scale sets the bars, and moves the edges so that the bars begin and end with them and one begins
// with the fault.
func (w *window) scale() {
	for _, w.Bucket = range []time.Duration{100, 200, 500, 1000, 2000, 5000, 10_000, 60_000} {
		w.Bucket *= time.Millisecond
		if w.To.Sub(w.From) <= maxBars*w.Bucket {
			break
		}
	}
	before := math.Ceil(w.Zero.Sub(w.From).Seconds() / w.Bucket.Seconds())
	after := max(1, math.Ceil(w.To.Sub(w.Zero).Seconds()/w.Bucket.Seconds()))
	w.From = w.Zero.Add(-time.Duration(before) * w.Bucket)
	w.To = w.Zero.Add(time.Duration(after) * w.Bucket)
	w.Bars = int(before + after)
}

// cut says what of the run lies after the picture.
func (w window) cut(run drill.RunResult) string {
	rest := run.Recording.Ended.Sub(w.To).Seconds()
	if rest < 1 {
		return ""
	}
	text := fmt.Sprintf("The run went on for %s s after this picture", number(rest))
	if m := run.Outcome.Fault.Mended; m.After(w.To) {
		text += fmt.Sprintf("; what was broken was given back at %s",
			signed(m.Sub(w.Zero).Seconds()))
	}
	if r := run.Recording.Redundant; r.After(w.To) {
		text += fmt.Sprintf("; full redundancy was back at %s", signed(r.Sub(w.Zero).Seconds()))
	}
	return text + "."
}

// at is where a moment lies between the edges: 0 to 1, beyond them less or more.
func (w window) at(t time.Time) float64 {
	return float64(t.Sub(w.From)) / float64(w.To.Sub(w.From))
}

// seconds is a moment relative to the fault.
func (w window) seconds(t time.Time) float64 { return t.Sub(w.Zero).Seconds() }

// bucket is the number of the bar that a moment belongs to.
func (w window) bucket(t time.Time) (int, bool) {
	if t.Before(w.From) || !t.Before(w.To) {
		return 0, false
	}
	return int(t.Sub(w.From) / w.Bucket), true
}

// per says in words what a bar stands for.
func (w window) per() string {
	if w.Bucket < time.Second {
		return fmt.Sprintf("%d ms", w.Bucket.Milliseconds())
	}
	return fmt.Sprintf("%d s", int(w.Bucket.Seconds()))
}

// tick is a mark of the axis.
type tick struct{ X, Label, Anchor string }

// ticks returns round moments, the fault among them.
func (w window) ticks() []tick {
	from, to := w.seconds(w.From), w.seconds(w.To)
	step := 1.0
	for _, step = range []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600} {
		if (to-from)/step <= maxTicks {
			break
		}
	}
	var ticks []tick
	for s := math.Ceil(from/step) * step; s <= to; s += step {
		x := (s - from) / (to - from)
		t := tick{X: percent(x), Label: round(s), Anchor: "middle"}
		if s > 0 {
			t.Label = "+" + t.Label
		}
		switch {
		case x < 0.02:
			t.Anchor = "start"
		case x > 0.98:
			t.Anchor = "end"
		}
		ticks = append(ticks, t)
	}
	return ticks
}

// latest returns the latest of several moments; a zero one never is.
func latest(moments ...time.Time) time.Time {
	var l time.Time
	for _, m := range moments {
		if m.After(l) {
			l = m
		}
	}
	return l
}
