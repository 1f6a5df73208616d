package terminal

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// waitEvery is how far apart lines about what is waited for are where they can't be renewed: in a
// pipe or a file.
const waitEvery = 10 * time.Second

// waiting shows what is waited for. On a terminal that is one line, renewed in place until
// something else is written; in a pipe it is a line whenever what is missing has changed, at most
// one in ten seconds, and what came in between is not shown unless it lasts. Safe for concurrent
// use.
type waiting struct {
	mu     sync.Mutex
	open   bool   // the terminal's line stands there without an end
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
		fmt.Fprintf(out, "\r\x1b[K%s   %s", stamp(), clip(message, width()-11))
		w.open, w.last = true, message
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

// before writes something else to out: what was waited for is over, and the terminal's line goes.
func (w *waiting) before(out io.Writer, write func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held != nil {
		w.cancel()
		w.held = nil
	}
	w.last = ""
	if w.open {
		fmt.Fprint(out, "\r\x1b[K")
		w.open = false
	}
	write()
}

// clip cuts text to so many columns.
func clip(text string, columns int) string {
	runes := []rune(text)
	if columns < 20 || len(runes) <= columns {
		return text
	}
	return string(runes[:columns-3]) + "..."
}
