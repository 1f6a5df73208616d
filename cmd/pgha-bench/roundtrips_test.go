package main

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/remotetest"
	"github.com/pgha/toolkit/pgha/spec"
)

func TestLongestChain(t *testing.T) {
	t.Parallel()
	at := func(from, to int) wait {
		start := time.Unix(1_800_000_000, 0)
		return wait{
			asked:    start.Add(time.Duration(from) * time.Second),
			answered: start.Add(time.Duration(to) * time.Second),
		}
	}
	for name, tt := range map[string]struct {
		waits []wait
		want  int
	}{
		"none":                     {nil, 0},
		"one":                      {[]wait{at(0, 1)}, 1},
		"one after the other":      {[]wait{at(4, 5), at(0, 1), at(2, 3)}, 3},
		"all at once":              {[]wait{at(0, 3), at(1, 4), at(2, 5)}, 1},
		"a long one beside two":    {[]wait{at(0, 9), at(1, 2), at(3, 4)}, 2},
		"the next at the same end": {[]wait{at(0, 1), at(1, 2)}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := longestChain(tt.waits); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

// TestTallyCountsWhatWasWaitedFor: commands and files are round trips; on a connection that is
// opened from the host its opening is one, and each answer, however many pieces it comes in.
func TestTallyCountsWhatWasWaitedFor(t *testing.T) {
	t.Parallel()
	server := remotetest.StartServer(t, remotetest.ServerOptions{})
	var trips tally
	host := trips.wrap(spec.Host{Name: "h"}, remotetest.Dial(t, server.Config()))
	if _, err := host.Run(t.Context(), remote.Cmd{Argv: []string{"true"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := host.Run(t.Context(), remote.Cmd{Argv: []string{"false"}}); err == nil {
		t.Fatal("false succeeded")
	}
	if _, err := host.Get(t.Context(), "/nowhere"); err == nil {
		t.Fatal("there is a file /nowhere")
	}
	if commands, all := trips.worst(); commands != 3 || all != 3 {
		t.Errorf("%d commands and files, %d in all, want 3 and 3: what fails was waited for, too",
			commands, all)
	}
	dialer, ok := remote.As[remote.Dialer](host)
	if !ok {
		t.Fatal("the host opens no connections any more")
	}
	conn, err := dialer.DialContext(t.Context(), "tcp", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range 2 { // two questions, each sent and answered in two pieces
		for _, piece := range []string{"ab", "cd"} {
			if _, err := io.WriteString(conn, piece); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if _, err := io.ReadFull(conn, make([]byte, 2)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if commands, all := trips.worst(); commands != 3 || all != 3+1+2 {
		t.Errorf("%d commands and files, %d in all, want 3 and 6", commands, all)
	}
	if _, err := dialer.DialContext(t.Context(), "tcp", "127.0.0.1:1"); err == nil {
		t.Error("somebody listens on port 1")
	}
	bare := trips.wrap(spec.Host{Name: "bare"}, remotetest.NewFake(t, "bare"))
	d, _ := remote.As[remote.Dialer](bare)
	if _, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:1"); !errors.Is(err,
		remote.ErrNoDialer) {
		t.Errorf("a host that opens no connections: %v", err)
	}
}

// echo listens on the loopback address and sends back what it gets.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err == nil {
			_, _ = io.Copy(conn, conn)
			conn.Close()
		}
	}()
	return l.Addr().String()
}
