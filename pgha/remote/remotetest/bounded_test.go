package remotetest

import (
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
)

// hanging is an Executor of which one method never returns.
type hanging struct {
	remote.Executor
	method string
}

func (h hanging) hang(method string) {
	if h.method == method {
		select {}
	}
}

func (h hanging) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	h.hang("Run")
	return h.Executor.Run(ctx, cmd)
}

func (h hanging) Put(ctx context.Context, r io.Reader, meta remote.FileMeta) (bool, error) {
	h.hang("Put")
	return h.Executor.Put(ctx, r, meta)
}

func (h hanging) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	h.hang("Get")
	r, err := h.Executor.Get(ctx, path)
	if err != nil {
		return nil, err
	}
	return hangingReader{r, h}, nil
}

func (h hanging) Close() error {
	h.hang("Close")
	return h.Executor.Close()
}

func (h hanging) String() string {
	h.hang("String")
	return h.Executor.String()
}

type hangingReader struct {
	io.ReadCloser
	h hanging
}

func (r hangingReader) Read(p []byte) (int, error) {
	r.h.hang("Read")
	return r.ReadCloser.Read(p)
}

// hangsAt names the method that hangs in the process that TestSuiteEndsWhereAnExecutorHangs starts.
const hangsAt = "REMOTETEST_HANGS_AT"

// TestSuiteEndsWhereAnExecutorHangs runs the suite in a process of its own, with an Executor that
// hangs at each of its methods: the suite fails, soon, and names the method.
func TestSuiteEndsWhereAnExecutorHangs(t *testing.T) {
	t.Parallel()
	if method := os.Getenv(hangsAt); method != "" {
		testExecutor(t, func(*testing.T) remote.Executor {
			return hanging{&remote.Local{}, method}
		}, 2*time.Second)
		return
	}
	for _, method := range []string{"Run", "Put", "Get", "Read", "Close", "String"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			suite := exec.CommandContext(ctx, os.Args[0],
				"-test.run=^TestSuiteEndsWhereAnExecutorHangs$")
			suite.Env = append(os.Environ(), hangsAt+"="+method)
			out, err := suite.CombinedOutput()
			if ctx.Err() != nil || err == nil || !strings.Contains(string(out),
				method+" did not return within 2s") {
				t.Errorf("the suite ends with %v, and should name %s:\n%s", err, method, out)
			}
		})
	}
}
