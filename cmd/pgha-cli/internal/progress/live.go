package progress

import (
	"fmt"
	"slices"
	"time"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
)

// Live stands before the observer of an apply of these phases: it puts behind the name of each
// which of all it is, and shows on a terminal what goes on now, below what has happened.
func Live(out *terminal.Terminal, phases []pgha.Phase, show pgha.Observer) pgha.Observer {
	board := New(len(phases))
	show = numbered(show, phases)
	return func(e pgha.Event) {
		running := board.Hear(e)
		if !running {
			out.GoOn(nil)
		}
		show(e)
		if running {
			out.GoOn(func(most int) []string { return board.Lines(time.Now(), most) })
		}
	}
}

// numbered puts behind the name of each phase which of all it is.
func numbered(show pgha.Observer, phases []pgha.Phase) pgha.Observer {
	return func(e pgha.Event) {
		i := slices.IndexFunc(phases, func(p pgha.Phase) bool { return p.Name == e.Phase })
		if e.Kind == pgha.PhaseStarted && i >= 0 {
			e.Phase = fmt.Sprintf("%s (%d of %d)", e.Phase, i+1, len(phases))
		}
		show(e)
	}
}
