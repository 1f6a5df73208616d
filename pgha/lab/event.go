package lab

import (
	"sync"
	"time"
)

// Event reports the beginning or the end of one step.
type Event struct {
	Time    time.Time
	Lab     string // name of the lab
	Host    string // empty when the step concerns the whole lab
	Step    string // short and stable: "image", "download", "boot", ...
	Message string // for people: "downloading packages"

	// Done is false at the beginning of the step and true at its end. Then
	// Duration is how long it took and Err why it failed, if it did.
	Done     bool
	Duration time.Duration
	Err      error
}

// progress hands events to the caller's function, one at a time.
type progress struct {
	lab  string
	mu   *sync.Mutex
	sink func(Event)
}

func newProgress(o Options) progress {
	return progress{lab: o.Name, mu: new(sync.Mutex), sink: o.Progress}
}

func (p progress) send(e Event) {
	if p.sink == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	e.Time, e.Lab = time.Now(), p.lab
	p.sink(e)
}

// step runs fn between two events.
func (p progress) step(host, step, message string, fn func() error) error {
	p.send(Event{Host: host, Step: step, Message: message})
	start := time.Now()
	err := fn()
	p.send(Event{Host: host, Step: step, Message: message, Done: true, Duration: time.Since(start),
		Err: err})
	return err
}
