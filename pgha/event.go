package pgha

import (
	"log/slog"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
)

// EventKind says what an Event tells.
type EventKind string

// The kinds of events, in the order in which they typically come.
const (
	PhaseStarted  EventKind = "phase_started"
	PhaseFinished EventKind = "phase_finished" // Duration and Err are set
	Changed       EventKind = "changed"        // Change is set
	Progress      EventKind = "progress"       // Message says what is being done or waited for
	Warning       EventKind = "warning"        // Message says what deserves attention though the work goes on
)

// Event is one step of progress. It never holds a secret.
type Event struct {
	Time     time.Time
	Kind     EventKind
	Phase    string
	Host     string
	Message  string
	Change   *remote.Change
	Duration time.Duration
	Err      error
}

// Observer hears of progress. It is called from one goroutine at a time and must not block.
type Observer func(Event)

// emitter serialises events towards an Observer and counts changes.
type emitter struct {
	mu       sync.Mutex
	observer Observer
	log      *slog.Logger
	changes  []remote.Change
	// onChange, when set, is called at every change, before anybody hears of it.
	onChange func()
	// said is the last progress message of each phase: polls say the same again and again.
	said map[string]string
}

func (e *emitter) emit(ev Event) {
	ev.Time = time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if ev.Kind == Progress {
		if e.said == nil {
			e.said = map[string]string{}
		}
		if e.said[ev.Phase] == ev.Message {
			return
		}
		e.said[ev.Phase] = ev.Message
	}
	if ev.Change != nil {
		if e.onChange != nil {
			e.onChange()
		}
		e.changes = append(e.changes, *ev.Change)
	}
	e.log.Debug(string(ev.Kind), "phase", ev.Phase, "host", ev.Host, "message", ev.Message, "change", ev.Change, "duration", ev.Duration, "error", ev.Err)
	if e.observer != nil {
		e.observer(ev)
	}
}

func (e *emitter) changed() []remote.Change {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]remote.Change(nil), e.changes...)
}
