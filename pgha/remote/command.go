package remote

import (
	"fmt"
	"io"
	"strings"

	"github.com/pgha/toolkit/internal/shell"
	"github.com/pgha/toolkit/pgha/errs"
)

// ErrBadCmd is a Cmd that no Executor can run: empty, or with both Script and Stdin.
var ErrBadCmd = errs.New(errs.Invalid, "invalid command")

// CommandLine turns cmd into the one line an Executor hands to the host's shell, and the standard
// input that goes with it. It is for implementations of Executor, which so agree on users,
// environment and scripts.
func CommandLine(cmd Cmd) (line string, stdin io.Reader, err error) {
	argv, stdin, err := cmd.Flatten()
	if err != nil {
		return "", nil, err
	}
	line, err = shell.Join(argv)
	return line, stdin, err
}

// Flatten expresses script, environment and user in one argument vector, for decorators that put a
// program in front of it. stdin is the standard input that goes with it.
func (c Cmd) Flatten() (argv []string, stdin io.Reader, err error) {
	argv, stdin = c.Argv, c.Stdin
	switch {
	case c.Script != "" && c.Stdin != nil:
		return nil, nil, fmt.Errorf("%w: both Script and Stdin are set", ErrBadCmd)
	case c.Script != "":
		argv = append([]string{"sh", "-s", "--"}, c.Argv...)
		stdin = strings.NewReader(c.Script)
	case len(argv) == 0 || argv[0] == "":
		return nil, nil, fmt.Errorf("%w: no program named", ErrBadCmd)
	}
	if len(c.Env) > 0 {
		argv = append(append([]string{"env"}, c.Env...), argv...)
	}
	if c.User != "" {
		argv = append([]string{"runuser", "-u", c.User, "--"}, argv...)
	}
	return argv, stdin, nil
}

// String shows the command as a shell would take it, secrets blotted out, for logs and errors.
func (c Cmd) String() string {
	argv := make([]string, len(c.Argv))
	for i, word := range c.Argv {
		// A program that is handed over as an argument would drown the message.
		if argv[i] = word; strings.Contains(word, "\n") {
			argv[i] = "<script>"
		}
	}
	c.Argv = argv
	line, _, err := CommandLine(Cmd{Argv: c.Argv, Script: c.Script, User: c.User})
	if err != nil {
		line = strings.Join(c.Argv, " ")
	}
	return Redact(line, c.Secrets)
}

// Redacted returns the command as an observer may see it: secrets blotted out of arguments,
// environment and script, no standard input, and no list of secrets.
func (c Cmd) Redacted() Cmd {
	secrets := c.Secrets
	blot := func(words []string) []string {
		out := make([]string, len(words))
		for i, w := range words {
			out[i] = Redact(w, secrets)
		}
		return out
	}
	c.Argv, c.Env, c.Script = blot(c.Argv), blot(c.Env), Redact(c.Script, secrets)
	c.Stdin, c.Secrets = nil, nil
	return c
}
