package remote_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/remotetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	t.Parallel()
	executors := map[string]func(t *testing.T) remote.Executor{
		"Local": func(*testing.T) remote.Executor { return &remote.Local{} },
		"Decorated": func(*testing.T) remote.Executor {
			e := remote.Executor(remote.NewReconnecting("host",
				func(context.Context) (remote.Executor, error) {
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
