package ssh

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/pgha/toolkit/internal/oneline"
)

// output passes on what a command prints, from the mark on if there is one, until it is cut.
type output struct {
	mu      sync.Mutex
	w       io.Writer
	mark    string // "" once it was seen
	before  []byte // what came before it
	group   string // process group of the command, which the line of the mark tells
	stopped bool
}

// maxNoise is how much a login shell may print before the command's own output.
const maxNoise = 1 << 20

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stopped {
		return len(p), nil
	}
	if o.mark == "" {
		return o.w.Write(p)
	}
	o.before = append(o.before, p...)
	noise, after, _ := bytes.Cut(o.before, []byte(o.mark+" "))
	group, rest, found := bytes.Cut(after, []byte("\n"))
	switch {
	case found:
		o.before, o.mark, o.group = noise, "", string(group)
		if len(rest) > 0 {
			if _, err := o.w.Write(rest); err != nil {
				return 0, err
			}
		}
	case len(o.before) > maxNoise:
		return 0, errors.New("the login shell prints without end")
	}
	return len(p), nil
}

// cut makes sure that nothing is written to w any more.
func (o *output) cut() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stopped = true
}

func (o *output) started() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mark == ""
}

func (o *output) noise() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return oneline.Tail(string(o.before), 3)
}

func (o *output) processGroup() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.group
}
