package ssh_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/remotetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	t.Parallel()
	executors := map[string]func(t *testing.T) remote.Executor{
		"SSH": func(t *testing.T) remote.Executor {
			return remotetest.Dial(t, remotetest.StartServer(t,
				remotetest.ServerOptions{}).Config())
		},
		"NoisySSH": func(t *testing.T) remote.Executor {
			return remotetest.Dial(t,
				remotetest.StartServer(t,
					remotetest.ServerOptions{Noise: remotetest.Noise}).Config())
		},
		"NarrowSlowSSH": func(t *testing.T) remote.Executor {
			return remotetest.Dial(t, remotetest.StartServer(t, remotetest.ServerOptions{
				MaxSessions: 2, Latency: time.Millisecond,
			}).Config())
		},
		"SSHWithSudo": func(t *testing.T) remote.Executor {
			cfg := remotetest.StartServer(t, remotetest.ServerOptions{Env: remotetest.FakeSudo(t,
				"")}).Config()
			cfg.User = "admin"
			return remotetest.Dial(t, cfg)
		},
		"SSHWithSudoPassword": func(t *testing.T) remote.Executor {
			cfg := remotetest.StartServer(t, remotetest.ServerOptions{
				Env: remotetest.FakeSudo(t, "correct horse"), Noise: remotetest.Noise,
			}).Config()
			cfg.User = "admin"
			cfg.SudoPassword = func(context.Context) (string, error) { return "correct horse", nil }
			return remotetest.Dial(t, cfg)
		},
	}
	for name, newExec := range executors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			remotetest.TestExecutor(t, newExec)
		})
	}
}
