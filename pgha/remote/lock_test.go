package remote_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/remotetest"
)

// lockers are the ways to a host on which a lock can be taken.
func lockers() map[string]func(*testing.T) remote.Executor {
	return map[string]func(*testing.T) remote.Executor{
		"Local": func(*testing.T) remote.Executor { return &remote.Local{} },
		"SSH": func(t *testing.T) remote.Executor {
			return remotetest.Dial(t,
				remotetest.StartServer(t,
					remotetest.ServerOptions{Noise: remotetest.Noise}).Config())
		},
		"SSHWithSudo": func(t *testing.T) remote.Executor {
			cfg := remotetest.StartServer(t, remotetest.ServerOptions{
				Env: remotetest.FakeSudo(t, "correct horse"),
			}).Config()
			cfg.User = "admin"
			cfg.SudoPassword = func(context.Context) (string, error) { return "correct horse", nil }
			return remotetest.Dial(t, cfg)
		},
		"Decorated": func(t *testing.T) remote.Executor {
			e := remote.Executor(remote.NewReconnecting("host",
				func(context.Context) (remote.Executor, error) {
					return &remote.Local{Name: "host"}, nil
				}))
			e = remote.Retry(remote.Limit(e, 4), remote.RetryOptions{})
			return remote.Audit(e, func(remote.Cmd, remote.Result, error) {})
		},
	}
}

func target(e remote.Executor) *remote.Target {
	return &remote.Target{Host: remote.Host{Name: e.String()}, Executor: e}
}

func TestLock(t *testing.T) {
	t.Parallel()
	for name, newExec := range lockers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := target(newExec(t))
			file := filepath.Join(t.TempDir(), "none yet", "lock")
			// A note is text, whatever a shell would make of it.
			note := "anna@desk $(touch " + file + ".x) `id` '\" \\n %s\nfor apply"
			held, unlock, err := host.QuickLock(t.Context(), file, note)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = host.QuickLock(t.Context(), file, "bert")
			want := "locked by " + strings.ReplaceAll(note, "\n", " ")
			if !errors.Is(err, remote.ErrLocked) || !strings.HasSuffix(err.Error(), want) ||
				!strings.Contains(remote.Hint(err), "2s") {
				t.Errorf("second locker: %v (hint %q), want %s", err, remote.Hint(err), want)
			}
			if !strings.HasPrefix(err.Error(), host.Name+": ") {
				t.Errorf("the error does not name the host: %v", err)
			}
			select {
			case <-held.Done():
				t.Fatalf("lost although the holder lives: %v", context.Cause(held))
			case <-time.After(2500 * time.Millisecond): // longer than each of the patiences
			}
			for range 2 {
				if err := unlock(); err != nil {
					t.Errorf("unlock: %v", err)
				}
			}
			if held.Err() == nil || errors.Is(context.Cause(held), remote.ErrLockLost) {
				t.Errorf("after unlock: %v", context.Cause(held))
			}
			entries, err := os.ReadDir(filepath.Dir(file))
			if content, _ := os.ReadFile(file); err != nil || len(entries) != 1 ||
				len(content) != 0 {
				t.Errorf("left over: %v, %q, %v", entries, content, err)
			}
			_, unlock, err = host.QuickLock(t.Context(), file, "bert")
			if err != nil {
				t.Fatalf("after unlock: %v", err)
			}
			if err := unlock(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLockIsTakenOnce(t *testing.T) {
	t.Parallel()
	host, file := target(&remote.Local{}), filepath.Join(t.TempDir(), "lock")
	var all sync.WaitGroup
	var mu sync.Mutex
	var won []func() error
	for range 6 {
		all.Go(func() {
			_, unlock, err := host.Lock(t.Context(), file, "the one")
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won = append(won, unlock)
			case !errors.Is(err, remote.ErrLocked) || !strings.Contains(err.Error(), "by the one"):
				t.Errorf("refused with %v", err)
			}
		})
	}
	all.Wait()
	if len(won) != 1 {
		t.Errorf("%d have the lock", len(won))
	}
	for _, unlock := range won {
		if err := unlock(); err != nil {
			t.Error(err)
		}
	}
}

// awaitLoss waits until held ends, which has to be because the lock is lost.
func awaitLoss(t *testing.T, held context.Context, says string) {
	t.Helper()
	select {
	case <-held.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the loss went unnoticed")
	}
	if cause := context.Cause(held); !errors.Is(cause, remote.ErrLockLost) ||
		!strings.Contains(cause.Error(), says) {
		t.Errorf("cause %v, want the loss that says %q", cause, says)
	}
}

// awaitLock takes the lock as soon as it is free.
func awaitLock(t *testing.T, host *remote.Target, file string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		_, unlock, err := host.QuickLock(t.Context(), file, "next")
		if err == nil {
			if err := unlock(); err != nil {
				t.Error(err)
			}
			return
		}
		if !errors.Is(err, remote.ErrLocked) || time.Now().After(end) {
			t.Fatalf("the lock is not free: %v", err)
		}
	}
}

func TestLockIsLostWithTheConnection(t *testing.T) {
	t.Parallel()
	server := remotetest.StartServer(t, remotetest.ServerOptions{})
	host, file := target(remotetest.Dial(t, server.Config())), filepath.Join(t.TempDir(), "lock")
	held, unlock, err := host.QuickLock(t.Context(), file, "cut off")
	if err != nil {
		t.Fatal(err)
	}
	server.Drop()
	awaitLoss(t, held, "connection lost")
	awaitLock(t, target(&remote.Local{}), file)
	for range 2 {
		if err := unlock(); !errors.Is(err, remote.ErrLockLost) ||
			!errors.Is(err, remote.ErrDisconnected) {
			t.Errorf("unlock: %v", err)
		}
	}
}

// numb is an Executor whose lock process can be cut, or kept from being heard.
type numb struct {
	*remote.Local
	cut  chan struct{}
	deaf chan struct{} // once closed nothing comes in or goes out
}

func (n *numb) Stream(ctx context.Context, cmd remote.Cmd, stdout, stderr io.Writer) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-n.cut:
			cancel()
		case <-ctx.Done():
		}
	}()
	cmd.Stdin = &deafReader{cmd.Stdin, n.deaf, ctx}
	return n.Local.Stream(ctx, cmd, stdout, stderr)
}

type deafReader struct {
	io.Reader
	deaf chan struct{}
	ctx  context.Context
}

func (d *deafReader) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p)
	select {
	case <-d.deaf:
		<-d.ctx.Done()
		return 0, d.ctx.Err()
	default:
		return n, err
	}
}

func TestLockIsLost(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		harm func(t *testing.T, n *numb, file string)
		says string
	}{
		"process killed": {func(_ *testing.T, n *numb, _ string) { close(n.cut) },
			"the process on the host has ended"},
		"link dead": {func(_ *testing.T, n *numb, _ string) { close(n.deaf) },
			"the host has not answered for 1s"},
		"file removed": {func(t *testing.T, _ *numb, file string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}, "somebody has removed " + "/"},
		"file replaced": {func(t *testing.T, _ *numb, file string) {
			if err := os.WriteFile(file+".new", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(file+".new", file); err != nil {
				t.Fatal(err)
			}
		}, "somebody has removed "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := &numb{&remote.Local{}, make(chan struct{}), make(chan struct{})}
			file := filepath.Join(t.TempDir(), "lock")
			held, unlock, err := target(n).QuickLock(t.Context(), file, "me")
			if err != nil {
				t.Fatal(err)
			}
			tt.harm(t, n, file)
			awaitLoss(t, held, tt.says)
			awaitLock(t, target(&remote.Local{}), file)
			if err := unlock(); !errors.Is(err, remote.ErrLockLost) {
				t.Errorf("unlock: %v", err)
			}
		})
	}
}

// lockProcess runs what runs on the host, with an input that nobody closes, and waits until it has
// the lock.
func lockProcess(t *testing.T, file, patience string) (process *exec.Cmd, stdin, stdout *os.File) {
	t.Helper()
	script, err := os.ReadFile("lock.sh")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "sh", "-c", string(script), "lock", file, patience)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	// Pipes of our own: Wait closes those of exec, which would end the input.
	in, stdin := pipe(t)
	stdout, out := pipe(t)
	cmd.Stdin, cmd.Stdout = in, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = in.Close(), out.Close()
	if _, err := io.WriteString(stdin, "somebody\n"); err != nil {
		t.Fatal(err)
	}
	word := make([]byte, len("locked\n"))
	if _, err := io.ReadFull(stdout, word); err != nil || string(word) != "locked\n" {
		t.Fatalf("it said %q, %v", word, err)
	}
	return cmd, stdin, stdout
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r, w
}

// TestLockOfSilentHolder is about a machine that has lost its power: sshd does not notice that.
func TestLockOfSilentHolder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "lock")
	process, stdin, stdout := lockProcess(t, file, "1")
	if _, err := io.WriteString(stdin, "\n"); err != nil {
		t.Fatal(err)
	}
	out, _ := io.ReadAll(stdout)
	var exited *exec.ExitError
	if err := process.Wait(); !errors.As(err, &exited) || exited.ExitCode() != 1 ||
		string(out) != "held\n" {
		t.Errorf("it said %q and ended with %v", out, err)
	}
	awaitLock(t, target(&remote.Local{}), file)
}

// TestLockOfKilledProcess kills the process alone: what it waits with must not keep the lock.
func TestLockOfKilledProcess(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "lock")
	process, _, _ := lockProcess(t, file, "9")
	children := fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", process.Process.Pid)
	for list, end := []byte(nil),
		time.Now().Add(5*time.Second); len(list) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it waits with no child")
		}
		var err error
		if list, err = os.ReadFile(children); err != nil {
			t.Skipf("the kernel does not tell a process's children: %v", err)
		}
	}
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = process.Wait()
	_, unlock, err := target(&remote.Local{}).QuickLock(t.Context(), file, "next")
	if err != nil {
		t.Fatal(err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

// TestLockWaitsForTheHoldersName: who has just taken the lock may not have said yet who it is.
func TestLockWaitsForTheHoldersName(t *testing.T) {
	t.Parallel()
	file, err := os.OpenFile(filepath.Join(t.TempDir(), "lock"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	time.AfterFunc(200*time.Millisecond, func() {
		_, err := file.WriteString("a slow one\n")
		written <- err
	})
	_, _, err = target(&remote.Local{}).QuickLock(t.Context(), file.Name(), "me")
	if !errors.Is(err, remote.ErrLocked) || !strings.HasSuffix(err.Error(),
		"locked by a slow one") {
		t.Errorf("refused with %v", err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

func TestLockOutlivesContext(t *testing.T) {
	t.Parallel()
	host, file := target(&remote.Local{}), filepath.Join(t.TempDir(), "lock")
	ctx, cancel := context.WithCancel(t.Context())
	held, unlock, err := host.QuickLock(ctx, file, "me")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-held.Done()
	if _, _, err := host.QuickLock(t.Context(), file, "other"); !errors.Is(err, remote.ErrLocked) {
		t.Errorf("while the first puts things in order: %v", err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
	if _, _, err := host.QuickLock(ctx, file, "late"); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is over: %v", err)
	}
	awaitLock(t, host, file)
}

func TestLockRefusals(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "lock")
	planned := target(remote.Plan(&remote.Local{}))
	held, unlock, err := planned.Lock(t.Context(), file, "plan")
	if err != nil || held.Err() != nil || unlock() != nil {
		t.Errorf("planning: %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("planning has made a file")
	}
	local := target(&remote.Local{})
	if _, _, err := target(remotetest.NewFake(t, "fake")).Lock(t.Context(), file,
		""); !errors.Is(err,
		remote.ErrNoStreamer) {
		t.Errorf("without a Streamer: %v", err)
	}
	if _, _, err := local.Lock(t.Context(), "lock", ""); err == nil {
		t.Error("a relative path was taken")
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := local.Lock(t.Context(), file+"/lock", ""); err == nil ||
		errors.Is(err, remote.ErrLocked) ||
		!strings.Contains(err.Error(), "mkdir") {
		t.Errorf("below a file: %v", err)
	}
	vetoed := target(remote.Gate(&remote.Local{}, remote.ReadOnly))
	if _, _, err := vetoed.Lock(t.Context(), file, ""); !errors.Is(err, remote.ErrVetoed) {
		t.Errorf("read-only: %v", err)
	}
}

// TestLockOnAHostThatHangs takes the command and then says nothing, while its sshd is well.
func TestLockOnAHostThatHangs(t *testing.T) {
	t.Parallel()
	server := remotetest.StartServer(t,
		remotetest.ServerOptions{Answer: func(ctx context.Context, _ string, _ io.Reader, _,
			_ io.Writer) int {
			<-ctx.Done()
			return 0
		}})
	_, _, err := target(remotetest.Dial(t, server.Config())).QuickLock(t.Context(), "/run/x", "me")
	if err == nil || !strings.Contains(err.Error(), "sshd: ") ||
		!strings.Contains(err.Error(), "has not answered") {
		t.Errorf("err = %v", err)
	}
}
