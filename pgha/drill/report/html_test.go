package report

import (
	"bytes"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/drill"
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func render(t *testing.T, r drill.Result) string {
	t.Helper()
	var out bytes.Buffer
	if err := HTML(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestHeadline(t *testing.T) {
	t.Parallel()
	cut := powerRun(1, 18)
	cut.err = "interrupted"
	for _, tc := range []struct {
		name string
		runs []drill.RunResult
		want string
	}{
		{"none", nil, "Nothing was run"},
		{"kept", sample(1).Runs, "Every promise was kept"},
		{"broken", brokenSample().Runs, "A promise was broken in 1 of 17 runs"},
		{"broken alone", []drill.RunResult{doubleRun(1).build()},
			"A promise was broken in the only run"},
		{
			"unfinished", []drill.RunResult{cut.build(), balancerRun(1).build()},
			"No promise was broken, but 1 of 2 runs could not be finished",
		},
		{
			"empty run", []drill.RunResult{{Error: "no lab"}},
			"No promise was broken, but the only run could not be finished",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			page := render(t, drill.Result{Cluster: "orders", Promise: sample(0).Promise,
				Runs: tc.runs})
			if want := "</svg>" + tc.want + "</h1>"; !strings.Contains(page, want) {
				t.Errorf("the page does not say %q: %s", tc.want,
					regexp.MustCompile(`<title>.*`).FindString(page))
			}
			checkNesting(t, page)
		})
	}
}

// void elements have no end.
var void = map[string]bool{"meta": true, "link": true, "!doctype": true, "img": true, "br": true}

// checkNesting fails when an element is not closed, or another is closed first, or an id is used
// twice.
func checkNesting(t *testing.T, page string) {
	t.Helper()
	page = regexp.MustCompile(`(?s)<(style|script)>.*?</(style|script)>`).ReplaceAllString(page, "")
	var open []string
	for _, m := range regexp.MustCompile(`<(/?)([a-zA-Z0-9!]+)((?:[^>"]|"[^"]*")*?)(/?)>`).FindAllStringSubmatch(
		page, -1) {
		name := strings.ToLower(m[2])
		switch {
		case void[name] || m[4] == "/":
		case m[1] == "":
			open = append(open, name)
		case len(open) == 0 || open[len(open)-1] != name:
			t.Fatalf("</%s> closes %v", name, open)
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("not closed: %v", open)
	}
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if seen[m[1]] {
			t.Errorf("id %s is used twice", m[1])
		}
		seen[m[1]] = true
	}
	for _, m := range regexp.MustCompile(` (?:href="#|aria-labelledby=")([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !seen[m[1]] {
			t.Errorf("nothing has id %s", m[1])
		}
	}
}

func TestHostileNames(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`<script>alert(1)</script>`, `" onload="x()`, `' onload='x()`, `</title><b>`, `</style><b>`,
		`]]><b>`, `{{.}}`, `javascript:x()`,
	} {
		page := render(t, hostile(text))
		checkNesting(t, page)
		if strings.Contains(text, "<") && strings.Contains(page, text) {
			t.Errorf("%s stands in the page as it is", text)
		}
		if n := strings.Count(page, "<script"); n != 1 {
			t.Errorf("%d scripts with %s", n, text)
		}
		if regexp.MustCompile(`<[^>"]*("[^"]*"[^>"]*)* onload=`).MatchString(page) {
			t.Errorf("%s became an attribute", text)
		}
	}
}

// TestNothingFromElsewhere looks for what a browser would load; the browser's own word on it is in
// TestBrowser.
func TestNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	page := render(t, brokenSample())
	for _, m := range regexp.MustCompile(`(?i)(?:\ssrc=|@import|https?://|url\()[^\s>]*`).FindAllString(page, -1) {
		if !strings.HasPrefix(m, "url(#") {
			t.Errorf("the page names %s", m)
		}
	}
	if strings.Contains(page, " style=") {
		t.Error("a style attribute would be refused by the page's own policy")
	}
	if strings.Contains(page, "ZgotmplZ") {
		t.Error("html/template refused a value")
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	late := powerRun(1, 18)
	late.redundant = 400
	long := replicasRun(1)
	long.phases[2], long.old, long.redundant = 1200, 1190, 1300
	for _, tc := range []struct {
		name     string
		run      made
		from, to float64
		bucket   time.Duration
		cut      bool
	}{
		{"switchover", switchoverRun(1, 1), -1.5, 6, 100 * time.Millisecond, true},
		{"power", powerRun(1, 18), -5, 56.3, 100 * time.Millisecond, true},
		{"redundancy much later", late, -5, 45.2, 100 * time.Millisecond, true},
		{"twenty minutes", long, -6, 1306, 2 * time.Second, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := windowOf(tc.run.build())
			from, to := w.seconds(w.From), w.seconds(w.To)
			near := func(a, b float64) bool { return a-b <= w.Bucket.Seconds() && b-a <= w.Bucket.Seconds() }
			if !near(from, tc.from) || !near(to, tc.to) || w.Bucket != tc.bucket || (w.Cut != "") != tc.cut {
				t.Errorf("got %.2f to %.2f in steps of %s, %q", from, to, w.Bucket, w.Cut)
			}
			if w.Bars > maxBars+1 || len(w.ticks()) > maxTicks+1 {
				t.Errorf("%d bars, %d ticks", w.Bars, len(w.ticks()))
			}
		})
	}
	if w := windowOf(late.build()); !strings.Contains(w.Cut, "full redundancy was back at +400.00 s") {
		t.Errorf("what is cut off is not said: %q", w.Cut)
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	r := sample(14)
	r.Runs = append(r.Runs, doubleRun(1).build())
	all := scenariosOf(r)
	drawn, open := choose(all)
	if len(drawn) != MaxTimelines || len(open) != len(all) {
		t.Errorf("%d drawn, %d open of %d scenarios", len(drawn), len(open), len(all))
	}
	if last := len(r.Runs) - 1; !drawn[last] || !open[last] {
		t.Error("the broken run is not drawn and unfolded")
	}
	for _, s := range all {
		longest, shortest := s.indices[0], s.indices[0]
		for _, i := range s.indices {
			if g := r.Runs[i].Outcome.GapSeconds; g > r.Runs[longest].Outcome.GapSeconds {
				longest = i
			} else if g < r.Runs[shortest].Outcome.GapSeconds {
				shortest = i
			}
		}
		if !drawn[longest] || !open[longest] || !drawn[shortest] {
			t.Errorf("%s: the longest run %d or the shortest %d is not drawn", s.Name, longest, shortest)
		}
	}
}

func TestStat(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		values []float64
		want   cell
	}{
		{nil, cell{Main: "–"}},
		{[]float64{2.5}, cell{Main: "2.50"}},
		{[]float64{3, 1, 2}, cell{Main: "2.00", Range: "1.00 – 3.00"}},
		{[]float64{4, 1, 2, 3}, cell{Main: "2.50", Range: "1.00 – 4.00"}},
		{[]float64{2, 2}, cell{Main: "2.00"}},
	} {
		if got := statOf(tc.values).cell(number); got != tc.want {
			t.Errorf("%v: got %v, want %v", tc.values, got, tc.want)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

var errFull = errors.New("disk full")

func TestHTMLError(t *testing.T) {
	t.Parallel()
	if err := HTML(full{}, sample(1)); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
}
