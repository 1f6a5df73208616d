package remote_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/remotetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noise is what a chatty login shell prints.
const noise = "Welcome to Debian!\n\nYou have mail.\nno newline at the end:"

func dial(t *testing.T, cfg remote.SSHConfig) *remote.SSH {
	t.Helper()
	s, err := remote.DialSSH(t.Context(), cfg)
	if err != nil {
		t.Fatalf("DialSSH: %v (hint: %s)", err, remote.Hint(err))
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	executors := map[string]func(t *testing.T) remote.Executor{
		"Local": func(*testing.T) remote.Executor { return &remote.Local{} },
		"SSH": func(t *testing.T) remote.Executor {
			return dial(t, remotetest.StartServer(t, remotetest.ServerOptions{}).Config())
		},
		"NoisySSH": func(t *testing.T) remote.Executor {
			return dial(t, remotetest.StartServer(t, remotetest.ServerOptions{Noise: noise}).Config())
		},
		"NarrowSlowSSH": func(t *testing.T) remote.Executor {
			return dial(t, remotetest.StartServer(t, remotetest.ServerOptions{MaxSessions: 2, Latency: time.Millisecond}).Config())
		},
		"SSHWithSudo": func(t *testing.T) remote.Executor {
			cfg := remotetest.StartServer(t, remotetest.ServerOptions{Env: fakeSudo(t, "")}).Config()
			cfg.User = "admin"
			return dial(t, cfg)
		},
		"SSHWithSudoPassword": func(t *testing.T) remote.Executor {
			cfg := remotetest.StartServer(t, remotetest.ServerOptions{Env: fakeSudo(t, "correct horse"), Noise: noise}).Config()
			cfg.User = "admin"
			cfg.SudoPassword = func(context.Context) (string, error) { return "correct horse", nil }
			return dial(t, cfg)
		},
		"Become": func(t *testing.T) remote.Executor {
			return remote.Become(withEnv{&remote.Local{}, fakeSudo(t, "")}, remote.BecomeOptions{})
		},
		"Decorated": func(*testing.T) remote.Executor {
			e := remote.Executor(remote.NewReconnecting("host", func(context.Context) (remote.Executor, error) {
				return &remote.Local{Name: "host"}, nil
			}))
			e = remote.Retry(remote.Limit(e, 4), remote.RetryOptions{})
			e = remote.Gate(e, func(remote.Cmd) error { return nil })
			return remote.Audit(e, func(remote.Cmd, remote.Result, error) {})
		},
	}
	for name, newExec := range executors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			remotetest.TestExecutor(t, newExec)
		})
	}
}

// fakeSudo is a PATH with a sudo in it that behaves like the real one as far as Become can see.
func fakeSudo(t *testing.T, password string) []string {
	t.Helper()
	dir := t.TempDir()
	const script = `#!/bin/sh
ask=no
while :; do
	case $1 in
	-S) ask=yes; shift ;;
	-n | -k) shift ;;
	-p) shift 2 ;;
	--) shift; break ;;
	*) echo "sudo: unknown option $1" >&2; exit 1 ;;
	esac
done
want=$(cat "${0%/*}/password")
if [ -n "$want" ]; then
	[ $ask = yes ] || { echo 'sudo: a password is required' >&2; exit 1; }
	IFS= read -r given
	[ "$given" = "$want" ] || { echo 'Sorry, try again.' >&2; echo 'sudo: no password was provided' >&2; echo 'sudo: 1 incorrect password attempt' >&2; exit 1; }
fi
exec "$@"
`
	for name, content := range map[string]string{"sudo": script, "password": password} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
}

// withEnv adds variables to every command.
type withEnv struct {
	*remote.Local
	env []string
}

func (w withEnv) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	cmd.Env = append(w.env, cmd.Env...)
	return w.Local.Run(ctx, cmd)
}

func (w withEnv) Stream(ctx context.Context, cmd remote.Cmd, stdout, stderr io.Writer) (int, error) {
	cmd.Env = append(w.env, cmd.Env...)
	return w.Local.Stream(ctx, cmd, stdout, stderr)
}
