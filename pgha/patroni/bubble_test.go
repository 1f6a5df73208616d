package patroni

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// bubble runs a test beside others, on a clock of its own that begins now and moves only when
// everybody waits: limits pass in no time, and none before what it limits has had its turn, however
// slow the machine is. Whoever is in a bubble is reached in memory, as waiting for a socket would
// hold the clock.
func bubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	t.Parallel()
	now := time.Now()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(now)) // certificates are of today
		test(t)
	})
}

// pipes is a listener in memory, for servers in a bubble. gRPC's bufconn is none for them: beside
// the race detector of Go 1.26.8 its connections ended whole test binaries with SIGSEGV.
type pipes struct {
	accept chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.accept:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	close(p.closed)
	return nil
}

func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// DialContext returns the client's end of a new connection, whose other end Accept returns.
func (p pipes) DialContext(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.accept <- pipeEnd{server}:
		return pipeEnd{client}, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// pipeEnd is one end of a connection. A pipe holds nothing, so the last word of TLS (close_notify)
// would wait for its reader, in http.Server.Close under a lock that stops the bubble's clock: TLS
// alone sets a deadline for writing, just before that word, and here it has passed already.
type pipeEnd struct{ net.Conn }

func (e pipeEnd) SetWriteDeadline(time.Time) error {
	return e.Conn.SetWriteDeadline(time.Unix(1, 0))
}
