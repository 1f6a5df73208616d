package terminal

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

const (
	// waitEvery is how far apart lines about what is waited for are where they can't be renewed: in
	// a pipe or a file.
	waitEvery = 10 * time.Second
	// renewEvery is how often a terminal is told again what goes on: the seconds in it pass.
	renewEvery = time.Second
)

// waiting shows what is waited for, and on a terminal what goes on. There both are lines below
// everything else, renewed in place: what goes on stays until it is over, what is waited for until
// something else is written. In a pipe it is a line whenever what is missing has changed, at most
// one in ten seconds, and what came in between is not shown unless it lasts. Safe for concurrent
// use.
type waiting struct {
	mu     sync.Mutex
	going  func() []string // what goes on; nil for nothing
	renew  *time.Timer
	drawn  int    // so many lines stand on the terminal, the last without an end
	line   string // what is waited for, as it stands there
	last   string // the message shown last
	at     time.Time
	held   func() // shows what has to wait for its time
	cancel func() bool
}

// show prints what is waited for, stamp before it. width returns the columns of the terminal; nil
// where there is none.
func (w *waiting) show(out io.Writer, width func() int, stamp func() string, message string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if message == w.last {
		w.held = nil
		return
	}
	if width != nil {
		w.last, w.line = message, fmt.Sprintf("%s   %s", stamp(), clip(message, width()-11))
		w.draw(out)
		return
	}
	write := func() {
		fmt.Fprintf(out, "%s   %s\n", stamp(), message)
		w.last, w.at, w.held = message, time.Now(), nil
	}
	rest := waitEvery - time.Since(w.at)
	if w.at.IsZero() || rest <= 0 {
		write()
		return
	}
	if w.held == nil {
		w.cancel = time.AfterFunc(rest, w.flush).Stop
	}
	w.held = write
}

// flush shows what was held back.
func (w *waiting) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held != nil {
		w.held()
	}
}

// goOn shows what goes on from now on; nil ends it.
func (w *waiting) goOn(out io.Writer, going func() []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.going = going
	if going != nil && w.renew == nil {
		w.renew = time.AfterFunc(renewEvery, func() { w.tick(out) })
	}
	w.draw(out)
}

// tick tells again what goes on.
func (w *waiting) tick(out io.Writer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.going == nil {
		w.renew = nil
		return
	}
	w.draw(out)
	w.renew.Reset(renewEvery)
}

// before writes something else to out: what was waited for is over, and the terminal's lines go.
// Where the text ends its line, what goes on is drawn below it.
func (w *waiting) before(out io.Writer, ends bool, write func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held != nil {
		w.cancel()
		w.held = nil
	}
	w.last, w.line = "", ""
	w.erase(out)
	write()
	if ends {
		w.draw(out)
	}
}

// draw renews the lines of the terminal.
func (w *waiting) draw(out io.Writer) {
	var lines []string
	if w.going != nil {
		lines = w.going()
	}
	if w.line != "" {
		lines = append(lines, w.line)
	}
	w.erase(out)
	if w.drawn = len(lines); w.drawn > 0 {
		fmt.Fprint(out, strings.Join(lines, "\n"))
	}
}

// erase takes the lines away.
func (w *waiting) erase(out io.Writer) {
	if w.drawn > 1 {
		fmt.Fprintf(out, "\x1b[%dA", w.drawn-1)
	}
	if w.drawn > 0 {
		fmt.Fprint(out, "\r\x1b[J")
	}
	w.drawn = 0
}

// clip cuts text to so many columns.
func clip(text string, columns int) string {
	runes := []rune(text)
	if columns < 20 || len(runes) <= columns {
		return text
	}
	return string(runes[:columns-3]) + "..."
}
