package remote_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/remotetest"
	"github.com/pgha/toolkit/pgha/remote/ssh"
)

func TestReconnecting(t *testing.T) {
	t.Parallel()
	server := remotetest.StartServer(t, remotetest.ServerOptions{})
	dials := 0
	r := remote.NewReconnecting("db1", func(ctx context.Context) (remote.Executor, error) {
		dials++
		return ssh.Dial(ctx, server.Config())
	})
	e := remote.Retry(r, remote.RetryOptions{Wait: time.Millisecond})
	for range 3 {
		if _, err := e.Run(t.Context(), remote.Cmd{Argv: []string{"true"}}); err != nil {
			t.Fatal(err)
		}
		server.Drop()
	}
	if dials != 3 {
		t.Errorf("%d dials, want one for each connection", dials)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Run(t.Context(), remote.Cmd{Argv: []string{"true"}}); !errors.Is(err,
		net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
