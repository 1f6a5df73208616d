package remote

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/oneline"
)

// holding is this side of a lock: the talk with the process on the host that holds it.
type holding struct {
	times lockTimes
	stdin *io.PipeReader // of the process
	say   *io.PipeWriter
	cut   context.CancelFunc // ends the process the hard way

	partial    []byte         // of a line, in Write
	lines      chan string    // that the process has printed
	introduced chan time.Time // when the process was given the note
	ended      chan struct{}  // closed when the process has ended
	err        error          // how; written before ended is closed
	alive      time.Time      // the host has had a sign of life that is not older
}

func newHolding(times lockTimes) *holding {
	h := &holding{times: times, lines: make(chan string, 4), introduced: make(chan time.Time, 1),
		ended: make(chan struct{})}
	h.stdin, h.say = io.Pipe()
	return h
}

// Write takes the output of the process. It never blocks: who does not wait for a line any more
// does not miss it.
func (h *holding) Write(p []byte) (int, error) {
	h.partial = append(h.partial, p...)
	for {
		line, rest, found := bytes.Cut(h.partial, []byte("\n"))
		if !found {
			return len(p), nil
		}
		h.partial = rest
		select {
		case h.lines <- string(line):
		default:
		}
	}
}

// introduce sends the note, which is one line whatever is in it.
func (h *holding) introduce(note string) {
	if _, err := io.WriteString(h.say, oneline.Shorten(note, 500)+"\n"); err == nil {
		h.introduced <- time.Now()
	}
}

// answered waits for the lock: nil if it is ours. A host that takes the command and says nothing is
// not waited for long.
func (h *holding) answered(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(h.times.patience):
		return fmt.Errorf("the host has not answered for %v", h.times.patience)
	case line := <-h.lines:
		return h.understand(line)
	case <-h.ended:
	}
	select {
	case line := <-h.lines: // both were there
		return h.understand(line)
	default:
		return cmp.Or(h.err, errors.New("the process on the host said nothing"))
	}
}

func (h *holding) understand(line string) error {
	word, note, _ := strings.Cut(line, " ")
	switch word {
	case "locked":
		h.alive = <-h.introduced
		return nil
	case "taken":
		if note == "" {
			note = "somebody who has not said so yet"
		}
		return WithHint(fmt.Errorf("%w by %s", ErrLocked, note),
			fmt.Sprintf(
				"wait until it is finished, or end it there; the lock of a process that is gone "+
					"frees itself within %v", h.times.patience))
	}
	return fmt.Errorf("the host answered %q", oneline.Shorten(line, 80))
}

// keep shows the host that this side is there until stop is closed (nil) or the lock is lost.
func (h *holding) keep(stop <-chan struct{}) error {
	for {
		sent := time.Now()
		go func() { _, _ = h.say.Write([]byte("\n")) }() // blocks on a dead link
		select {
		case <-stop:
			return nil
		case <-h.lines:
			h.alive = sent
		case <-h.ended:
			return h.gone()
		case <-time.After(time.Until(h.alive.Add(h.times.silence))):
			return fmt.Errorf("the host has not answered for %v", h.times.silence)
		}
		select {
		case <-stop:
			return nil
		case <-h.ended:
			return h.gone()
		case <-time.After(h.times.beat):
		}
	}
}

func (h *holding) gone() error {
	return fmt.Errorf("the process on the host has ended: %w",
		cmp.Or(h.err, errors.New("it saw the end of its input")))
}

// end frees the lock: the process ends with its input.
func (h *holding) end() error {
	_ = h.say.Close()
	select {
	case <-h.ended:
		return h.err
	case <-time.After(h.times.farewell):
		return fmt.Errorf("the host has not answered for %v", h.times.farewell)
	}
}

// giveUp ends what has not become a lock. A process that was refused is about to end by itself.
func (h *holding) giveUp(ctx context.Context) {
	if ctx.Err() == nil {
		_ = h.end()
	}
	h.cut()
}
