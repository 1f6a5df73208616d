package ssh_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/remotetest"
	"github.com/pgha/toolkit/pgha/remote/ssh"
)

// bound is far more than anything here takes, and far less than for ever.
const bound = 30 * time.Second

// bounded is the test's context, but ends.
func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	t.Cleanup(cancel)
	return ctx
}

// TestOneSession works under a lock on a host whose sshd, or whose configuration, allows one
// session a connection.
func TestOneSession(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ allowed, configured int }{
		"sshd allows one": {1, 0}, "configured": {0, 1}, "both": {1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := remotetest.StartServer(t, remotetest.ServerOptions{
				MaxSessions: tt.allowed, Password: "secret word",
			})
			cfg := server.Config()
			cfg.MaxSessions = tt.configured
			var asked atomic.Int32
			cfg.Password = func(context.Context) (string, error) {
				asked.Add(1)
				return "secret word", nil
			}
			host := remote.Target{Executor: remotetest.Dial(t, cfg)}
			_, unlock, err := host.Lock(bounded(t), filepath.Join(t.TempDir(), "lock"), "me")
			if err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					want := fmt.Sprintf("%d says it", i)
					if res, err := host.Run(bounded(t), remote.Cmd{
						Argv: []string{"cat"}, Stdin: strings.NewReader(want),
					}); err != nil || string(res.Stdout) != want {
						t.Errorf("under the lock: %q, %v", res.Stdout, err)
					}
				})
			}
			all.Wait()
			if n := server.Connections(); n != 2 {
				t.Errorf("%d connections, want one for the lock and one for the rest", n)
			}
			if n := asked.Load(); n != 1 {
				t.Errorf("the password was asked for %d times", n)
			}
			if err := unlock(); err != nil {
				t.Error(err)
			}
			if _, err := host.Output(bounded(t), "true"); err != nil {
				t.Errorf("after the lock: %v", err)
			}
			if err := host.Close(); err != nil {
				t.Error(err)
			}
			for deadline := time.Now().Add(bound); server.Connections() > 0; time.Sleep(
				10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("a connection is left")
				}
			}
		})
	}
}

// TestLongSessionsLeaveRoom has more commands that go on for long than sshd allows sessions, and
// still gets work done.
func TestLongSessionsLeaveRoom(t *testing.T) {
	t.Parallel()
	for allowed := 1; allowed <= 2; allowed++ {
		t.Run(fmt.Sprintf("%d allowed", allowed), func(t *testing.T) {
			t.Parallel()
			server := remotetest.StartServer(t, remotetest.ServerOptions{MaxSessions: allowed})
			host := remote.Target{Executor: remotetest.Dial(t, server.Config())}
			ctx, end := context.WithCancel(bounded(t))
			var long sync.WaitGroup
			defer long.Wait()
			defer end()
			for i := range 3 {
				begun, says := io.Pipe()
				long.Go(func() {
					_, err := host.Executor.(remote.Streamer).Stream(ctx, remote.Cmd{
						Argv: []string{"sh", "-c", "echo begun; exec sleep 60"},
					}, says, io.Discard)
					_ = says.CloseWithError(err)
				})
				if _, err := io.ReadFull(begun, make([]byte, len("begun\n"))); err != nil {
					t.Fatalf("session %d: %v", i, err)
				}
			}
			if got, err := host.Output(bounded(t), "echo", "done"); err != nil ||
				strings.TrimSpace(string(got)) != "done" {
				t.Errorf("beside three sessions that go on: %q, %v", got, err)
			}
			if n := server.Connections(); n > 4 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// TestManySessionsShareAConnection makes sure that there is no second connection without need.
func TestManySessionsShareAConnection(t *testing.T) {
	t.Parallel()
	server := remotetest.StartServer(t, remotetest.ServerOptions{MaxSessions: 2})
	host := remote.Target{Executor: remotetest.Dial(t, server.Config())}
	_, unlock, err := host.Lock(bounded(t), filepath.Join(t.TempDir(), "lock"), "me")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := host.Output(bounded(t), "true"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if err := unlock(); err != nil {
		t.Error(err)
	}
	// a server that is slow to notice the end of a session may look like a narrow one
	if n := server.Accepted(); n > 2 {
		t.Errorf("%d connections", n)
	}
}

// TestDroppedBeforeTheBanner is sshd with MaxStartups reached.
func TestDroppedBeforeTheBanner(t *testing.T) {
	t.Parallel()
	server := remotetest.StartServer(t, remotetest.ServerOptions{DropFirst: 3})
	remotetest.Dial(t, server.Config())
	if n := server.Accepted(); n != 4 {
		t.Errorf("%d attempts, want 4", n)
	}

	stubborn := remotetest.StartServer(t, remotetest.ServerOptions{DropFirst: 1 << 20})
	cfg := stubborn.Config()
	cfg.Timeout = time.Second
	start := time.Now()
	_, err := ssh.Dial(bounded(t), cfg)
	if !errors.Is(err, remote.ErrUnreachable) || !strings.Contains(remote.Hint(err),
		"MaxStartups") ||
		!strings.HasPrefix(err.Error(), "sshd: ") {
		t.Errorf("err = %v (hint %q)", err, remote.Hint(err))
	}
	if n, took := stubborn.Accepted(), time.Since(start); n < 2 || n > 6 || took > bound {
		t.Errorf("%d attempts in %v, want a few within the time-out", n, took)
	}
}

// TestSudoWantsATerminal has requiretty set on the host.
func TestSudoWantsATerminal(t *testing.T) {
	t.Parallel()
	server := remotetest.StartServer(t,
		remotetest.ServerOptions{Answer: func(_ context.Context, line string, _ io.Reader,
			stdout, stderr io.Writer) int {
			mark, _, _ := strings.Cut(strings.TrimPrefix(line, "echo "), " ")
			_, _ = fmt.Fprintf(stdout, "%s 1\n", mark)
			_, _ = io.WriteString(stderr, "sudo: sorry, you must have a tty to run sudo\n")
			return 1
		}})
	cfg := server.Config()
	cfg.User = "admin"
	_, err := remotetest.Dial(t, cfg).Run(bounded(t), remote.Cmd{Argv: []string{"true"}})
	if !errors.Is(err, remote.ErrSudo) || !strings.Contains(err.Error(), "wants a terminal") ||
		!strings.Contains(remote.Hint(err), "requiretty") {
		t.Errorf("err = %v (hint %q)", err, remote.Hint(err))
	}
}

// TestBadLine works over 200 ms with every twentieth packet lost.
func TestBadLine(t *testing.T) {
	t.Parallel()
	server := remotetest.StartServer(t, remotetest.ServerOptions{Latency: 200 * time.Millisecond,
		LoseEvery: 20})
	cfg := server.Config()
	cfg.KeepAlive = 500 * time.Millisecond
	s := remotetest.Dial(t, cfg)
	var all sync.WaitGroup
	content := strings.Repeat("0123456789abcdef", 16<<10)
	for range 4 {
		all.Go(func() {
			res, err := s.Run(bounded(t), remote.Cmd{Argv: []string{"cat"},
				Stdin: strings.NewReader(content)})
			if err != nil || string(res.Stdout) != content {
				t.Errorf("%d bytes came back, %v", len(res.Stdout), err)
			}
		})
	}
	all.Wait()
}
