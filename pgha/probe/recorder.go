package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

// recorder keeps what the writer hands it. It runs beside the writer, so that a slow disk of this
// machine is not taken for a slow database: rows acknowledged while one write to the log was under
// way share the next one.
type recorder struct {
	in   chan Attempt
	done chan struct{}

	log    *os.File                // nil keeps no log
	failed context.CancelCauseFunc // called when the log cannot be written

	mu      sync.Mutex
	result  Result
	newest  time.Time     // when the newest attempt began whose row is acknowledged and logged
	over    bool          // nothing more will come
	err     error         // why the log ended before
	changed chan struct{} // closed and replaced when any of these changed
}

// newRecorder opens the log. Its run method must be called, and its channel closed.
func newRecorder(log string, result Result, failed context.CancelCauseFunc) (*recorder, error) {
	// The channel holds what comes in while a bad disk takes its time.
	r := &recorder{in: make(chan Attempt, 1024), done: make(chan struct{}),
		changed: make(chan struct{}),
		result:  result, failed: failed}
	if log == "" {
		return r, nil
	}
	var err error
	if r.log, err = os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, fmt.Errorf("open log of acknowledged rows: %w", err)
	}
	return r, nil
}

// begin takes the first row, which the measurement starts with. It comes before run.
func (r *recorder) begin(first Attempt) error {
	batch := []Attempt{first}
	if err := r.write(batch); err != nil {
		return err
	}
	r.result.Started = first.Done
	r.keep(batch, nil)
	return nil
}

// run ends when the channel is closed and all that was in it is kept.
func (r *recorder) run() {
	defer close(r.done)
	for a := range r.in {
		batch := []Attempt{a}
		for range len(r.in) {
			batch = append(batch, <-r.in)
		}
		r.keep(batch, r.write(batch))
	}
	err := r.closeLog()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over, r.err, r.result.Stopped = true, errors.Join(r.err, err), time.Now()
	r.announce()
}

// write puts the acknowledged rows of a batch on disk.
func (r *recorder) write(batch []Attempt) error {
	if r.log == nil {
		return nil
	}
	var lines []byte
	for _, a := range batch {
		if a.Outcome == Acked {
			lines = append(lines, r.result.Run+" "+strconv.FormatInt(a.Seq, 10)+" "+
				strconv.FormatInt(a.Done.UnixNano(), 10)+"\n"...)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	if _, err := r.log.Write(lines); err != nil {
		return fmt.Errorf("write log of acknowledged rows: %w", err)
	}
	if err := r.log.Sync(); err != nil {
		return fmt.Errorf("write log of acknowledged rows: %w", err)
	}
	return nil
}

// keep makes a batch count, or ends the writer. After an error nothing counts any more.
func (r *recorder) keep(batch []Attempt, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return
	}
	if r.err = err; err != nil {
		r.failed(err)
		return
	}
	r.result.Attempts = append(r.result.Attempts, batch...)
	for _, a := range slices.Backward(batch) {
		if a.Outcome == Acked {
			r.newest = a.Began
			break
		}
	}
	r.announce()
}

// announce wakes up those who wait. The caller holds the lock.
func (r *recorder) announce() {
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *recorder) closeLog() error {
	if r.log == nil {
		return nil
	}
	return r.log.Close()
}

// snapshot returns what is known by now.
func (r *recorder) snapshot() (Result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	result := r.result
	result.Attempts = slices.Clone(result.Attempts)
	slices.SortStableFunc(result.Attempts, func(a, b Attempt) int { return a.Done.Compare(b.Done) })
	if !r.over {
		result.Stopped = time.Now()
	}
	return result, r.err
}

// state returns what WaitAcked looks at, and a channel that is closed when it changes. The error
// says that nothing more comes.
func (r *recorder) state() (newest time.Time, changed <-chan struct{}, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.over && r.err != nil:
		err = fmt.Errorf("%w: %w", ErrStopped, r.err)
	case r.over:
		err = ErrStopped
	}
	return r.newest, r.changed, err
}
