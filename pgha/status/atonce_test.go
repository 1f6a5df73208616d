package status_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/status"
)

// patient is a host on which a connection to Patroni waits until so many are wanted at once.
type patient struct {
	deaf
	port   string
	wanted *atomic.Int32 // how many are still to come
	all    chan struct{}
}

func (p patient) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	if !strings.HasSuffix(address, p.port) {
		return nil, remote.OnHost(p.name, remote.ErrUnreachable)
	}
	if p.wanted.Add(-1) == 0 {
		close(p.all)
	}
	select {
	case <-p.all:
	case <-ctx.Done():
	}
	return nil, remote.OnHost(p.name, remote.ErrUnreachable)
}

// TestPatroniIsAskedAtOnce: every member what it sees and whether it does its work, none after
// another.
func TestPatroniIsAskedAtOnce(t *testing.T) {
	t.Parallel()
	c := deafHosts(t, nil)
	p := patient{port: ":8008", wanted: &atomic.Int32{}, all: make(chan struct{})}
	p.wanted.Store(3 * 2)
	for _, h := range c.Spec.Databases() {
		p.deaf = deaf{name: h.Name}
		c.Connections[h.Name].Executor = p
	}
	s, err := status.Look(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	// Whoever waits without success is given up after a while.
	if said := s.Errors["patroni"]; !strings.Contains(said, remote.ErrUnreachable.Error()) ||
		strings.Contains(said, context.DeadlineExceeded.Error()) {
		t.Errorf("a question waits for the answer to another: %s", said)
	}
}
