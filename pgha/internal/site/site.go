package site

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// ErrReadOnly: the cluster was connected for looking only.
var ErrReadOnly = errs.New(errs.Refused, "this connection only looks")

// Writable is an error where the cluster was connected for looking only.
func (c *Site) Writable() error {
	if !c.ReadOnly {
		return nil
	}
	return errs.WithNext(ErrReadOnly, errs.Text("connect without ConnectOptions.ReadOnly to "+
		"change the cluster"))
}

// Options are ConnectOptions of package pgha, which says what each field means.
type Options struct {
	Dial             func(ctx context.Context, network, address string) (net.Conn, error)
	Executor         func(ctx context.Context, host spec.Host) (remote.Executor, error)
	Wrap             func(host spec.Host, e remote.Executor) remote.Executor
	Password         func(ctx context.Context, prompt string) (string, error)
	Lookup           spec.Lookup
	AllowUnreachable bool
	Without          []string
	ReadOnly         bool
	Existing         bool
	Stale            bool
	Timeout          time.Duration
	Logger           *slog.Logger
}

// Site is a spec with live connections to its hosts and the operator's credentials. Its methods are
// safe for concurrent use; Close it when done.
type Site struct {
	// with an IP address in the place of every host's name, except that of a host in Unreachable
	Spec *spec.Spec
	// Unreachable holds, by host name, why a host has no connection.
	Unreachable map[string]error
	// Remembered holds, by host name, why the host's name could not be looked up where
	// AllowUnreachable lets the address of the last Apply stand in for it.
	Remembered map[string]error
	// ReadOnly: nothing may be changed.
	ReadOnly bool
	// TakesOver: the state directory is made for a cluster whose own is lost, so what hosts
	// remember of that one is no reason to refuse.
	TakesOver bool
	// Pulled says that connecting has written the state directory from a copy; nil where it was as
	// new as the cluster's.
	Pulled *Pulled

	unlocated   map[string]error // hosts whose name has no address
	leftOut     []spec.Host      // no work touches them
	open        func(context.Context, spec.Host) (remote.Executor, error)
	Connections map[string]*remote.Target
	Mu          sync.Mutex
	Facts       map[string]preflight.Facts // of the last Preflight
	State       *vault.State
	credentials atomic.Pointer[vault.Credentials]
	Log         *slog.Logger
	Lookup      spec.Lookup
}

// Connect opens a connection to every host at the same time and loads the operator's credentials;
// the commands of the spec that print passwords are run first, and names of hosts are looked up.
// Credentials that do not exist yet, or are due, are made in memory: Apply writes them to the state
// directory before its first change. Connect changes nothing, neither on the hosts nor on this
// machine, but for a state directory that is not there or older than the cluster's: with recipients
// (secrets.age) that is written from the newest copy. A state directory of another cluster is
// refused (ErrRefused) before any host is contacted. Errors of several hosts come together, in the
// spec's order.
func Connect(ctx context.Context, sp *spec.Spec, opts Options) (*Site, error) {
	c := &Site{Spec: sp, Unreachable: map[string]error{}, Remembered: map[string]error{},
		unlocated:   map[string]error{},
		Connections: map[string]*remote.Target{}, Log: opts.Logger, Lookup: opts.Lookup,
		ReadOnly: opts.ReadOnly}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if c.State, err = StateOf(ctx, sp, opts.ReadOnly || opts.Existing); err != nil {
		return nil, err
	}
	if err := c.locate(ctx, opts); err != nil {
		return nil, closeAfter(c, err)
	}
	id, err := c.State.Identity()
	if err == nil {
		err = judgeUse(c, id)
	}
	if err != nil {
		return nil, closeAfter(c, err)
	}
	opts.Dial = dialAt(opts.Dial, sp, c.Spec)
	shared := Shares(c) && !opts.Stale
	if shared {
		if err = c.dial(ctx, opts); err == nil {
			err = refresh(ctx, c)
		}
		if err != nil {
			return nil, closeAfter(c, err)
		}
	}
	cr, err := vault.LoadCredentials(ctx, c.State, c.Spec)
	if err != nil {
		return nil, closeAfter(c, err)
	}
	c.Hold(cr)
	if shared {
		return c, nil
	}
	if err := c.dial(ctx, opts); err != nil {
		return nil, closeAfter(c, err)
	}
	return c, nil
}

// StateOf reads the state directory of a spec, and writes nothing.
func StateOf(ctx context.Context, sp *spec.Spec, readOnly bool) (*vault.State, error) {
	b, err := vault.Box(ctx, sp)
	if err == nil && !readOnly {
		err = vault.PrivateState(sp.StateDir)
	}
	return &vault.State{Dir: sp.StateDir, ReadOnly: readOnly, Box: b}, err
}

// wrapped opens connections as open does, and decorates each.
func wrapped(open func(context.Context, spec.Host) (remote.Executor, error),
	wrap func(spec.Host, remote.Executor) remote.Executor) func(context.Context,
	spec.Host) (remote.Executor, error) {
	return func(ctx context.Context, h spec.Host) (remote.Executor, error) {
		e, err := open(ctx, h)
		if err != nil {
			return nil, err
		}
		return wrap(h, e), nil
	}
}

// dial connects to all hosts at once.
func (c *Site) dial(ctx context.Context, opts Options) error {
	asked := newQuestions(opts.Password, c.Spec.SSH)
	open := opts.Executor
	if open == nil {
		open = func(ctx context.Context, h spec.Host) (remote.Executor, error) {
			return dialHost(ctx, c.Spec, h, opts, asked)
		}
	}
	if opts.ReadOnly {
		open = wrapped(open, func(_ spec.Host, e remote.Executor) remote.Executor {
			return remote.Gate(e, remote.ReadOnly)
		})
	}
	if opts.Wrap != nil {
		open = wrapped(open, opts.Wrap)
	}
	c.open = open
	err := c.connect(ctx, opts.Without, c.Spec.Hosts)
	if len(c.Connections) == 0 {
		return err
	}
	failed := slices.DeleteFunc(errs.Split(err), func(err error) bool {
		return opts.AllowUnreachable || errors.Is(err, remote.ErrLeftOut)
	})
	return errs.Join(failed...)
}

// connect opens a connection to each of these hosts, but for those named in without.
func (c *Site) connect(ctx context.Context, without []string, hosts []spec.Host) error {
	targets := make([]*remote.Target, 0, len(hosts))
	for _, h := range hosts {
		targets = append(targets, &remote.Target{Host: remote.Host{Name: h.Name,
			Address: h.Address}})
	}
	open := c.open
	var mu sync.Mutex
	return remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		h, err := c.Spec.Host(t.Name)
		if err != nil {
			return err
		}
		var e remote.Executor
		switch err = c.unlocated[t.Name]; {
		case slices.Contains(without, h.Name), h.Member != "" &&
			slices.Contains(without, h.Member):
			err = remote.OnHost(h.Name, remote.ErrLeftOut)
		case err == nil:
			e, err = open(ctx, h)
		}
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			c.Unreachable[t.Name] = err
			return err
		}
		t.Executor = newReconnectable(t.Name, e, func(ctx context.Context) (remote.Executor,
			error) {
			return open(ctx, h)
		})
		c.Connections[t.Name] = t
		return nil
	})
}

// Join returns the same site with a specification of more hosts, or of hosts that are reached in
// another way, to which it opens connections, and with credentials for them. leave ends those
// connections; what c has stays. One that cannot be reached is in Unreachable alone.
func (c *Site) Join(ctx context.Context, sp *spec.Spec) (joined *Site, leave func() error,
	err error) {
	cr, err := vault.LoadCredentials(ctx, c.State, sp)
	if err != nil {
		return nil, nil, err
	}
	joined = c.Apart(sp, cr)
	joined.Connections, joined.Unreachable = maps.Clone(c.Connections), maps.Clone(c.Unreachable)
	var more []spec.Host
	for _, h := range sp.Hosts {
		if known, err := c.Spec.Host(h.Name); err != nil || c.Spec.SSHOf(known) != sp.SSHOf(h) {
			more = append(more, h)
			delete(joined.Connections, h.Name)
			delete(joined.Unreachable, h.Name)
		}
	}
	// Why one has no connection is in Unreachable, for who needs it.
	_ = joined.connect(ctx, nil, more)
	return joined, func() error {
		var failed []error
		for _, h := range more {
			if t, ok := joined.Connections[h.Name]; ok {
				failed = append(failed, t.Close())
			}
		}
		return errs.Join(failed...)
	}, ctx.Err()
}

// Close ends all connections. Nothing that was started on the hosts stops by it.
func (c *Site) Close() error {
	err := remote.Each(context.Background(), c.Targets(),
		func(_ context.Context, t *remote.Target) error { return t.Close() })
	if c.State != nil {
		c.State.Close()
	}
	return err
}

func closeAfter(c *Site, err error) error {
	c.Close()
	return err
}

// Target returns the connection to a host, found by its own or its member's name.
func (c *Site) Target(name string) (*remote.Target, error) {
	h, err := c.Spec.Host(name)
	if err != nil {
		return nil, err
	}
	if Among(c.leftOut, h.Name) {
		return nil, remote.OnHost(h.Name, remote.ErrLeftOut)
	}
	if t, ok := c.Connections[h.Name]; ok {
		return t, nil
	}
	if err, ok := c.Unreachable[h.Name]; ok {
		return nil, err
	}
	return nil, remote.OnHost(h.Name, remote.ErrUnreachable)
}

// Targets returns every live connection in the spec's order.
func (c *Site) Targets() []*remote.Target {
	var ts []*remote.Target
	for _, h := range c.Spec.Hosts {
		if t, ok := c.Connections[h.Name]; ok && !Among(c.leftOut, h.Name) {
			ts = append(ts, t)
		}
	}
	return ts
}

// DialFromCluster opens a connection from one of the cluster's hosts: the first that manages. It is
// how the virtual IP is reached from a machine that is not in the cluster's network.
func (c *Site) DialFromCluster(ctx context.Context, network, address string) (net.Conn, error) {
	var last error
	for _, t := range c.Targets() {
		conn, err := t.Dial(ctx, network, address)
		if err == nil {
			return conn, nil
		}
		last = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("connect to %s from a host of the cluster: %w", address, last)
}
