package vault

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/remote"
)

func TestFetchSecret(t *testing.T) {
	t.Parallel()
	const odd = `pä"ß'\$(x) $$ 密码 κωδικός`
	for _, tt := range []struct {
		name string
		argv []string
		want string
	}{
		{"plain", []string{"printf", "correct horse battery\n"}, "correct horse battery"},
		{"without a line break", []string{"printf", "correct horse battery"},
			"correct horse battery"},
		{"no shell takes it apart", []string{"printf", "%s\n", odd}, odd},
		{"200 characters", []string{"printf", strings.Repeat("密", 200)}, strings.Repeat("密", 200)},
		{"chatty", []string{"sh", "-c", "echo unlocking >&2; echo correct horse battery"},
			"correct horse battery"},
		{"nothing to read", []string{"sh", "-c", "cat; echo correct horse battery"},
			"correct horse battery"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, err := fetchSecret(t.Context(), tt.argv); string(got.Reveal()) != tt.want ||
				err != nil {
				t.Errorf("got %q, %v", got.Reveal(), err)
			}
		})
	}
}

func TestFetchSecretRefuses(t *testing.T) {
	t.Parallel()
	const shown = "hunter2hunter2"
	for _, tt := range []struct {
		name, script, want string
	}{
		{"failure", "echo " + shown + "; echo 'key is locked' >&2; exit 3",
			"exit status 3: key is locked"},
		{"colour", "printf '\\033[31mlocked\\033[0m\\n' >&2; exit 1",
			"exit status 1: [31mlocked [0m"},
		{"two lines", "echo " + shown + "; echo " + shown, "more than one line"},
		{"nothing", "true", "too short"},
		{"flood", "exec 2>/dev/null; yes " + shown, "more than any password"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := fetchSecret(t.Context(), []string{"sh", "-c", tt.script})
			if !got.IsZero() || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, %v; want %s", got.Reveal(), err, tt.want)
			}
			if strings.Contains(err.Error(), shown) {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := fetchSecret(ctx, []string{"sleep", "60"}); !errors.Is(err,
		context.DeadlineExceeded) ||
		remote.Hint(err) == "" {
		t.Errorf("slow command: %v", err)
	}
	if _, err := fetchSecret(t.Context(), []string{"/nowhere/program"}); !errors.Is(err,
		os.ErrNotExist) {
		t.Errorf("missing program: %v", err)
	}
}

// TestCommandsGivePasswords also sees that each is run once, and that nothing of it stays on this
// machine.
func TestCommandsGivePasswords(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	runs := filepath.Join(t.TempDir(), "runs")
	sp.Secrets.SuperuserPasswordCommand = []string{"sh", "-c",
		"echo run >>" + runs + "; echo correct horse battery"}
	s, err := OpenState(sp.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := LoadCredentials(t.Context(), s, sp)
	if err != nil || string(c.Superuser.Reveal()) != "correct horse battery" {
		t.Fatalf("got %v", err)
	}
	if text, err := os.ReadFile(runs); err != nil || string(text) != "run\n" {
		t.Errorf("the command was not run once: %q, %v", text, err)
	}
	if _, err := s.Read("secrets/superuser"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the password was stored: %v", err)
	}
	sp.Secrets.RewindPasswordCommand = []string{"false"}
	if _, err := LoadCredentials(t.Context(), s, sp); err == nil ||
		!strings.Contains(err.Error(), "get the rewind password: exit status 1") {
		t.Errorf("a command that fails: %v", err)
	}
}
