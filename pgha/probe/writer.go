package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
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

	cancel  context.CancelCauseFunc // cuts the statements in flight
	stop    chan struct{}           // closed to end after them
	stopped sync.Once

	seq atomic.Int64
}

// worker is one connection of a writer. It belongs to one goroutine at a time.
type worker struct {
	*Writer

	bounds  bounds
	session *session // nil when the next attempt has to open one
}

// Start makes the table if it is missing, writes a first row, and continues in the background until
// Stop is called or ctx ends. It returns when the first row is acknowledged, or with the error that
// kept it from that, and then nothing runs. Until then each step has 10 s and nothing is tried
// twice; after it the bounds of Options hold.
//
// Each connection of Options.Client has one statement in flight at most. What fails is not
// repeated: the next tick brings the next row, over a new session. Ticks that find an attempt still
// under way are counted and let go.
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
	result := Result{Run: w.run, Table: w.opts.Table, Rate: w.opts.Rate, Client: w.opts.Client}
	if w.recorder, err = newRecorder(w.opts.Log, result, w.cancel); err != nil {
		return err
	}
	one := &worker{Writer: w, bounds: startBounds}
	defer func() {
		if err != nil {
			one.hangUp()
			err = errors.Join(err, w.recorder.closeLog())
		}
	}()
	if one.session, err = login(ctx, w.config, startBounds); err != nil {
		return err
	}
	err = one.session.exec(ctx, "CREATE TABLE IF NOT EXISTS "+w.opts.Table.Sanitize()+
		" (run text, seq bigint, at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY "+
		"(run, seq))")
	if err != nil {
		return fmt.Errorf("make table %s: %w", w.opts.Table.Sanitize(), err)
	}
	first, err := one.attempt(ctx)
	if err != nil {
		return fmt.Errorf("write the first row: %w", err)
	}
	if err := w.recorder.begin(first); err != nil {
		return err
	}
	go w.recorder.run()
	go w.write(ctx, one, first.Began)
	return nil
}

// write has every connection write its share of the rows until the writer ends.
func (w *Writer) write(ctx context.Context, one *worker, first time.Time) {
	defer close(w.recorder.in)
	tick, n := interval(w.opts.Rate), w.opts.Client.connections()
	var writing sync.WaitGroup
	for i := range n {
		next := &worker{Writer: w}
		if i == 0 {
			next = one
		}
		next.bounds = w.opts.bounds()
		if next.session != nil {
			next.session.bounds = next.bounds
		}
		due := first.Add(time.Duration(i+1) * tick)
		writing.Go(func() { next.loop(ctx, due, time.Duration(n)*tick) })
	}
	writing.Wait()
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

// Stop ends the writer after the attempts in flight, which Options bound, and returns what was
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

// loop writes a row each tick, the first when it is due.
func (w *worker) loop(ctx context.Context, due time.Time, tick time.Duration) {
	defer w.hangUp()
	for w.await(ctx, due) {
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
func (w *worker) attempt(ctx context.Context) (a Attempt, err error) {
	a = Attempt{Seq: w.seq.Add(1), Began: time.Now()}
	if w.session == nil {
		if w.session, err = login(ctx, w.config, w.bounds); err != nil {
			a.settle(err, false)
			return a, err
		}
		a.Connected = time.Now()
	}
	err = w.session.exec(ctx, w.insert, w.run, a.Seq)
	a.settle(err, true)
	switch {
	case err != nil || !w.session.whole():
		w.session.drop()
		w.session = nil
	case w.opts.Client == ConnectsEachTime:
		w.hangUp()
	}
	return a, err
}

// hangUp ends the session, if there is one.
func (w *worker) hangUp() {
	if w.session != nil {
		w.session.leave()
		w.session = nil
	}
}
