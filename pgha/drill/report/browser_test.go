package report

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/drill"
)

// TestBrowser opens the report in a real browser. PGHA_SHOTS names a folder for pictures to look
// at.
func TestBrowser(t *testing.T) {
	t.Parallel()
	b := startBrowser(t)
	show := func(t *testing.T, r drill.Result, width int, scheme string) *tab {
		t.Helper()
		file := filepath.Join(t.TempDir(), "report.html")
		if err := Write(file, r); err != nil {
			t.Fatal(err)
		}
		p := b.open(t, "file://"+file, width, 900, scheme)
		p.shoot(strings.ReplaceAll(filepath.Base(t.Name()), "/", "-"))
		t.Cleanup(func() { p.checkQuiet("file://" + file) })
		return p
	}
	t.Run("geometry", func(t *testing.T) {
		testGeometry(t, show(t, drill.Result{Runs: []drill.RunResult{powerRun(1, 18).build()}},
			1200, "light"))
	})
	t.Run("readout", func(t *testing.T) {
		testReadout(t, show(t, drill.Result{Runs: []drill.RunResult{powerRun(1, 18).build()}}, 1200,
			"light"))
	})
	t.Run("light", func(t *testing.T) {
		testScheme(t, show(t, brokenSample(), 1200, "light"), true)
	})
	t.Run("dark", func(t *testing.T) {
		testScheme(t, show(t, brokenSample(), 1200, "dark"), false)
	})
	t.Run("narrow", func(t *testing.T) { testNarrow(t, show(t, brokenSample(), 360, "light")) })
	t.Run("narrow-dark-hostile",
		func(t *testing.T) {
			testNarrow(t, show(t, hostile(strings.Repeat(`long"'><b>`, 20)), 360, "dark"))
		})
	t.Run("print", func(t *testing.T) { testPrint(t, show(t, brokenSample(), 1200, "dark")) })
	t.Run("hostile", func(t *testing.T) {
		testHostile(t,
			show(t,
				hostile(
					`</title></script><script>window.hit=1</script><img src=x onerror="window.hit=2">`),
				1200, "light"))
	})
	t.Run("one", func(t *testing.T) { show(t, sample(1), 1200, "light") })
}

// checkQuiet fails when the page asked the network for anything, or complained.
func (p *tab) checkQuiet(address string) {
	for _, e := range p.seen("Network.requestWillBeSent") {
		var sent struct{ Request struct{ URL string } }
		if err := json.Unmarshal(e.Params, &sent); err != nil {
			p.t.Error(err)
		} else if url := sent.Request.URL; url != address && !strings.HasPrefix(url, "data:") {
			p.t.Errorf("the page asked for %s", url)
		}
	}
	for _, e := range p.seen("Runtime.exceptionThrown", "Runtime.consoleAPICalled",
		"Log.entryAdded") {
		p.t.Errorf("%s: %s", e.Method, e.Params)
	}
}

// testGeometry holds what is on the screen against what is known of the run: times are lengths.
func testGeometry(t *testing.T, p *tab) {
	var got struct {
		From, To, Left, Width     float64
		Gap, Leader, Nobody, Next [2]float64
		Phases                    [][2]float64
		Fault                     float64
		Roles                     map[string][][2]float64
	}
	p.eval(`(() => {
		const plot = document.querySelector(".plot"), cell = plot.querySelector(".cell").getBoundingClientRect();
		const edges = (e) => { const r = e.getBoundingClientRect(); return [r.left, r.right]; };
		const row = (name) => [...plot.querySelectorAll(".row")].find((r) => r.querySelector(".name").textContent === name);
		const bands = (name, rest) => [...row(name).querySelectorAll("rect" + (rest || ""))].map(edges);
		return { From: +plot.dataset.from, To: +plot.dataset.to, Left: cell.left, Width: cell.width,
			Gap: edges(plot.querySelector(".gap-shade")), Fault: plot.querySelector("line.fault").getBoundingClientRect().left,
			Leader: bands("Patroni leader", ".tone0")[0], Nobody: bands("Patroni leader", ".nobody")[0], Next: bands("Patroni leader", ".tone1")[0],
			Phases: bands("No writes"), Roles: { writable: bands("postgres-01", ".writable"), down: bands("postgres-01", ".down"), next: bands("postgres-02", ".writable") } };
	})()`, &got)
	at := func(x float64) float64 { return got.From + (x-got.Left)/got.Width*(got.To-got.From) }
	// A pixel is a few hundredths of a second here; members are asked every tenth.
	check := func(what string, x, seconds, within float64) {
		t.Helper()
		if math.Abs(at(x)-seconds) > within {
			t.Errorf("%s is drawn at %.2f s, want %.2f s", what, at(x), seconds)
		}
	}
	m := powerRun(1, 18)
	check("fault", got.Fault, 0, 0.1)
	check("start of the gap", got.Gap[0], 0, 0.06)
	check("end of the gap", got.Gap[1], m.gap(), 0.06)
	check("leader's end", got.Leader[1], 18, 0.06)
	check("nobody's start", got.Nobody[0], 18, 0.06)
	check("nobody's end", got.Nobody[1], 18.31, 0.06)
	check("next leader's start", got.Next[0], 18.31, 0.06)
	check("old leader's last write", got.Roles["writable"][0][1], 0, 0.16)
	check("old leader's return", got.Roles["down"][0][1], 43, 0.16)
	check("new leader's first write", got.Roles["next"][0][0], m.promoted(), 0.16)
	end := 0.0
	for i, phase := range got.Phases {
		check(fmt.Sprintf("start of phase %d", i), phase[0], end, 0.06)
		end += m.phases[i]
		check(fmt.Sprintf("end of phase %d", i), phase[1], end, 0.06)
	}
	if len(got.Phases) != 5 {
		t.Errorf("%d phases are drawn", len(got.Phases))
	}
}

// testReadout points at moments and reads what is said of them.
func testReadout(t *testing.T, p *tab) {
	var box struct{ From, To, Left, Top, Width float64 }
	p.eval(
		`(() => { const plot = document.querySelector(".plot"), c = plot.querySelector(".cell"); plot.scrollIntoView({behavior: "instant"});
		const r = c.getBoundingClientRect(); return { From: +plot.dataset.from, To: +plot.dataset.to, Left: r.left, Top: r.top + 30, Width: r.width }; })()`, &box)
	for _, tc := range []struct {
		at   float64
		want []string
	}{
		{
			-2,
			[]string{
				"Patroni leaderpostgres-01, until +18.00 s", "postgres-01takes writes, until",
				"Writes2 acknowledged",
			},
		},
		{10, []string{"No writesdetection 18.0 s", "postgres-01down", "postgres-02read only",
			"Writes0 acknowledged"}},
		{25, []string{"Patroni leaderpostgres-02", "postgres-02takes writes",
			"Writes2 acknowledged"}},
	} {
		x := box.Left + (tc.at-box.From)/(box.To-box.From)*box.Width
		p.do("Input.dispatchMouseEvent", map[string]any{"type": "mouseMoved", "x": x,
			"y": box.Top}, nil)
		var text string
		p.eval(`document.querySelector(".readout")?.textContent ?? "nothing"`, &text)
		for _, want := range tc.want {
			if !strings.Contains(text, want) {
				t.Errorf("at %v s the readout does not say %q: %s", tc.at, want, text)
			}
		}
	}
	p.shoot("readout-shown")
	var keyed string
	p.eval(
		`(() => { const plot = document.querySelector(".plot"); plot.dispatchEvent(new PointerEvent("pointerleave", {pointerType: "mouse"}));
		const press = (key) => plot.dispatchEvent(new KeyboardEvent("keydown", {key, cancelable: true}));
		press("ArrowRight"); press("ArrowRight"); const text = plot.querySelector(".readout b").textContent; press("Escape");
		return text + (plot.querySelector(".readout") ? " still there" : ""); })()`, &keyed)
	if keyed != "+0.10 s" {
		t.Errorf("the keyboard leads to %q, want +0.10 s", keyed)
	}
}

// testScheme holds the contrast of all text against WCAG's AA, in the scheme it was opened in.
func testScheme(t *testing.T, p *tab, light bool) {
	var got struct {
		Paper float64
		Poor  []string
	}
	p.eval(contrastScript, &got)
	if (got.Paper > 0.5) != light {
		t.Errorf("the paper's luminance is %.2f", got.Paper)
	}
	for _, poor := range got.Poor {
		t.Error(poor)
	}
	testNarrow(t, p)
}

// contrastScript finds text whose contrast with the nearest background is below 4.5. Text in bands
// is held against the band that it stands in.
const contrastScript = `(() => {
	const rgb = (c) => c.match(/[\d.]+/g).map(Number);
	const lum = (c) => { const [r, g, b] = rgb(c).slice(0, 3).map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const ratio = (a, b) => { const [x, y] = [lum(a), lum(b)].sort((m, n) => n - m); return (x + 0.05) / (y + 0.05); };
	const ground = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor, v = rgb(c); if (v.length < 4 || v[3] > 0) return c; } return "rgb(255,255,255)"; };
	const poor = new Set();
	document.querySelectorAll("details").forEach((d) => { d.open = true; });
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n; (n = walker.nextNode());) {
		const e = n.parentElement;
		if (!n.data.trim() || ["SCRIPT", "STYLE", "title"].includes(e.tagName) || !e.getClientRects().length) continue;
		const style = getComputedStyle(e);
		let colour = style.color, back = ground(e);
		if (e.tagName === "text") {
			colour = style.fill;
			const inside = e.closest(".in"), rect = inside && inside.previousElementSibling;
			if (rect) back = style.stroke !== "none" ? style.stroke : getComputedStyle(rect).fill;
		}
		const r = ratio(colour, back);
		if (r < 4.5) poor.add(e.tagName + "." + (e.getAttribute("class") || e.closest("[class]").getAttribute("class")) + " " + JSON.stringify(n.data.trim().slice(0, 20)) + ": " + colour + " on " + back + " is " + r.toFixed(2));
	}
	return { Paper: lum(getComputedStyle(document.body).backgroundColor), Poor: [...poor] };
})()`

// testNarrow fails when the page has to be scrolled sideways, with everything unfolded.
func testNarrow(t *testing.T, p *tab) {
	var got struct {
		Scroll, Client float64
		Wide           []string
	}
	p.eval(`(() => { document.querySelectorAll("details").forEach((d) => { d.open = true; });
		const e = document.documentElement, wide = [];
		for (const x of document.querySelectorAll("body *")) if (!x.closest(".scroll, pre, svg") && x.getBoundingClientRect().right > e.clientWidth + 1) wide.push(x.tagName + "." + x.className);
		return { Scroll: e.scrollWidth, Client: e.clientWidth, Wide: wide.slice(0, 5) }; })()`,
		&got)
	if got.Scroll > got.Client || len(got.Wide) > 0 {
		t.Errorf("the page is %v pixels wide in a window of %v: %v", got.Scroll, got.Client,
			got.Wide)
	}
}

func testPrint(t *testing.T, p *tab) {
	var pdf struct{ Data string }
	p.do("Page.printToPDF", map[string]any{"preferCSSPageSize": true,
		"printBackground": false}, &pdf)
	data, err := base64.StdEncoding.DecodeString(pdf.Data)
	if err != nil || !bytes.HasPrefix(data, []byte("%PDF-")) || len(data) < 20_000 {
		t.Fatalf("the print has %d bytes, %v", len(data), err)
	}
	if dir := os.Getenv("PGHA_SHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "print.pdf"), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Paper is light, whatever the screen is.
	p.do("Emulation.setEmulatedMedia", map[string]any{
		"media": "print", "features": []map[string]string{{"name": "prefers-color-scheme",
			"value": "dark"}},
	}, nil)
	var got struct {
		Paper float64
		Poor  []string
	}
	p.eval(contrastScript, &got)
	if got.Paper < 0.9 || len(got.Poor) > 0 {
		t.Errorf("the paper's luminance is %.2f, poor contrast: %v", got.Paper, got.Poor)
	}
}

func testHostile(t *testing.T, p *tab) {
	var hit string
	p.eval(`String(window.hit) + document.querySelectorAll("img").length + document.scripts.length`,
		&hit)
	if hit != "undefined01" {
		t.Errorf("data became part of the page: %s", hit)
	}
}

// shoot takes pictures of the whole page, from top to bottom, when there is a folder for them.
func (p *tab) shoot(name string) {
	dir := os.Getenv("PGHA_SHOTS")
	if dir == "" {
		return
	}
	var size struct{ Width, Height int }
	p.eval(`({Width: innerWidth, Height: document.documentElement.scrollHeight})`, &size)
	const slice = 1800
	for i := 0; i*slice < size.Height; i++ {
		clip := map[string]any{
			"x": 0, "y": i * slice, "width": size.Width, "height": min(slice, size.Height-i*slice),
			"scale": 1,
		}
		var shot struct{ Data string }
		p.do("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true,
			"clip": clip}, &shot)
		data, err := base64.StdEncoding.DecodeString(shot.Data)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d.png", name, i+1)), data, 0o600)
		}
		if err != nil {
			p.t.Fatal(err)
		}
	}
}

// TestSize keeps a page of hundreds of runs small.
func TestSize(t *testing.T) {
	t.Parallel()
	var page bytes.Buffer
	began := time.Now()
	if err := HTML(&page, sample(40)); err != nil {
		t.Fatal(err)
	}
	t.Logf("200 runs: %d kB in %s", page.Len()/1000, time.Since(began).Round(time.Millisecond))
	if page.Len() > 3_000_000 {
		t.Errorf("200 runs make a page of %d bytes", page.Len())
	}
	if n := strings.Count(page.String(), `<figure class="timeline">`); n != MaxTimelines {
		t.Errorf("%d timelines are drawn", n)
	}
}
