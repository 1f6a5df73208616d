package drill

import (
	"bufio"
	"context"
	_ "embed"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/remote"
)

const (
	// holderStale is how long the last word of a balancer that fell silent counts.
	holderStale = 700 * time.Millisecond
	// holderRetry is the pause before a balancer that fell silent is asked again.
	holderRetry = 500 * time.Millisecond
)

// holderScript says five times a second whether the host carries an address. It ends with its
// reader.
//
//go:embed holder.sh
var holderScript string

// holders follows who carries the address.
type holders struct {
	names   []string
	changed func(at time.Time, holders []string)

	mu   sync.Mutex
	runs map[string]holding
	last []string
}

// holding is a time in which a balancer said yes each time.
type holding struct{ first, last time.Time }

func newHolders(names []string, changed func(time.Time, []string)) *holders {
	return &holders{names: names, changed: changed, runs: map[string]holding{}, last: []string{"?"}}
}

// follow listens to one balancer until ctx ends.
func (h *holders) follow(ctx context.Context, t *remote.Target, address string) {
	for ctx.Err() == nil {
		if streamer, ok := remote.As[remote.Streamer](t.Executor); ok {
			h.listen(ctx, streamer, t.Name, address)
		}
		if ctx.Err() == nil {
			h.heard(t.Name, time.Now(), false)
		}
		_ = poll.Pause(ctx, holderRetry)
	}
}

func (h *holders) listen(ctx context.Context, s remote.Streamer, name, address string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silent := time.AfterFunc(holderStale+5*time.Second, cancel) // a first answer may take longer
	defer silent.Stop()
	reader, writer := io.Pipe()
	go func() {
		_, err := s.Stream(ctx, remote.Cmd{Script: holderScript, Argv: []string{address}}, writer,
			io.Discard)
		writer.CloseWithError(err)
	}()
	defer reader.Close()
	for lines := bufio.NewScanner(reader); lines.Scan(); {
		silent.Reset(holderStale)
		h.heard(name, time.Now(), lines.Text() == "yes")
	}
}

// heard takes one answer. Two balancers are said to hold the address at once only if the times for
// which each is known to hold it overlap: they are not asked at the same instant. Otherwise the one
// that took it later has it.
func (h *holders) heard(name string, at time.Time, holds bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !holds {
		delete(h.runs, name)
	} else if run, ok := h.runs[name]; ok {
		h.runs[name] = holding{run.first, at}
	} else {
		h.runs[name] = holding{at, at}
	}
	now := h.holding(at)
	if !slices.Equal(now, h.last) {
		h.last = now
		h.changed(at, now)
	}
}

func (h *holders) holding(now time.Time) []string {
	var latest holding
	for name, run := range h.runs {
		if now.Sub(run.last) > holderStale {
			delete(h.runs, name)
		} else if run.first.After(latest.first) {
			latest = run
		}
	}
	found := []string{}
	for _, name := range h.names {
		if run, ok := h.runs[name]; ok && !run.last.Before(latest.first) {
			found = append(found, name)
		}
	}
	return found
}
