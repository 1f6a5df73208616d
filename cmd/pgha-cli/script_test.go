package main

import (
	"errors"
	"net"
	"os/exec"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pgha/toolkit/internal/golden"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"pgha-cli": main, "pgha-verb": invented})
}

// TestScripts runs testdata/script, one file for each command. None of them meets a host: sockets
// are opened on the loopback address only, towards the script's own listener.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       golden.Update(),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               listen,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "dialled": dialled, "provision": provision,
		},
	})
}

// exits runs a program that must end with this code: exits 64 pgha-cli aply.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// knocks is the key of the number of connections that a script's listener has seen.
type knocks struct{}

// listen opens a port on the loopback address, names it in $PORT, and closes every connection at
// once: a jump host that leads nowhere.
func listen(env *testscript.Env) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	seen := &atomic.Int32{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			seen.Add(1)
			conn.Close()
		}
	}()
	env.Defer(func() { l.Close(); <-ended })
	_, port, err := net.SplitHostPort(l.Addr().String())
	env.Setenv("PORT", port)
	env.Values[knocks{}] = seen
	return err
}

// dialled fails unless somebody has connected to $PORT; ! dialled fails if somebody has.
func dialled(ts *testscript.TestScript, neg bool, _ []string) {
	if n := ts.Value(knocks{}).(*atomic.Int32).Load(); (n == 0) != neg {
		ts.Fatalf("%d connections were made", n)
	}
}
