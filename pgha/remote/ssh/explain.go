package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/pgha/toolkit/pgha/remote"
)

// explainDial tells why the TCP connection could not be had.
func explainDial(ctx context.Context, cfg *Config, bounded context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("connect to %s: %w", cfg.hostPort(), ctx.Err())
	}
	at := cfg.hostPort()
	var dns *net.DNSError
	var hint string
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		hint = "the host is up but nothing listens there: is sshd running, and is the port right?"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		hint = "no way leads to the address: is it right, is the host up, is a VPN or a route " +
			"missing?"
	case errors.As(err, &dns):
		hint = "the name does not resolve: check it, or give the IP address; aliases of " +
			"~/.ssh/config are not read"
	case errors.Is(context.Cause(bounded), errHandshakeTimeout), isTimeout(err):
		err = fmt.Errorf("no answer within %v", cfg.Timeout)
		hint = "packets to the address are lost: is the host up, does a firewall drop port " +
			fmt.Sprint(cfg.Port) + "?"
	}
	return remote.WithHint(fmt.Errorf("%w: connect to %s: %w", remote.ErrUnreachable, at,
		err), hint)
}

// explainHandshake tells why the connection did not become an authenticated one.
func explainHandshake(ctx context.Context, cfg *Config, bounded context.Context,
	auth *authenticator, err error) error {
	at := cfg.hostPort()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("handshake with %s: %w", at, ctx.Err())
	case errors.Is(context.Cause(bounded), errHandshakeTimeout):
		return remote.WithHint(fmt.Errorf("%w: %s accepts connections but did not finish the "+
			"handshake within %v",
			remote.ErrUnreachable, at, cfg.Timeout),
			"something holds the port without being a healthy sshd: see the load on the host, or "+
				"what listens there (`ss -ltnp`)")
	case errors.Is(err, ErrHostKeyChanged), errors.Is(err, ErrHostKeyUnknown):
		return err
	case strings.Contains(err.Error(), "unable to authenticate"), strings.Contains(err.Error(),
		"Too many authentication failures"):
		return remote.WithHint(fmt.Errorf("%w: user %s, tried %s", ErrAuth, cfg.User, auth),
			fmt.Sprintf(
				"put one of these keys into the authorized_keys of %s on %s, or name another "+
					"key; sshd's reason stands in `journalctl -u ssh` there", cfg.User, cfg.Name))
	case dropped(err):
		return remote.WithHint(fmt.Errorf("%w: %s closed the connection during the handshake: %w",
			remote.ErrUnreachable, at, err),
			"sshd may be starting, limiting new connections (MaxStartups, PerSourcePenalties) or "+
				"refusing this address; see `journalctl -u ssh` on the host")
	}
	return fmt.Errorf("%w: handshake with %s: %w", remote.ErrUnreachable, at, err)
}

// dropped reports that the server ended the connection without a word.
func dropped(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
