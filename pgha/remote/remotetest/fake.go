package remotetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pgha/toolkit/pgha/remote"
)

// Fake is a strict Executor without a host: it answers the commands that were announced with On and
// no others. A command that was not announced fails the test and shows the nearest ones that were;
// an announced command that never came fails it too, at its end. Files live in memory. Safe for
// concurrent use.
type Fake struct {
	t    testing.TB
	name string

	mu      sync.Mutex
	answers []*answer
	files   map[string]string
	metas   map[string]remote.FileMeta
	mutated []string
}

type answer struct {
	line   string
	result remote.Result
	err    error
	used   bool
}

var _ remote.Executor = (*Fake)(nil)

// NewFake makes a Fake for the host called name.
func NewFake(t testing.TB, name string) *Fake {
	f := &Fake{t: t, name: name, files: map[string]string{}, metas: map[string]remote.FileMeta{}}
	t.Cleanup(func() {
		for _, a := range f.answers {
			if !a.used {
				t.Errorf("%s: the command %q never came", name, a.line)
			}
		}
	})
	return f
}

// On announces a command, as Cmd.String shows it, and what it answers. A result with an ExitCode
// fails like a command does; err stands for a failing transport. The same line announced several
// times is answered in that order, the last answer over and over.
func (f *Fake) On(line string, result remote.Result, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers = append(f.answers, &answer{line: line, result: result, err: err})
}

// SetFile makes a file that Get finds.
func (f *Fake) SetFile(path, content string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files[path] = content
}

// File is the content of a file that was set or put, and how it was put.
func (f *Fake) File(path string) (content string, meta remote.FileMeta, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	content, ok = f.files[path]
	return content, f.metas[path], ok
}

// Mutations are the mutating commands that came, in order; a Put that changed something shows as
// "put PATH".
func (f *Fake) Mutations() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.mutated)
}

// Run implements remote.Executor.
func (f *Fake) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	failed := remote.Result{ExitCode: -1}
	if _, _, err := remote.CommandLine(cmd); err != nil {
		return failed, remote.OnHost(f.name, err)
	}
	if err := ctx.Err(); err != nil {
		return failed, remote.OnHost(f.name, err)
	}
	line := cmd.String()
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.find(line)
	if a == nil {
		f.t.Errorf("%s: unexpected command %q; nearest announced:%s", f.name, line, f.nearest(line))
		return failed, remote.OnHost(f.name, fmt.Errorf("unexpected command %q", line))
	}
	a.used = true
	if cmd.Mutating {
		f.mutated = append(f.mutated, line)
	}
	if a.err != nil {
		return failed, remote.OnHost(f.name, a.err)
	}
	if a.result.ExitCode != 0 {
		return a.result, remote.NewExitError(f.name, cmd, a.result)
	}
	return a.result, nil
}

// find returns the first unused answer to line, else the last used one.
func (f *Fake) find(line string) (found *answer) {
	for _, a := range f.answers {
		if a.line == line {
			if found = a; !a.used {
				return a
			}
		}
	}
	return found
}

// nearest lists the three announced commands that share most words with line.
func (f *Fake) nearest(line string) string {
	if len(f.answers) == 0 {
		return " none at all"
	}
	words := strings.Fields(line)
	shared := func(a *answer) (n int) {
		for _, w := range strings.Fields(a.line) {
			if slices.Contains(words, w) {
				n++
			}
		}
		return n
	}
	sorted := slices.Clone(f.answers)
	slices.SortStableFunc(sorted, func(a, b *answer) int { return shared(b) - shared(a) })
	var out strings.Builder
	for _, a := range sorted[:min(3, len(sorted))] {
		fmt.Fprintf(&out, "\n\t%q", a.line)
	}
	return out.String()
}

// Put implements remote.Executor.
func (f *Fake) Put(ctx context.Context, r io.Reader, meta remote.FileMeta) (bool, error) {
	content, err := io.ReadAll(r)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return false, remote.OnHost(f.name, fmt.Errorf("put %s: %w", meta.Path, err))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	old, exists := f.files[meta.Path]
	if exists && old == string(content) && f.metas[meta.Path] == meta {
		return false, nil
	}
	f.files[meta.Path], f.metas[meta.Path] = string(content), meta
	f.mutated = append(f.mutated, "put "+meta.Path)
	return true, nil
}

// Get implements remote.Executor.
func (f *Fake) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, remote.OnHost(f.name, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	content, ok := f.files[path]
	if !ok {
		return nil, &fs.PathError{Op: "get", Path: path, Err: fs.ErrNotExist}
	}
	return io.NopCloser(bytes.NewReader([]byte(content))), nil
}

// Close does nothing.
func (f *Fake) Close() error { return nil }

// String names the host.
func (f *Fake) String() string { return f.name }
