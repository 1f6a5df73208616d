package remote

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
)

// NewReconnecting returns an Executor for the host called name that connects with dial when it is
// first used, and again when its connection has been lost, for example by a reboot. An operation
// that was under way when the connection ended fails with ErrDisconnected: whether it was carried
// out is unknown, so repeating it is the caller's choice (see Retry). A failed dial is not
// remembered; the next operation dials again. dial is never called twice at the same time.
func NewReconnecting(name string, dial func(context.Context) (Executor, error)) *Reconnecting {
	return &Reconnecting{name: name, dial: dial, turn: make(chan struct{}, 1)}
}

// Reconnecting is an Executor that replaces a lost connection. Safe for concurrent use.
type Reconnecting struct {
	name string
	dial func(context.Context) (Executor, error)
	turn chan struct{} // held while dialing

	mu     sync.Mutex
	live   Executor
	closed bool
}

var (
	_ Executor = (*Reconnecting)(nil)
	_ Dialer   = (*Reconnecting)(nil)
	_ Streamer = (*Reconnecting)(nil)
)

// current returns the living connection, or nil.
func (r *Reconnecting) current() (Executor, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, OnHost(r.name, net.ErrClosed)
	}
	if d, ok := r.live.(interface{ Done() <-chan struct{} }); ok {
		select {
		case <-d.Done():
			r.live = nil
		default:
		}
	}
	return r.live, nil
}

// connect returns the living connection, made now if need be.
func (r *Reconnecting) connect(ctx context.Context) (Executor, error) {
	if e, err := r.current(); e != nil || err != nil {
		return e, err
	}
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return nil, OnHost(r.name, ctx.Err())
	}
	if e, err := r.current(); e != nil || err != nil {
		return e, err
	}
	e, err := r.dial(ctx)
	if err != nil {
		return nil, OnHost(r.name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errors.Join(OnHost(r.name, net.ErrClosed), e.Close())
	}
	r.live = e
	return e, nil
}

// forget drops a connection that proved dead.
func (r *Reconnecting) forget(e Executor, err error) {
	if !errors.Is(err, ErrDisconnected) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.live == e {
		r.live = nil
		_ = e.Close()
	}
}

// Run implements Executor.
func (r *Reconnecting) Run(ctx context.Context, cmd Cmd) (Result, error) {
	e, err := r.connect(ctx)
	if err != nil {
		return Result{ExitCode: -1}, err
	}
	res, err := e.Run(ctx, cmd)
	r.forget(e, err)
	return res, err
}

// Stream implements Streamer.
func (r *Reconnecting) Stream(ctx context.Context, cmd Cmd, stdout, stderr io.Writer) (int, error) {
	e, err := r.connect(ctx)
	if err != nil {
		return -1, err
	}
	code, err := StreamVia(ctx, e, cmd, stdout, stderr)
	r.forget(e, err)
	return code, err
}

// Put implements Executor.
func (r *Reconnecting) Put(ctx context.Context, content io.Reader, meta FileMeta) (bool, error) {
	e, err := r.connect(ctx)
	if err != nil {
		return false, err
	}
	changed, err := e.Put(ctx, content, meta)
	r.forget(e, err)
	return changed, err
}

// Get implements Executor.
func (r *Reconnecting) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	e, err := r.connect(ctx)
	if err != nil {
		return nil, err
	}
	content, err := e.Get(ctx, path)
	r.forget(e, err)
	return content, err
}

// DialContext implements Dialer; ErrNoDialer if what dial returned cannot.
func (r *Reconnecting) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	e, err := r.connect(ctx)
	if err != nil {
		return nil, err
	}
	d, ok := As[Dialer](e)
	if !ok {
		return nil, OnHost(r.name, ErrNoDialer)
	}
	conn, err := d.DialContext(ctx, network, address)
	r.forget(e, err)
	return conn, err
}

// Close ends the connection for good.
func (r *Reconnecting) Close() error {
	r.mu.Lock()
	e := r.live
	r.live, r.closed = nil, true
	r.mu.Unlock()
	if e == nil {
		return nil
	}
	return e.Close()
}

// String names the host.
func (r *Reconnecting) String() string { return r.name }
