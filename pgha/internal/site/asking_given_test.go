package site

import (
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	cryptossh "golang.org/x/crypto/ssh"

	"github.com/pgha/toolkit/pgha/remote/ssh"
	"github.com/pgha/toolkit/pgha/spec"
)

// secretIn is the path of a file with this text that its owner only can read.
func secretIn(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// encryptedKey is the path of a private key that a passphrase opens.
func encryptedKey(t *testing.T, passphrase string) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := cryptossh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	return secretIn(t, string(pem.EncodeToMemory(block)))
}

// TestGivenAnswers: what the spec names answers before anybody is asked, without the line break at
// its end.
func TestGivenAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ssh       spec.SSH
		want, err string
	}{
		"a file": {spec.SSH{SudoPasswordFile: secretIn(t, "pass word\n")},
			"pass word", ""},
		"a file without a line break": {spec.SSH{SudoPasswordFile: secretIn(t, "x")}, "x", ""},
		"a file from another system": {spec.SSH{SudoPasswordFile: secretIn(t, "x\r\n")},
			"x", ""},
		"spaces and signs belong to it": {spec.SSH{SudoPasswordFile: secretIn(t, " $'\"\\ñ \n")},
			" $'\"\\ñ ", ""},
		"a file that is gone": {
			spec.SSH{SudoPasswordFile: "/does/not/exist"}, "",
			"ssh.sudo_password_file: open /does/not/exist: no such file",
		},
		"a file with two lines": {
			spec.SSH{SudoPasswordFile: secretIn(t, "hunter2\nhunter3\n")}, "",
			"ssh.sudo_password_file: what it gives has more than one line",
		},
		"a command": {spec.SSH{SudoPasswordCommand: []string{"echo", "secret"}}, "secret", ""},
		"a command without a line break": {
			spec.SSH{SudoPasswordCommand: []string{"printf", "%s", "secret"}}, "secret", "",
		},
		"a command that prints nothing": {
			spec.SSH{SudoPasswordCommand: []string{"true"}}, "",
			"ssh.sudo_password_command: what it gives is empty",
		},
		"a command that fails": {
			spec.SSH{SudoPasswordCommand: []string{"sh", "-c",
				"echo hunter2; echo locked >&2; exit 3"}},
			"", "ssh.sudo_password_command: exit status 3: locked",
		},
		"a command that prints too much": {
			spec.SSH{SudoPasswordCommand: []string{"head", "-c", "100000", "/dev/zero"}}, "",
			"more than any password",
		},
		"a command that reads from stdin": {spec.SSH{SudoPasswordCommand: []string{"cat"}}, "",
			"is empty"},
	} {
		got, err := newQuestions(nil, c.ssh).sudoPassword("admin", "pg1")(t.Context())
		if got != c.want || (err == nil) != (c.err == "") ||
			err != nil && (!strings.Contains(err.Error(), c.err) ||
				strings.Contains(err.Error(), "hunter")) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestGivenSudoPasswordIsRefused: then a person is asked once for all hosts, or the error says what
// to look at.
func TestGivenSudoPasswordIsRefused(t *testing.T) {
	t.Parallel()
	given := spec.SSH{SudoPasswordFile: secretIn(t, "old")}
	var prompts []string
	q := newQuestions(func(_ context.Context, prompt string) (string, error) {
		prompts = append(prompts, prompt)
		return "new", nil
	}, given)
	var got []string
	a, b := q.sudoPassword("admin", "a"), q.sudoPassword("admin", "b")
	for _, ask := range []func(context.Context) (string, error){a, b, a, b} {
		s, err := ask(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s)
	}
	if text := strings.Join(got, " "); text != "old old new new" || len(prompts) != 1 ||
		!strings.Contains(prompts[0], "was refused") {
		t.Error(text, prompts)
	}
	alone := newQuestions(nil, given).sudoPassword("admin", "a")
	_, _ = alone(t.Context())
	if _, err := alone(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "sudo on a refuses the one of ssh.sudo_password_file") {
		t.Error(err)
	}
}

// TestPassphrases: the given one opens the key for all hosts, a wrong one is asked for again, and
// three times are enough.
func TestPassphrases(t *testing.T) {
	t.Parallel()
	key := encryptedKey(t, "open sesame")
	for name, c := range map[string]struct {
		ssh     spec.SSH
		answers []string // nil: there is nobody
		asked   int
		err     string
	}{
		"given in a file": {spec.SSH{PassphraseFile: secretIn(t, "open sesame\n")}, nil, 0, ""},
		"printed by a command": {
			spec.SSH{PassphraseCommand: []string{"echo", "open sesame"}}, []string{}, 0, "",
		},
		"given wrong, nobody there": {
			spec.SSH{PassphraseFile: secretIn(t, "hunter2")}, nil, 0, "ssh.passphrase_file: key ",
		},
		"given wrong, then typed": {
			spec.SSH{PassphraseFile: secretIn(t, "hunter2")}, []string{"open sesame"}, 1, "",
		},
		"typed":    {spec.SSH{}, []string{"open sesame"}, 1, ""},
		"mistyped": {spec.SSH{}, []string{"hunter2", "open sesame"}, 2, ""},
		"three times wrong": {
			spec.SSH{}, []string{"hunter2", "", "hunter2"}, 3, "decryption password incorrect",
		},
		"a command that has no answer": {
			spec.SSH{PassphraseCommand: []string{"false"}}, []string{"open sesame"}, 0,
			"ssh.passphrase_command: exit status 1",
		},
	} {
		asked := 0
		ask := func(context.Context, string) (string, error) {
			asked++
			return c.answers[asked-1], nil
		}
		if c.answers == nil {
			ask = nil
		}
		cfg := ssh.Config{User: "admin"}
		newQuestions(ask, c.ssh).answer(t.Context(), "pg1", &cfg)
		var all sync.WaitGroup
		errs := make([]error, 6)
		for i := range errs {
			all.Go(func() {
				var s []byte
				if s, errs[i] = cfg.Passphrase(key); errs[i] == nil && string(s) != "open sesame" {
					t.Errorf("%s: %q", name, s)
				}
			})
		}
		all.Wait()
		if err := errors.Join(errs...); asked != c.asked || (err == nil) != (c.err == "") ||
			err != nil && (!strings.Contains(err.Error(), c.err) ||
				strings.Contains(err.Error(), "hunter")) {
			t.Errorf("%s: asked %d times, %v", name, asked, err)
		}
	}
}

// TestNothingToAnswerWith: a connection that nobody answers for does not ask.
func TestNothingToAnswerWith(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ssh                        spec.SSH
		password, sudo, passphrase bool
	}{
		"nothing":         {spec.SSH{}, false, false, false},
		"a sudo password": {spec.SSH{SudoPasswordFile: "x"}, false, true, false},
		"a passphrase":    {spec.SSH{PassphraseCommand: []string{"x"}}, false, false, true},
		"both, nobody there": {spec.SSH{SudoPasswordCommand: []string{"x"}, PassphraseFile: "x"},
			false, true, true},
	} {
		var cfg ssh.Config
		newQuestions(nil, c.ssh).answer(t.Context(), "pg1", &cfg)
		if cfg.Password != nil != c.password || cfg.SudoPassword != nil != c.sudo ||
			cfg.Passphrase != nil != c.passphrase {
			t.Errorf("%s: %+v", name, cfg)
		}
	}
}
