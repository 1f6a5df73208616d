package remotetest

import (
	"testing"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/ssh"
)

// Noise is what a chatty login shell prints.
const Noise = "Welcome to Debian!\n\nYou have mail.\nno newline at the end:"

// Dial connects to a server, which must work; the connection ends with the test.
func Dial(t testing.TB, cfg ssh.Config) *ssh.Conn {
	t.Helper()
	s, err := ssh.Dial(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Dial: %v (hint: %s)", err, remote.Hint(err))
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
