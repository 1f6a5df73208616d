package remotetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
)

// TestExecutor is the conformance suite: what every Executor must be able to do. newExec makes a
// fresh Executor whose host can be changed below /tmp; the suite closes it. Owners are only checked
// when commands run as root there. A call that does not return within two minutes fails its test,
// and the suite continues.
func TestExecutor(t *testing.T, newExec func(t *testing.T) remote.Executor) {
	t.Helper()
	testExecutor(t, newExec, callBound)
}

func testExecutor(t *testing.T, newExec func(t *testing.T) remote.Executor, bound time.Duration) {
	t.Helper()
	tests := []struct {
		name string
		test func(*testing.T, remote.Executor)
	}{
		{"Run", testRun}, {"ExitCode", testExitCode}, {"Stdin", testStdin}, {"Script", testScript},
		{"BigOutput", testBigOutput}, {"Binary", testBinary}, {"OddWords", testOddWords},
		{"Secrets", testSecrets},
		{"Cancel", testCancel}, {"Timeout", testTimeout}, {"Put", testPut},
		{"PutOwner", testPutOwner},
		{"PutFailingReader", testPutFailingReader}, {"PutCanceled", testPutCanceled},
		{"Get", testGet},
		{"OddPaths", testOddPaths}, {"Concurrency", testConcurrency}, {"Batch", testBatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newBounded(newExec(t), t, bound)
			t.Cleanup(func() {
				if err := e.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			tt.test(t, e)
		})
	}
	t.Run("Close", func(t *testing.T) {
		t.Parallel()
		e := newBounded(newExec(t), t, bound)
		for range 2 {
			if err := e.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
	})
}

func testRun(t *testing.T, e remote.Executor) {
	if e.String() == "" {
		t.Error("String is empty, want the host's name")
	}
	res, err := e.Run(t.Context(), remote.Cmd{Argv: []string{"sh", "-c",
		"echo out; echo err >&2; echo $X"},
		Env: []string{"X=a b'c"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(res.Stdout); got != "out\na b'c\n" {
		t.Errorf("stdout = %q", got)
	}
	if got := string(res.Stderr); got != "err\n" {
		t.Errorf("stderr = %q", got)
	}
	if res.Duration <= 0 {
		t.Error("Duration is not set")
	}
	for _, bad := range []remote.Cmd{{}, {Argv: []string{"a\x00b"}},
		{Script: "true", Stdin: strings.NewReader("")}} {
		if _, err := e.Run(t.Context(), bad); err == nil {
			t.Errorf("Run(%+v) succeeded", bad)
		}
	}
}

func testExitCode(t *testing.T, e remote.Executor) {
	for script, want := range map[string]int{"exit 7": 7, "exit 255": 255,
		"kill -TERM $$": 128 + 15,
		"kill -KILL $$": 128 + 9} {
		res, err := e.Run(t.Context(), remote.Cmd{Argv: []string{"sh", "-c",
			"echo said; echo why >&2; " + script}})
		var exited *remote.ExitError
		if !errors.As(err, &exited) {
			t.Errorf("%s: err = %v, want *ExitError", script, err)
			continue
		}
		if exited.Code != want || res.ExitCode != want {
			t.Errorf("%s: code %d and %d, want %d", script, exited.Code, res.ExitCode, want)
		}
		if exited.Host != e.String() || !strings.Contains(exited.Stderr, "why") ||
			string(res.Stdout) != "said\n" {
			t.Errorf("%s: error %+v, stdout %q", script, exited, res.Stdout)
		}
	}
	if _,
		err := e.Run(t.Context(), remote.Cmd{Argv: []string{"no-such-program-here"}}); err == nil {
		t.Error("an unknown program succeeded")
	}
}

func testStdin(t *testing.T, e remote.Executor) {
	res, err := e.Run(t.Context(), remote.Cmd{Argv: []string{"cat"},
		Stdin: strings.NewReader("one\ntwo")})
	if err != nil || string(res.Stdout) != "one\ntwo" {
		t.Errorf("cat = %q, %v", res.Stdout, err)
	}
	res, err = e.Run(t.Context(), remote.Cmd{Argv: []string{"cat"}})
	if err != nil || len(res.Stdout) != 0 {
		t.Errorf("cat without Stdin = %q, %v", res.Stdout, err)
	}
	// A command may end without reading what it is given.
	if _, err := e.Run(t.Context(),
		remote.Cmd{Argv: []string{"true"},
			Stdin: bytes.NewReader(make([]byte, 1<<20))}); err != nil {
		t.Errorf("true with unread input: %v", err)
	}
}

func testScript(t *testing.T, e remote.Executor) {
	res, err := e.Run(t.Context(), remote.Cmd{Script: `printf '%s,' "$@"`,
		Argv: []string{"a b", "", "c"}})
	if err != nil || string(res.Stdout) != "a b,,c," {
		t.Errorf("script printed %q, %v", res.Stdout, err)
	}
}

func testBigOutput(t *testing.T, e remote.Executor) {
	const size = 8 << 20
	res, err := e.Run(t.Context(),
		remote.Cmd{Argv: []string{"sh", "-c", fmt.Sprintf("head -c %d /dev/zero; head -c %d "+
			"/dev/zero >&2",
			size, size)}})
	if err != nil || len(res.Stdout) != size || len(res.Stderr) != size {
		t.Errorf("%d and %d bytes, %v; want %d each", len(res.Stdout), len(res.Stderr), err, size)
	}
}

func testBinary(t *testing.T, e remote.Executor) {
	data := make([]byte, 3*256)
	for i := range data {
		data[i] = byte(i)
	}
	res, err := e.Run(t.Context(), remote.Cmd{Argv: []string{"cat"}, Stdin: bytes.NewReader(data)})
	if err != nil || !bytes.Equal(res.Stdout, data) {
		t.Errorf("binary data came back as %q, %v", res.Stdout, err)
	}
}

func testOddWords(t *testing.T, e remote.Executor) {
	words := []string{"", " ", "it's", `"$(id)"`, "a\nb", "`x`", "é✓", "-n", "~", "*", "$HOME", `\`,
		"!!", "a;b&c|d"}
	res, err := e.Run(t.Context(), remote.Cmd{Argv: append([]string{"printf", `%s\0`}, words...)})
	if want := strings.Join(words, "\x00") + "\x00"; err != nil || string(res.Stdout) != want {
		t.Errorf("words came back as %q, %v; want %q", res.Stdout, err, want)
	}
}

func testSecrets(t *testing.T, e remote.Executor) {
	const secret = "hunter2hunter2"
	_, err := e.Run(t.Context(), remote.Cmd{
		Argv: []string{"sh", "-c", "cat >&2; exit 3"}, Stdin: strings.NewReader("oops: " + secret),
		Secrets: []string{secret}})
	if err == nil || strings.Contains(fmt.Sprintf("%v %+v", err, err), secret) {
		t.Errorf("error %v, want one without the secret", err)
	}
}

func testCancel(t *testing.T, e remote.Executor) {
	dir := tempDir(t, e)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		_, err := e.Run(ctx,
			remote.Cmd{Argv: []string{"sh", "-c",
				`echo $$ >"$1/new"; mv "$1/new" "$1/pid"; sleep 300; :`, "sh", dir}})
		failed <- err
	}()
	pid := strings.TrimSpace(awaitFile(t, e, dir+"/pid"))
	cancel()
	select {
	case err := <-failed:
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), e.String()) {
			t.Errorf("err = %v, want context.Canceled with the host's name", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Run did not return after its context was canceled")
	}
	await(t, "the canceled command to end", func() bool {
		res, _ := e.Run(t.Context(), remote.Cmd{Argv: []string{"kill", "-0", pid}})
		return res.ExitCode != 0
	})
	if _, err := e.Run(ctx, remote.Cmd{Argv: []string{"true"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("Run with a canceled context: %v", err)
	}
}

func testTimeout(t *testing.T, e remote.Executor) {
	start := time.Now()
	_, err := e.Run(t.Context(), remote.Cmd{Argv: []string{"sleep", "300"},
		Timeout: 200 * time.Millisecond})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v, want DeadlineExceeded", err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	if _, err := e.Run(t.Context(), remote.Cmd{Argv: []string{"true"}}); err != nil {
		t.Errorf("the Executor is of no use after a time-out: %v", err)
	}
}

func testConcurrency(t *testing.T, e remote.Executor) {
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			want := fmt.Sprint("number ", i)
			res, err := e.Run(t.Context(), remote.Cmd{Argv: []string{"sh", "-c",
				`sleep 0.05; echo "$1"`, "sh", want}})
			if err != nil || strings.TrimSpace(string(res.Stdout)) != want {
				t.Errorf("%s: %q, %v", want, res.Stdout, err)
			}
		})
	}
	all.Wait()
}

func testBatch(t *testing.T, e remote.Executor) {
	target := &remote.Target{Host: remote.Host{Name: e.String()}, Executor: e}
	res, err := target.Batch(t.Context(), []string{"echo", "a"}, []string{"false"},
		[]string{"printf", "no newline"}, []string{"cat"})
	if err != nil {
		t.Fatal(err)
	}
	if string(res[0].Stdout) != "a\n" || res[1].ExitCode != 1 ||
		string(res[2].Stdout) != "no newline" ||
		len(res[3].Stdout) != 0 {
		t.Errorf("Batch = %+v", res)
	}
	// A script's words, its end and what it sets are its own.
	const script = `[ "$#" = 2 ] && printf '%s,' "$@"; v=set; cd /; exit 7`
	said, res, err := target.BatchBeside(t.Context(),
		[]string{"sh", "-c", "cat; sleep 0.1; echo late", "beside"},
		[]string{"sh", "-c", script, "name", "a b", "it's"},
		[]string{"sh", "-c", `echo "${v-unset} $#"`}, []string{"cat"})
	if err != nil {
		t.Fatal(err)
	}
	if string(said) != "late\n" || string(res[0].Stdout) != "a b,it's," || res[0].ExitCode != 7 ||
		string(res[1].Stdout) != "unset 0\n" || len(res[2].Stdout) != 0 {
		t.Errorf("BatchBeside = %q, %+v", said, res)
	}
}

func testGet(t *testing.T, e remote.Executor) {
	dir := tempDir(t, e)
	if _, err := e.Get(t.Context(), dir+"/missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Get of a missing file: %v, want fs.ErrNotExist", err)
	}
	if r, err := e.Get(t.Context(), dir); err == nil {
		_, err := io.ReadAll(r)
		if closeErr := r.Close(); err == nil && closeErr == nil {
			t.Error("Get of a folder succeeded")
		}
	}
}

// tempDir makes a folder on e's host. Only the paths below /tmp are touched.
func tempDir(t *testing.T, e remote.Executor) string {
	t.Helper()
	res, err := e.Run(t.Context(), remote.Cmd{Argv: []string{"mktemp", "-d",
		"/tmp/remotetest.XXXXXXXX"},
		Mutating: true})
	if err != nil {
		t.Fatal(err)
	}
	dir := strings.TrimSpace(string(res.Stdout))
	if filepath.Dir(dir) != "/tmp" {
		t.Fatalf("mktemp answered %q", dir)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer cancel()
		if _, err := e.Run(ctx, remote.Cmd{Argv: []string{"rm", "-rf", "--", dir},
			Mutating: true}); err != nil &&
			!errors.Is(err, os.ErrClosed) {
			t.Logf("cannot remove %s: %v", dir, err)
		}
	})
	return dir
}

func read(t *testing.T, e remote.Executor, path string) string {
	t.Helper()
	r, err := e.Get(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func awaitFile(t *testing.T, e remote.Executor, path string) string {
	t.Helper()
	await(t, path, func() bool {
		r, err := e.Get(t.Context(), path)
		if err != nil {
			return errors.Is(err, errHangs)
		}
		return r.Close() == nil
	})
	return read(t, e, path)
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}
