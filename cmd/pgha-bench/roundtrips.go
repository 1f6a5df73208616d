package main

import (
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// tally notes, host by host, when somebody waited for an answer of the host: a command, a file, or
// what was asked through a connection that was opened from the host.
type tally struct {
	mu    sync.Mutex
	waits map[string][]wait
}

// wait is one round trip.
type wait struct {
	asked, answered time.Time
	// inside a connection that was opened from the host: a step of TCP, TLS or HTTP, not a command
	// or a file.
	inside bool
}

// wrap is for ConnectOptions.Wrap.
func (t *tally) wrap(host spec.Host, e remote.Executor) remote.Executor {
	return &tallied{Executor: e, note: func(w wait) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.waits == nil {
			t.waits = map[string][]wait{}
		}
		t.waits[host.Name] = append(t.waits[host.Name], w)
	}}
}

// worst returns the longest chains of round trips, of which each began after the one before it had
// ended, that any host has: of commands and files alone, and of everything, the handshakes of each
// connection included.
func (t *tally) worst() (commands, all int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, waits := range t.waits {
		all = max(all, longestChain(waits))
		outside := slices.DeleteFunc(slices.Clone(waits), func(w wait) bool { return w.inside })
		commands = max(commands, longestChain(outside))
	}
	return commands, all
}

// longestChain takes whatever ends first, again and again: no choice of waits that do not overlap
// has more of them.
func longestChain(waits []wait) int {
	waits = slices.SortedFunc(slices.Values(waits),
		func(a, b wait) int { return a.answered.Compare(b.answered) })
	chain, end := 0, time.Time{}
	for _, w := range waits {
		if !w.asked.Before(end) {
			chain, end = chain+1, w.answered
		}
	}
	return chain
}

// tallied is an Executor that reports every round trip.
type tallied struct {
	remote.Executor
	note func(wait)
}

func (t *tallied) Unwrap() remote.Executor { return t.Executor }

func (t *tallied) since(asked time.Time) { t.note(wait{asked: asked, answered: time.Now()}) }

func (t *tallied) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	defer t.since(time.Now())
	return t.Executor.Run(ctx, cmd)
}

func (t *tallied) Put(ctx context.Context, r io.Reader, meta remote.FileMeta) (bool, error) {
	defer t.since(time.Now())
	return t.Executor.Put(ctx, r, meta)
}

func (t *tallied) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	defer t.since(time.Now())
	return t.Executor.Get(ctx, path)
}

// DialContext counts the opening of the connection, and then every answer on it.
func (t *tallied) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d, ok := remote.As[remote.Dialer](t.Executor)
	if !ok {
		return nil, remote.ErrNoDialer
	}
	asked := time.Now()
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	t.note(wait{asked, time.Now(), true})
	return &talliedConn{Conn: conn, note: t.note}, nil
}

// talliedConn takes the first bytes that come back after something was sent for an answer.
type talliedConn struct {
	net.Conn
	note  func(wait)
	mu    sync.Mutex
	asked time.Time // when the last unanswered question began
}

func (c *talliedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.asked.IsZero() {
		c.asked = time.Now()
	}
	c.mu.Unlock()
	return c.Conn.Write(p)
}

func (c *talliedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	asked := c.asked
	c.asked = time.Time{}
	c.mu.Unlock()
	if n > 0 && !asked.IsZero() {
		c.note(wait{asked, time.Now(), true})
	}
	return n, err
}
