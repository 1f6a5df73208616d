package site

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
)

// reconnectTimeout bounds the look at one connection, and one attempt to reopen it.
const reconnectTimeout = 3 * time.Second

// Reconnect reopens the connections that are dead: those of hosts that were rebooted, or lost their
// power or their network. Connections that work stay. The error names the hosts that cannot be
// reached. Changes nothing on them.
func (c *Site) Reconnect(ctx context.Context) error {
	return remote.Each(ctx, c.Targets(), func(ctx context.Context, t *remote.Target) error {
		look, cancel := context.WithTimeout(ctx, reconnectTimeout)
		defer cancel()
		_, err := t.Run(look, remote.Cmd{Argv: []string{"true"}})
		if err == nil {
			return nil
		}
		if errors.As(err, new(*remote.ExitError)) {
			return err
		}
		dial, cancel := context.WithTimeout(ctx, reconnectTimeout)
		defer cancel()
		if err := Redial(dial, t); err != nil {
			return fmt.Errorf("connect again: %w", err)
		}
		return nil
	})
}

// line is the connection to a host. It stays the same Executor for everybody who holds it, also
// when it had to be dialled again: after a reboot. It never does so by itself, so a host that died
// costs no time-out with each call.
type line struct {
	name string
	open func(context.Context) (remote.Executor, error)

	mu   sync.RWMutex
	live remote.Executor
}

// newLine wraps a connection that open has made.
func newLine(name string, live remote.Executor, open func(context.Context) (remote.Executor, error)) *line {
	return &line{name: name, open: open, live: live}
}

// redial replaces the connection by a new one.
func (l *line) redial(ctx context.Context) error {
	e, err := l.open(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	old := l.live
	l.live = e
	l.mu.Unlock()
	_ = old.Close() // it leads nowhere any more
	return nil
}

// Redial dials a target's host again.
func Redial(ctx context.Context, t *remote.Target) error {
	l, ok := remote.As[*line](t.Executor)
	if !ok {
		return remote.OnHost(t.Name, errors.New("the connection to the host cannot be made again"))
	}
	return l.redial(ctx)
}

// Unwrap implements remote.Unwrapper.
func (l *line) Unwrap() remote.Executor {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.live
}

// Run implements remote.Executor.
func (l *line) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	return l.Unwrap().Run(ctx, cmd)
}

// Put implements remote.Executor.
func (l *line) Put(ctx context.Context, r io.Reader, meta remote.FileMeta) (bool, error) {
	return l.Unwrap().Put(ctx, r, meta)
}

// Get implements remote.Executor.
func (l *line) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	return l.Unwrap().Get(ctx, path)
}

// Close implements remote.Executor.
func (l *line) Close() error { return l.Unwrap().Close() }

// String names the host.
func (l *line) String() string { return l.name }
