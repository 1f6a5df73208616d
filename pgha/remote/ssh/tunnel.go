package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/pgha/toolkit/pgha/remote"
)

// DialContext implements Dialer: it opens a connection from the host to address, as the host's sshd
// sees it. network is tcp, tcp4, tcp6 or unix (the address is then a socket's path on the host).
// The connection supports deadlines. A port on which nothing listens is an error that matches
// syscall.ECONNREFUSED.
func (s *Conn) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	ch, err := s.client.DialContext(ctx, network, address)
	var refused *ssh.OpenChannelError
	switch {
	case errors.As(err, &refused):
		return nil, remote.OnHost(s.name, explainTunnel(address, refused))
	case err != nil:
		return nil, s.failed(fmt.Errorf("dial %s from the host: %w", address, err))
	}
	near, far := net.Pipe()
	go func() {
		_, _ = io.Copy(far, ch)
		_ = far.Close()
		_ = ch.Close()
	}()
	go func() {
		_, _ = io.Copy(ch, far)
		_ = ch.Close()
		_ = far.Close()
	}()
	return &tunnel{Conn: near, local: ch.LocalAddr(), remote: stringAddr(address)}, nil
}

// tunnel is the near end of a pipe whose far end is pumped into an SSH channel: the channel knows
// no deadlines, the pipe does, and database drivers cancel by setting one.
type tunnel struct {
	net.Conn
	local, remote net.Addr
}

func (t *tunnel) LocalAddr() net.Addr  { return t.local }
func (t *tunnel) RemoteAddr() net.Addr { return t.remote }

func explainTunnel(address string, refused *ssh.OpenChannelError) error {
	switch {
	case refused.Reason == ssh.Prohibited:
		return remote.WithHint(fmt.Errorf("dial %s from the host: %w: %w", address,
			remote.ErrForwardingForbidden, refused),
			"set `AllowTcpForwarding yes` in the host's /etc/ssh/sshd_config (a Match block or a "+
				"key's options may forbid it too)")
	case strings.Contains(strings.ToLower(refused.Message), "refused"):
		return fmt.Errorf("dial %s from the host: %w", address, syscall.ECONNREFUSED)
	}
	return fmt.Errorf("dial %s from the host: %w", address, refused)
}
