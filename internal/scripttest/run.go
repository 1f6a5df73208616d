// Package scripttest runs the scripts that pgha puts on hosts on this machine, among fake programs
// and in temporary folders.
package scripttest

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Run is one run of a script.
type Run struct {
	// With is the interpreter: sh, bash, perl or python3.
	With   string
	Script string // the script's text
	Args   []string
	Stdin  string
	// Fakes are programs that stand before the real ones: a name, and what a shell does in its
	// place. "" succeeds and says nothing.
	Fakes map[string]string
	// Paths are parts of the script's text and what stands in their place: folders of the host and
	// temporary ones.
	Paths map[string]string
}

// Result is what came of a run.
type Result struct {
	Stdout, Stderr string
	Code           int
	// Calls are the fake programs that were started, in order, each with its arguments.
	Calls []string
}

// Do runs the script. The test fails if it cannot be started; any exit code is a result.
func (r Run) Do(t *testing.T) Result {
	t.Helper()
	bin, record := t.TempDir(), filepath.Join(t.TempDir(), "calls")
	for name, body := range r.Fakes {
		text := "#!/bin/sh\n" + `echo "` + name + `${*:+ $*}" >>'` + record + "'\n" + body + "\n"
		Program(t, bin, name, text)
	}
	cmd := exec.CommandContext(t.Context(), r.With, r.argv()...)
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	cmd.Stdin = strings.NewReader(r.Stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatalf("run the script with %s: %v", r.With, err)
	}
	res := Result{Stdout: stdout.String(), Stderr: stderr.String(),
		Code: cmd.ProcessState.ExitCode()}
	switch calls, err := os.ReadFile(record); {
	case err == nil:
		res.Calls = strings.Split(strings.TrimSuffix(string(calls), "\n"), "\n")
	case !errors.Is(err, fs.ErrNotExist):
		t.Fatal(err)
	}
	return res
}

// Program puts an executable file into a folder and returns its path. No process is forked while it
// is written: a child would keep it open for writing until its own exec, and whoever starts it
// meanwhile is told "text file busy" (Linux), or a shell takes the next program of this name.
func Program(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	//nolint:gosec // a program
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// argv are the interpreter's arguments.
func (r Run) argv() []string {
	var replace []string
	for from, to := range r.Paths {
		replace = append(replace, from, to)
	}
	text := strings.NewReplacer(replace...).Replace(r.Script)
	switch r.With {
	case "perl":
		return append([]string{"-e", text, "--"}, r.Args...)
	case "python3":
		return append([]string{"-I", "-c", text}, r.Args...)
	}
	return append([]string{"-c", text, "script"}, r.Args...)
}

// Write puts a file into a folder, with the folders that its name has.
func Write(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
