package remote

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/internal/shell"
)

// Batch runs several commands that change nothing in one round trip, one after the other, and returns a Result for each,
// whatever its exit code. Standard error is not kept; programs
// run in the C locale. Because a round trip and a session cost more than most commands,
// this is how Ensure and the component packages look at a host.
func (t *Target) Batch(ctx context.Context, argvs ...[]string) ([]Result, error) {
	if len(argvs) == 0 {
		return nil, nil
	}
	mark := "pgha-" + rand.Text()
	var script strings.Builder
	// Programs are to answer in English whatever the host's language, for the answers get parsed.
	script.WriteString("exec 2>/dev/null </dev/null\nexport LC_ALL=C\n")
	for _, argv := range argvs {
		line, err := shell.Join(argv)
		if err != nil {
			return nil, OnHost(t.Name, err)
		}
		fmt.Fprintf(&script, "%s\nprintf '\\n%s %%s\\n' $?\n", line, mark)
	}
	// The whole script must be read before standard input is closed, hence the braces.
	res, err := t.Run(ctx, Cmd{Script: "{\n" + script.String() + "exit 0\n}\n"})
	if err != nil {
		return nil, fmt.Errorf("look: %w", err)
	}
	return splitBatch(t.Name, res.Stdout, mark, len(argvs))
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
