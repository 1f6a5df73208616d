package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
	"unicode"

	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

const (
	// secretTimeout bounds a command of the spec that prints a secret: a person may have to unlock
	// a key for it.
	secretTimeout = time.Minute
	// secretLimit is more than any password or key; what is longer is something else.
	secretLimit = 64 << 10
)

// readSecret returns the password in a file of the spec's.
func readSecret(file string) (pki.Secret, error) {
	b, err := os.ReadFile(file)
	return pki.NewSecret(bytes.TrimRight(b, "\r\n")), err
}

// fetchSecret returns the password that a command of the spec's prints, without the last line
// break.
func fetchSecret(ctx context.Context, argv []string) (pki.Secret, error) {
	text, err := Fetched(ctx, argv)
	if err != nil {
		return pki.Secret{}, err
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if err := spec.CheckPassword(password); err != nil {
		return pki.Secret{}, err
	}
	return pki.NewSecret([]byte(password)), nil
}

// Fetched runs a command of the spec's on this machine, without a shell and with nothing to read,
// and returns what it prints. What it says on stderr is in the error when it fails; what it prints
// never is.
func Fetched(ctx context.Context, argv []string) ([]byte, error) {
	bounded, end := context.WithCancelCause(ctx)
	defer end(nil)
	timer := time.AfterFunc(secretTimeout,
		func() { end(fmt.Errorf("the command did not end within %s", secretTimeout)) })
	defer timer.Stop()
	stdout := &limited{left: secretLimit,
		over: func() { end(errors.New("the command printed more than any password or key has")) }}
	stderr := &limited{left: 1 << 10, over: func() {}}
	cmd := exec.CommandContext(bounded, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = time.Second // for what it started and left behind
	err := cmd.Run()
	if bounded.Err() != nil {
		err = context.Cause(bounded)
	}
	if err != nil {
		said := strings.Join(strings.FieldsFunc(stderr.String(),
			func(r rune) bool { return !unicode.IsPrint(r) }), " ")
		if said != "" {
			err = fmt.Errorf("%w: %s", err, said)
		}
		return nil, remote.WithHint(err,
			"run the command by hand: it has to print the secret and nothing else, and must not "+
				"ask on standard input")
	}
	return stdout.kept.Bytes(), nil
}

// limited keeps so many bytes, drops the rest and reports it. The buffer is no embedded one:
// io.Copy would use its ReadFrom, which has no limit.
type limited struct {
	kept bytes.Buffer
	left int
	over func()
}

func (l *limited) String() string { return l.kept.String() }

func (l *limited) Write(b []byte) (int, error) {
	kept := b[:min(len(b), l.left)]
	if len(kept) < len(b) {
		l.over()
	}
	l.left -= len(kept)
	l.kept.Write(kept)
	return len(b), nil
}
