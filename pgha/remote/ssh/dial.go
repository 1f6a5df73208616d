package ssh

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/sudo"
)

// errHandshakeTimeout is the cause of the context of a handshake that took too long.
var errHandshakeTimeout = errors.New("no answer in time")

// Dial connects to a host and authenticates. The whole of it is bounded by ctx and by cfg.Timeout,
// also against a server that accepts the connection and then says nothing. ctx does not bound the
// life of the connection.
//
// Errors name the host, carry a Hint and match remote.ErrUnreachable, ErrAuth, ErrHostKeyUnknown or
// ErrHostKeyChanged. Nothing is changed on the host; with cfg.AcceptNew a line may be appended to
// the first known_hosts file here.
func Dial(ctx context.Context, cfg Config) (*Conn, error) {
	cfg = cfg.withDefaults()
	if cfg.Address == "" {
		return nil, errors.New("dial ssh: neither Name nor Address is set")
	}
	var jump *Conn
	if cfg.Jump != nil {
		var err error
		if jump, err = Dial(ctx, *cfg.Jump); err != nil {
			return nil, remote.OnHost(cfg.Name, fmt.Errorf("jump: %w", err))
		}
		cfg.Dial = jump.DialContext
	}
	cfg.askOnce()
	s, err := connect(ctx, cfg)
	if err != nil {
		if jump != nil {
			_ = jump.Close()
		}
		return nil, remote.OnHost(cfg.Name, err)
	}
	s.jump = jump
	s.spare(cfg, mostConnections-1, sessionPatience)
	go s.watch(cfg.KeepAlive)
	return s, nil
}

// connect makes one connection for every family of host keys that the policy allows, until one
// fits: which kind of key a pinned fingerprint belongs to cannot be seen from it.
func connect(ctx context.Context, cfg Config) (*Conn, error) {
	policy, err := newHostKeyPolicy(&cfg)
	if err != nil {
		return nil, err
	}
	var firstErr error
	for _, algorithms := range policy.algorithms() {
		s, err := persist(ctx, &cfg, policy, algorithms)
		if err == nil {
			return s, nil
		}
		var none *ssh.AlgorithmNegotiationError
		if firstErr == nil || errors.As(firstErr, &none) {
			firstErr = err
		}
		if !errors.Is(err, ErrHostKeyChanged) && !errors.As(err, &none) {
			return nil, err
		}
	}
	return nil, firstErr
}

// persist tries again while the server drops the connection before it has said who it is: sshd does
// so with some of those that come while others have not authenticated yet (MaxStartups). The pauses
// double, and differ from connection to connection, so that those that were dropped together do not
// come back together. All of it is bounded by cfg.Timeout.
func persist(ctx context.Context, cfg *Config, policy *hostKeyPolicy,
	algorithms []string) (*Conn, error) {
	deadline := time.Now().Add(cfg.Timeout)
	attempt := *cfg
	for pause := 100 * time.Millisecond; ; pause *= 2 {
		seen := len(policy.seen)
		s, err := handshake(ctx, &attempt, policy, algorithms)
		wait := pause/2 + mathrand.N(pause)
		attempt.Timeout = time.Until(deadline.Add(-wait)).Round(time.Millisecond)
		if !dropped(err) || len(policy.seen) > seen || attempt.Timeout <= 0 {
			return s, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, fmt.Errorf("connect to %s: %w", cfg.hostPort(), ctx.Err())
		}
	}
}

func handshake(ctx context.Context, cfg *Config, policy *hostKeyPolicy,
	algorithms []string) (*Conn, error) {
	bounded, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(cfg.Timeout, func() { cancel(errHandshakeTimeout) })
	defer timer.Stop()
	// While a person is asked for a secret the clock stands still.
	pause := func() (resume func()) {
		timer.Stop()
		return func() { timer.Reset(cfg.Timeout) }
	}
	auth := &authenticator{cfg: cfg, ctx: ctx, pause: pause}
	defer auth.close()
	methods, err := auth.methods()
	if err != nil {
		return nil, err
	}
	conn, err := cfg.Dial(bounded, "tcp", cfg.hostPort())
	if err != nil {
		return nil, explainDial(ctx, cfg, bounded, err)
	}
	stop := context.AfterFunc(bounded, func() { _ = conn.Close() })
	c, chans, reqs, err := ssh.NewClientConn(conn, cfg.hostPort(), &ssh.ClientConfig{
		User:              cfg.User,
		Auth:              methods,
		HostKeyCallback:   policy.check,
		HostKeyAlgorithms: algorithms,
		ClientVersion:     "SSH-2.0-pgha",
	})
	if !stop() && err == nil {
		_ = c.Close()
		err = context.Cause(bounded)
	}
	if err != nil {
		_ = conn.Close()
		return nil, explainHandshake(ctx, cfg, bounded, auth, err)
	}
	return newConn(cfg, conn, ssh.NewClient(c, chans, reqs)), nil
}

func newConn(cfg *Config, conn net.Conn, client *ssh.Client) *Conn {
	s := &Conn{
		name:   cfg.Name,
		client: client,
		conn:   conn,
		slots:  newSlots(cfg.MaxSessions),
		second: &second{turn: make(chan struct{}, 1)},
		mark:   "pgha-" + rand.Text(),
		closed: make(chan struct{}),
	}
	if cfg.User != "root" {
		s.sudo = sudo.NewRoot(cfg.Name, sudo.Options{User: cfg.User, Password: cfg.SudoPassword})
	}
	return s
}
