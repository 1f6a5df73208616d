package lb_test

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/lb"
)

// TestDrain: a drained replica gets no new reader and keeps those that it has, until it is
// refilled; a name that HAProxy does not know is no error.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := startStack(t, 11, "pg1", "pg2", "pg3")
	s.databases[0].role.Store("primary")
	until(t, s.WritePort, "pg1")
	var session net.Conn
	for name := ""; name != "pg2"; {
		if session != nil {
			_ = session.Close()
		}
		session, name = connect(s.ReadPort)
	}
	if err := lb.Drain(t.Context(), s.Options, "pg2", "pg9"); err != nil {
		t.Fatal(err)
	}
	// A balancer learns a moment later on its read port than on its write port that pg1 leads.
	alone := 0
	for deadline := time.Now().Add(20 * time.Second); alone < 20; {
		if time.Now().After(deadline) {
			t.Fatal("readers are still sent to the primary")
		}
		c, name := connect(s.ReadPort)
		if c != nil {
			_ = c.Close()
		}
		switch name {
		case "pg2":
			t.Fatal("a reader is sent to the drained replica")
		case "pg3":
			alone++
		default:
			alone = 0
		}
	}
	_ = session.SetDeadline(time.Now().Add(300 * time.Millisecond))
	if _, err := session.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the reader that was there: %v", err)
	}
	_ = session.Close()
	if err := lb.Refill(t.Context(), s.Options, "pg2"); err != nil {
		t.Fatal(err)
	}
	until(t, s.ReadPort, "pg2")
	s.Balancers[0].Executor.(*balancer).socket = "/nowhere"
	if err := lb.Drain(t.Context(), s.Options, "pg2"); err == nil {
		t.Error("a balancer that does not answer has drained a replica")
	}
}
