// Package progress makes of the events of an apply a few lines that say what is going on now.
package progress

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha"
)

// Board is what a run is doing now: the phases that have begun and not ended, and for each of their
// hosts what was changed last. Safe for concurrent use.
type Board struct {
	total int
	mu    sync.Mutex
	done  int
	// running are the phases in the order in which they began.
	running []*phase
}

type phase struct {
	name  string
	since time.Time
	hosts []*host
}

// host is what one phase did on one host.
type host struct {
	name, last string
	changes    int
	at         time.Time
}

// New returns the board of a run that has so many phases.
func New(total int) *Board { return &Board{total: total} }

// Hear notes an event, and tells whether any phase is running.
func (b *Board) Hear(e pgha.Event) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := slices.IndexFunc(b.running, func(p *phase) bool { return p.name == e.Phase })
	switch {
	case e.Kind == pgha.PhaseStarted:
		b.running = append(b.running, &phase{name: e.Phase, since: e.Time})
	case e.Kind == pgha.PhaseFinished && at >= 0:
		b.running = slices.Delete(b.running, at, at+1)
		if e.Err == nil {
			b.done++
		}
	case e.Kind == pgha.Changed && e.Change != nil && at >= 0:
		b.running[at].changed(e)
	}
	return len(b.running) > 0
}

func (p *phase) changed(e pgha.Event) {
	i := slices.IndexFunc(p.hosts, func(h *host) bool { return h.name == e.Host })
	if i < 0 {
		i = len(p.hosts)
		p.hosts = append(p.hosts, &host{name: e.Host})
	}
	h := p.hosts[i]
	h.changes, h.last, h.at = h.changes+1, e.Change.Kind+" "+e.Change.Name, e.Time
}

// Lines says it, at a moment, in no more lines than most, which is at least 2.
func (b *Board) Lines(now time.Time, most int) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var names, lines []string
	width := 0
	for _, p := range b.running {
		names = append(names, fmt.Sprintf("%s %s", p.name, ago(now, p.since)))
		for _, h := range p.hosts {
			width = max(width, len(h.name))
		}
	}
	for _, p := range b.running {
		for _, h := range p.hosts {
			changes := "changes"
			if h.changes == 1 {
				changes = "change"
			}
			lines = append(lines, fmt.Sprintf("  %-*s  %3d %-7s  %s, %s ago", width, h.name, h.changes,
				changes, h.last, ago(now, h.at)))
		}
	}
	head := fmt.Sprintf("%d of %d done; now: %s", b.done, b.total, strings.Join(names, ", "))
	if left := len(lines) - (most - 1); left > 0 {
		lines = append(lines[:most-2], fmt.Sprintf("  and %d more", left+1))
	}
	return append([]string{head}, lines...)
}

// ago is how many seconds something is over.
func ago(now, then time.Time) string {
	return fmt.Sprintf("%.0f s", max(0, now.Sub(then).Seconds()))
}
