package remote

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/internal/shell"
	"github.com/pgha/toolkit/pgha/errs"
)

// scripts makes "sh -c SCRIPT NAME ARGUMENT..." of a question a subshell of the shell that asks:
// the same words do the same, and each saves the start of a program.
const scripts = `sh() (
	[ "$1" = -c ] && [ $# -gt 2 ] || exec sh "$@"
	script=$2
	shift 3
	eval "$script"
)
`

// Batch runs several commands that change nothing in one round trip, one after the other, and
// returns a Result for each, whatever its exit code. Standard error is not kept; programs run in
// the C locale. Because a round trip and a session cost more than most commands, this is how Ensure
// and the component packages look at a host.
func (t *Target) Batch(ctx context.Context, argvs ...[]string) ([]Result, error) {
	if len(argvs) == 0 {
		return nil, nil
	}
	b := newBatch()
	for _, argv := range argvs {
		b.ask(argv)
	}
	return b.run(ctx, t)
}

// BatchBeside is Batch with one more command, for something that mostly waits: it begins before the
// others and is read after them, so that it takes no time of its own. said are the lines that it
// printed; its exit code is not known.
func (t *Target) BatchBeside(ctx context.Context, beside []string,
	argvs ...[]string) (said []byte, res []Result,
	err error) {
	b := newBatch()
	b.add(beside, " | {\nexec 3<&0 </dev/null\n")
	for _, argv := range argvs {
		b.ask(argv)
	}
	b.script.WriteString("while read -r said <&3; do\nprintf '%s\\n' \"$said\"\ndone\n")
	b.end()
	b.script.WriteString("}\n")
	if res, err = b.run(ctx, t); err != nil {
		return nil, nil, err
	}
	last := len(res) - 1
	return res[last].Stdout, res[:last], nil
}

// batch is a script that asks questions and marks the end of each answer.
type batch struct {
	mark      string
	script    strings.Builder
	questions int
	err       error
}

func newBatch() *batch {
	b := &batch{mark: "pgha-" + rand.Text()}
	// Programs are to answer in English whatever the host's language, for the answers get parsed.
	b.script.WriteString("exec 2>/dev/null </dev/null\nexport LC_ALL=C\n" + scripts)
	return b
}

// add writes a command, and what follows it on its line.
func (b *batch) add(argv []string, after string) {
	line, err := shell.Join(argv)
	b.err = errs.Join(b.err, err)
	b.script.WriteString(line + after)
}

func (b *batch) ask(argv []string) {
	b.add(argv, "\n")
	b.end()
}

// end marks the end of an answer.
func (b *batch) end() {
	fmt.Fprintf(&b.script, "printf '\\n%s %%s\\n' $?\n", b.mark)
	b.questions++
}

func (b *batch) run(ctx context.Context, t *Target) ([]Result, error) {
	if b.err != nil {
		return nil, OnHost(t.Name, b.err)
	}
	// The whole script must be read before standard input is closed: that is what the braces are
	// for.
	res, err := t.Run(ctx, Cmd{Script: "{\n" + b.script.String() + "exit 0\n}\n"})
	if err != nil {
		return nil, fmt.Errorf("look: %w", err)
	}
	return splitBatch(t.Name, res.Stdout, b.mark, b.questions)
}

func splitBatch(host string, out []byte, mark string, want int) ([]Result, error) {
	parts := bytes.Split(out, []byte("\n"+mark+" "))
	if len(parts) != want+1 {
		return nil, OnHost(host, fmt.Errorf("look: %d answers to %d questions", len(parts)-1, want))
	}
	results := make([]Result, want)
	for i := range results {
		code, rest, _ := bytes.Cut(parts[i+1], []byte("\n"))
		n, err := strconv.Atoi(string(code))
		if err != nil {
			return nil, OnHost(host, fmt.Errorf("look: exit status %q", code))
		}
		results[i].Stdout, results[i].ExitCode = parts[i], n
		parts[i+1] = rest
	}
	return results, nil
}
