package sitetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/pgha/toolkit/pgha/remote"
)

// Recording is an Executor of a bare host on which nothing runs and nothing is installed. It
// records what it is given to write, as a plan does: changes seem to succeed and have no effect.
// Safe for concurrent use.
type Recording struct {
	// Name is the host's name.
	Name string
	// Answers are what commands print, by Cmd.String. Other commands print nothing and fail,
	// whatever they ask: the host knows nothing.
	Answers map[string]string
	// Mask, when set, replaces what differs from run to run in a file before it is summed.
	Mask func(content []byte) []byte

	mu    sync.Mutex
	lines []string
}

var _ remote.Executor = (*Recording)(nil)

// Planning makes remote.Target.Planning true, so that nothing is waited for.
func (r *Recording) Planning() bool { return true }

// batchMark finds what ends the answer to a question of Target.Batch.
var batchMark = regexp.MustCompile(`printf '\\n(pgha-[A-Z2-7]+) %s\\n' \$\?`)

// Run implements remote.Executor.
func (r *Recording) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	if cmd.Mutating {
		if len(cmd.Argv) > 0 && cmd.Argv[0] == "install" {
			r.record("directory " + strings.Join(cmd.Argv[2:], " "))
		}
		return remote.Result{}, ctx.Err()
	}
	if marks := batchMark.FindAllStringSubmatch(cmd.Script, -1); len(marks) > 0 {
		return remote.Result{Stdout: r.batch(cmd.Script, marks[0][1])}, ctx.Err()
	}
	if out, ok := r.Answers[cmd.String()]; ok {
		return remote.Result{Stdout: []byte(out)}, ctx.Err()
	}
	res := remote.Result{ExitCode: 1}
	return res, remote.NewExitError(r.Name, cmd, res)
}

// batch answers each question of a script: the time to those about it, and that nothing is there.
func (r *Recording) batch(script, mark string) []byte {
	var out bytes.Buffer
	for line := range strings.Lines(script) {
		switch {
		case strings.HasPrefix(line, "date "), strings.Contains(line, "/proc/uptime"):
			out.WriteString("1000.5 1\n")
		case strings.HasPrefix(line, "printf "):
			fmt.Fprintf(&out, "\n%s 1\n", mark)
		}
	}
	return out.Bytes()
}

// Put implements remote.Executor.
func (r *Recording) Put(ctx context.Context, in io.Reader, meta remote.FileMeta) (bool, error) {
	content, err := io.ReadAll(in)
	if err != nil {
		return false, remote.OnHost(r.Name, err)
	}
	if r.Mask != nil {
		content = r.Mask(content)
	}
	sum := sha256.Sum256(content)
	path := strings.TrimSuffix(meta.Path, ".pgha-new")
	r.record(fmt.Sprintf("%s %04o %s:%s %s", hex.EncodeToString(sum[:]), meta.Mode, meta.Owner,
		meta.Group, path))
	return true, ctx.Err()
}

// Get implements remote.Executor: there is no file.
func (r *Recording) Get(_ context.Context, path string) (io.ReadCloser, error) {
	return nil, &fs.PathError{Op: "get", Path: path, Err: fs.ErrNotExist}
}

// Close does nothing.
func (r *Recording) Close() error { return nil }

// String names the host.
func (r *Recording) String() string { return r.Name }

func (r *Recording) record(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line+" "+r.Name)
}

// Written returns one sorted line for each file and folder that was written:
//
//	SHA256 MODE OWNER:GROUP PATH HOST
//	directory -m MODE -o OWNER -g GROUP -- PATH HOST
func (r *Recording) Written() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := slices.Clone(r.lines)
	slices.Sort(lines)
	return slices.Compact(lines)
}
