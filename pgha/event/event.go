package event

import (
	"log/slog"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
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
	// Message says what deserves attention though the work continues
	Warning EventKind = "warning"
)

// Event is one step of progress. It never holds a secret.
type Event struct {
	Time    time.Time
	Kind    EventKind
	Phase   string
	Host    string
	Message string
	// Next is the Message of a warning as data, for programs that show verbs in their own way; zero
	// where Message refers to no verb.
	Next     errs.Next
	Change   *remote.Change
	Duration time.Duration
	Err      error
}

// Observer receives progress events. It is called from one goroutine at a time and must not block.
type Observer func(Event)

// Emitter serialises events towards an Observer and counts changes.
type Emitter struct {
	mu       sync.Mutex
	Observer Observer
	Log      *slog.Logger
	changes  []remote.Change
	// onChange, when set, is called at every change, before anybody else receives it.
	OnChange func()
	// said is the last progress message of each phase: polls say the same again and again.
	said map[string]string
}

// Emit hands an event to the observer and counts its change; repeated progress is dropped.
func (e *Emitter) Emit(ev Event) {
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
		if e.OnChange != nil {
			e.OnChange()
		}
		e.changes = append(e.changes, *ev.Change)
	}
	e.Log.Debug(string(ev.Kind), "phase", ev.Phase, "host", ev.Host, "message", ev.Message,
		"change",
		ev.Change, "duration", ev.Duration, "error", ev.Err)
	if e.Observer != nil {
		e.Observer(ev)
	}
}

// Changed returns the changes so far, in the order in which they happened.
func (e *Emitter) Changed() []remote.Change {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]remote.Change(nil), e.changes...)
}
