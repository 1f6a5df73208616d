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

// reconnectable is the connection to a host. It stays the same Executor for all who hold it, also
// after the host was dialled again, as after a reboot. It never dials by itself, so a host that
// died costs no time-out with each call.
type reconnectable struct {
	name string
	open func(context.Context) (remote.Executor, error)

	mu   sync.RWMutex
	live remote.Executor
}

// newReconnectable wraps a connection that open has made.
func newReconnectable(name string, live remote.Executor,
	open func(context.Context) (remote.Executor, error)) *reconnectable {
	return &reconnectable{name: name, open: open, live: live}
}

// redial replaces the connection by a new one.
func (c *reconnectable) redial(ctx context.Context) error {
	e, err := c.open(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	old := c.live
	c.live = e
	c.mu.Unlock()
	_ = old.Close() // it leads nowhere any more
	return nil
}

// Redial dials a target's host again.
func Redial(ctx context.Context, t *remote.Target) error {
	c, ok := remote.As[*reconnectable](t.Executor)
	if !ok {
		return remote.OnHost(t.Name, errors.New("the connection to the host cannot be made again"))
	}
	return c.redial(ctx)
}

// Unwrap implements remote.Unwrapper.
func (c *reconnectable) Unwrap() remote.Executor {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.live
}

// Run implements remote.Executor.
func (c *reconnectable) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	return c.Unwrap().Run(ctx, cmd)
}

// Put implements remote.Executor.
func (c *reconnectable) Put(ctx context.Context, r io.Reader, meta remote.FileMeta) (bool, error) {
	return c.Unwrap().Put(ctx, r, meta)
}

// Get implements remote.Executor.
func (c *reconnectable) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	return c.Unwrap().Get(ctx, path)
}

// Close implements remote.Executor.
func (c *reconnectable) Close() error { return c.Unwrap().Close() }

// String names the host.
func (c *reconnectable) String() string { return c.name }
