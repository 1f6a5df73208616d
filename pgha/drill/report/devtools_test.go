package report

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"
)

// browser is a headless Chromium, driven by the DevTools protocol over a pair of pipes: no port is
// opened, and it ends when the pipes do.
type browser struct {
	in  *os.File
	out *bufio.Reader

	mu      sync.Mutex
	next    int
	waiting map[int]chan answer
	events  []event
	ended   error
}

type answer struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

// event is something that the browser reported by itself.
type event struct {
	Session string          `json:"sessionId"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
}

// startBrowser starts Chromium for the test, or skips the test where there is none.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		if os.Getenv("PGHA_REQUIRE_BROWSER") != "" {
			t.Fatal("PGHA_REQUIRE_BROWSER is set, and no Chromium is installed")
		}
		t.Skip("no Chromium is installed (apt-get install chromium): the report is not tried in " +
			"a browser")
	}
	theirIn, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	profile := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	cmd := exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu",
		"--disable-quic",
		"--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--hide-scrollbars",
		"--user-data-dir="+profile, "--remote-debugging-pipe")
	var noise bytes.Buffer
	cmd.Stderr = &noise
	cmd.WaitDelay = 5 * time.Second
	cmd.ExtraFiles = []*os.File{theirIn, theirOut} // descriptors 3 and 4
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	theirIn.Close()
	theirOut.Close()
	b := &browser{in: in, out: bufio.NewReader(out), waiting: map[int]chan answer{}}
	read := make(chan struct{})
	go func() { defer close(read); b.read() }()
	t.Cleanup(func() {
		_, _ = b.call("", "Browser.close", nil) // whatever happens, the next lines end it
		in.Close()
		_ = cmd.Wait()
		out.Close()
		<-read
		cancel()
		if t.Failed() {
			t.Logf("Chromium said:\n%s", noise.String())
		}
	})
	return b
}

// read hands each answer to its caller and keeps events, until the browser ends.
func (b *browser) read() {
	for {
		message, err := b.out.ReadBytes(0)
		var m struct {
			ID     int             `json:"id"`
			Result json.RawMessage `json:"result"`
			Error  *struct{ Message string }
			event
		}
		if err == nil {
			err = json.Unmarshal(bytes.TrimSuffix(message, []byte{0}), &m)
		}
		b.mu.Lock()
		switch {
		case err != nil:
			b.ended = fmt.Errorf("the browser ended: %w", err)
			for _, c := range b.waiting {
				close(c)
			}
			b.waiting = map[int]chan answer{}
			b.mu.Unlock()
			return
		case m.ID != 0:
			if c := b.waiting[m.ID]; c != nil {
				delete(b.waiting, m.ID)
				c <- answer{m.Result, m.Error}
			}
		default:
			b.events = append(b.events, m.event)
		}
		b.mu.Unlock()
	}
}

// call calls a method of the protocol in a session, "" being the browser's own.
func (b *browser) call(session, method string, params any) (json.RawMessage, error) {
	c := make(chan answer, 1)
	b.mu.Lock()
	if b.ended != nil {
		b.mu.Unlock()
		return nil, b.ended
	}
	b.next++
	request := map[string]any{"id": b.next, "method": method}
	if session != "" {
		request["sessionId"] = session
	}
	if params != nil {
		request["params"] = params
	}
	b.waiting[b.next] = c
	text, err := json.Marshal(request)
	if err == nil {
		_, err = b.in.Write(append(text, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case a, open := <-c:
		switch {
		case !open:
			return nil, errors.New(method + ": the browser ended")
		case a.Error != nil:
			return nil, fmt.Errorf("%s: %s", method, a.Error.Message)
		}
		return a.Result, nil
	case <-time.After(60 * time.Second):
		return nil, errors.New(method + ": no answer within 60 s")
	}
}

// tab is a page in the browser.
type tab struct {
	*browser
	t       *testing.T
	session string
}

// open opens an address in a window of so many pixels, and waits until the page is loaded.
func (b *browser) open(t *testing.T, address string, width, height int, scheme string) *tab {
	t.Helper()
	p := &tab{browser: b, t: t}
	var target struct{ TargetID string }
	p.do("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	p.do("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true},
		&attached)
	p.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		p.do(domain+".enable", nil, nil)
	}
	p.do("Emulation.setDeviceMetricsOverride", map[string]any{
		"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
	}, nil)
	p.do("Emulation.setEmulatedMedia", map[string]any{
		"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}},
	}, nil)
	p.do("Page.navigate", map[string]any{"url": address}, nil)
	for deadline := time.Now().Add(30 * time.Second); len(
		p.seen("Page.loadEventFired")) == 0; time.Sleep(
		20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the page was not loaded within 30 s")
		}
	}
	t.Cleanup(func() {
		_, _ = b.call("", "Target.closeTarget", map[string]any{"targetId": target.TargetID})
	})
	return p
}

func (p *tab) do(method string, params, into any) {
	p.t.Helper()
	result, err := p.call(p.session, method, params)
	if err == nil && into != nil {
		err = json.Unmarshal(result, into)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// eval evaluates an expression in the page.
func (p *tab) eval(expression string, into any) {
	p.t.Helper()
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	p.do("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &r)
	if e := r.ExceptionDetails; e != nil {
		p.t.Fatalf("%s: %s %s", expression, e.Text, e.Exception.Description)
	}
	if err := json.Unmarshal(r.Result.Value, into); err != nil {
		p.t.Fatalf("%s: %v: %s", expression, err, r.Result.Value)
	}
}

// seen returns the page's events of some kinds.
func (p *tab) seen(methods ...string) []event {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []event
	for _, e := range p.events {
		if e.Session == p.session && slices.Contains(methods, e.Method) {
			all = append(all, e)
		}
	}
	return all
}
