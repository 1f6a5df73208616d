package sudo_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/remotetest"
	"github.com/pgha/toolkit/pgha/remote/sudo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	t.Parallel()
	remotetest.TestExecutor(t, func(t *testing.T) remote.Executor {
		return sudo.Become(remotetest.WithEnv{Local: &remote.Local{},
			Env: remotetest.FakeSudo(t, "")}, sudo.Options{})
	})
}

func TestSudoRefusals(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		password, given string
		noSudo          bool
		says            string
	}{
		"password wanted": {password: "x1y2z3", says: "wants a password"},
		"wrong password":  {password: "x1y2z3", given: "wrong-one", says: "refuses the password"},
		"no sudo":         {noSudo: true, says: "not installed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := remotetest.FakeSudo(t, tt.password)
			if tt.noSudo {
				env = []string{"PATH=" + onlyEnv(t)}
			}
			var opts sudo.Options
			if tt.given != "" {
				opts.Password = func(context.Context) (string, error) { return tt.given, nil }
			}
			e := sudo.Become(remotetest.WithEnv{Local: &remote.Local{}, Env: env}, opts)
			_, err := e.Run(t.Context(), remote.Cmd{Argv: []string{"true"}})
			if !errors.Is(err, remote.ErrSudo) || !strings.Contains(err.Error(), tt.says) ||
				remote.Hint(err) == "" {
				t.Errorf("err = %v (hint %q), want ErrSudo that says %q", err, remote.Hint(err),
					tt.says)
			}
		})
	}
	// The command's own failure stays what it is, also when it speaks of sudo.
	e := sudo.Become(remotetest.WithEnv{Local: &remote.Local{}, Env: remotetest.FakeSudo(t, "")},
		sudo.Options{})
	_, err := e.Run(t.Context(), remote.Cmd{Argv: []string{"sh", "-c",
		"echo sudo failed >&2; exit 1"}})
	var exited *remote.ExitError
	if !errors.As(err, &exited) || errors.Is(err, remote.ErrSudo) {
		t.Errorf("err = %v, want the command's own *ExitError", err)
	}
}

// onlyEnv is a PATH on which there is nothing but env.
func onlyEnv(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	env, err := exec.LookPath("env")
	if err != nil {
		t.Skip("no env on this machine")
	}
	if err := os.Symlink(env, filepath.Join(dir, "env")); err != nil {
		t.Fatal(err)
	}
	return dir
}
