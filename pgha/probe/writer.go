package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrStopped: the writer has ended, so no further row will be acknowledged.
var ErrStopped = errors.New("writer has stopped")

// Writer writes rows until it is stopped. Its methods are safe for concurrent use.
type Writer struct {
	opts     Options
	config   *pgx.ConnConfig
	run      string
	insert   string
	recorder *recorder

	cancel  context.CancelCauseFunc // cuts the statement in flight
	stop    chan struct{}           // closed to end after it
	stopped sync.Once

	// What follows belongs to the goroutine that writes.
	session *session // nil when the next attempt has to open one
	seq     int64
}

// Start makes the table if it is missing, writes a first row, and goes on in the background until
// Stop is called or ctx ends. It returns when the first row is acknowledged, or with the error that
// kept it from that, and then nothing runs. Until then each step has 10 s and nothing is tried
// twice; after it the bounds of Options hold.
//
// It has one session and never more than one statement in flight. What fails is not repeated: the
// next tick brings the next row, over a new session. Ticks that find an attempt still under way are
// counted and let go.
func Start(ctx context.Context, opts Options) (*Writer, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("start writer: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	w := &Writer{opts: o, config: dialConfig(o.Config), run: rand.Text(), cancel: cancel,
		stop: make(chan struct{})}
	w.insert = "INSERT INTO " + o.Table.Sanitize() + " (run, seq) VALUES ($1, $2)"
	if err := w.start(ctx); err != nil {
		cancel(err)
		return nil, fmt.Errorf("start writer: %w", err)
	}
	return w, nil
}

// start does what Start waits for.
func (w *Writer) start(ctx context.Context) (err error) {
	result := Result{Run: w.run, Table: w.opts.Table, Rate: w.opts.Rate}
	if w.recorder, err = newRecorder(w.opts.Log, result, w.cancel); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			w.hangUp()
			err = errors.Join(err, w.recorder.closeLog())
		}
	}()
	if w.session, err = login(ctx, w.config, startBounds); err != nil {
		return err
	}
	err = w.session.exec(ctx, "CREATE TABLE IF NOT EXISTS "+w.opts.Table.Sanitize()+
		" (run text, seq bigint, at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY "+
		"(run, seq))")
	if err != nil {
		return fmt.Errorf("make table %s: %w", w.opts.Table.Sanitize(), err)
	}
	first, err := w.attempt(ctx)
	if err != nil {
		return fmt.Errorf("write the first row: %w", err)
	}
	if err := w.recorder.begin(first); err != nil {
		return err
	}
	w.session.bounds = w.opts.bounds()
	go w.recorder.run()
	go w.loop(ctx, first.Began)
	return nil
}

// Run identifies the rows of this writer in the table.
func (w *Writer) Run() string { return w.run }

// Result returns what has been measured so far. The error says why the log could not be written;
// nothing after that counts.
func (w *Writer) Result() (Result, error) { return w.recorder.snapshot() }

// WaitAcked waits until a row is acknowledged, and logged, whose attempt began after since: the
// cluster then took writes after that moment. It returns ErrStopped when the writer ends before,
// and ctx's error when that ends.
func (w *Writer) WaitAcked(ctx context.Context, since time.Time) error {
	for {
		newest, changed, err := w.recorder.state()
		if newest.After(since) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("wait for an acknowledged row: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for an acknowledged row: %w", ctx.Err())
		case <-changed:
		}
	}
}

// Stop ends the writer after the attempt in flight, which Options bound, and returns what was
// measured. A ctx that ends before cuts that attempt short. The table and its rows stay. Stopping
// again returns the same.
func (w *Writer) Stop(ctx context.Context) (Result, error) {
	w.stopped.Do(func() { close(w.stop) })
	select {
	case <-w.recorder.done:
	case <-ctx.Done():
		w.cancel(ctx.Err())
		<-w.recorder.done
	}
	w.cancel(nil)
	return w.recorder.snapshot()
}

// loop writes a row each tick.
func (w *Writer) loop(ctx context.Context, last time.Time) {
	defer close(w.recorder.in)
	defer w.hangUp()
	tick := interval(w.opts.Rate)
	for due := last.Add(tick); w.await(ctx, due); {
		a, _ := w.attempt(ctx)
		if a.Outcome == Failed && ctx.Err() != nil {
			return // it was cut short by the end of the writer, before it came to anything
		}
		due, a.Skipped = nextTick(due, a.Done, tick)
		w.recorder.in <- a
	}
}

// nextTick returns when the next attempt is due after one that was due and done at these times, and
// how many ticks are let go: all that passed meanwhile but the last one, which is made up for at
// once.
func nextTick(due, done time.Time, tick time.Duration) (next time.Time, skipped int) {
	skipped = max(0, int(done.Sub(due)/tick)-1)
	return due.Add(time.Duration(skipped+1) * tick), skipped
}

// await waits for a tick; false means that there is none any more.
func (w *Writer) await(ctx context.Context, due time.Time) bool {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-w.stop:
		return false
	case <-timer.C:
		return true
	}
}

// attempt tries to write one row, over a new session if there is none. A session that failed is not
// used again, whatever the reason: it may lead to a host that is no longer the primary.
func (w *Writer) attempt(ctx context.Context) (a Attempt, err error) {
	w.seq++
	a = Attempt{Seq: w.seq, Began: time.Now()}
	if w.session == nil {
		if w.session, err = login(ctx, w.config, w.opts.bounds()); err != nil {
			a.settle(err, false)
			return a, err
		}
		a.Connected = time.Now()
	}
	err = w.session.exec(ctx, w.insert, w.run, w.seq)
	a.settle(err, true)
	if err != nil || !w.session.whole() {
		w.session.drop()
		w.session = nil
	}
	return a, err
}

// hangUp ends the session, if there is one.
func (w *Writer) hangUp() {
	if w.session != nil {
		w.session.leave()
		w.session = nil
	}
}
