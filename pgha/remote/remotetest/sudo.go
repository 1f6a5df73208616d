package remotetest

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/pgha/toolkit/pgha/remote"
)

// FakeSudo returns the variable PATH with a sudo in front that wants this password, or none, and
// behaves like the real one as far as Become can see.
func FakeSudo(t *testing.T, password string) []string {
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

// WithEnv is this machine with variables added to every command.
type WithEnv struct {
	*remote.Local
	Env []string
}

func (w WithEnv) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	cmd.Env = append(w.Env, cmd.Env...)
	return w.Local.Run(ctx, cmd)
}

func (w WithEnv) Stream(ctx context.Context, cmd remote.Cmd, stdout,
	stderr io.Writer) (int, error) {
	cmd.Env = append(w.Env, cmd.Env...)
	return w.Local.Stream(ctx, cmd, stdout, stderr)
}
