package checkup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/doctor"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// brokenHost is the Executor of a host on which nothing works.
type brokenHost struct {
	name  string
	hangs bool
}

func (h brokenHost) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	if cmd.Mutating {
		return remote.Result{}, errors.New("an examination changed something: " + cmd.String())
	}
	if h.hangs {
		<-ctx.Done()
		return remote.Result{}, remote.OnHost(h.name, ctx.Err())
	}
	// A batch: each of its questions fails, with nonsense.
	var out []byte
	for _, mark := range questionMark.FindAllString(cmd.Script, -1) {
		out = fmt.Appendf(out, "\x00\xff garbage\n= = =\n{[:\n\n%s 1\n", mark)
	}
	if out == nil {
		res := remote.Result{ExitCode: 1}
		return res, remote.NewExitError(h.name, cmd, res)
	}
	return remote.Result{Stdout: out}, nil
}

// questionMark is what a batch prints behind each answer.
var questionMark = regexp.MustCompile(`pgha-[A-Z0-9]{20,}`)

func (brokenHost) Put(context.Context, io.Reader, remote.FileMeta) (bool, error) {
	return false, errors.New("an examination wrote a file")
}
func (brokenHost) Get(context.Context, string) (io.ReadCloser, error) { return nil, fs.ErrNotExist }
func (brokenHost) Close() error                                       { return nil }
func (h brokenHost) String() string                                   { return h.name }

// brokenCluster has hosts that answer nonsense and two that cannot be reached; postgres-02 may
// hang.
func brokenCluster(t *testing.T, hangs bool) *pgha.Cluster {
	t.Helper()
	sp, err := spec.Load("../testdata/spec.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sp.StateDir = filepath.Join(t.TempDir(), "state")
	c, err := pgha.Connect(t.Context(), sp, pgha.ConnectOptions{
		AllowUnreachable: true,
		Executor: func(_ context.Context, h spec.Host) (remote.Executor, error) {
			switch h.Name {
			case "postgres-03", "haproxy-03":
				return nil, errors.New("connection refused")
			case "postgres-02":
				return brokenHost{h.Name, hangs}, nil
			}
			return brokenHost{h.Name, false}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestExamineHalfDead: whatever hosts answer, and when they do not, there is a diagnosis in time.
func TestExamineHalfDead(t *testing.T) {
	t.Parallel()
	c := brokenCluster(t, true)
	start := time.Now()
	d, err := Examine(t.Context(), c, Options{Timeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	if d.Healthy || d.HostsTotal != 6 || d.Hosts > 4 {
		t.Errorf("healthy: %v, %d of %d hosts", d.Healthy, d.Hosts, d.HostsTotal)
	}
	for _, host := range []string{"postgres-02", "postgres-03", "haproxy-03"} {
		if len(d.Find("host-unreachable@"+host)) == 0 {
			t.Errorf("%s is silent, and that is no finding", host)
		}
	}
	if !slices.ContainsFunc(d.Unknown, func(s string) bool {
		return strings.HasPrefix(s, "what apply would change")
	}) {
		t.Errorf("what apply would change is not known, and nobody says so: %q", d.Unknown)
	}
	for _, f := range d.Findings {
		if f.Title == "" || f.Evidence == nil || f.Remedy == nil {
			t.Errorf("%s is not whole: %+v", f.Key(), f)
		}
	}
}

// TestExamineEnds: an examination ends with its context, and says so.
func TestExamineEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Examine(ctx, brokenCluster(t, true), Options{Timeout: time.Hour}); !errors.Is(err,
		context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// TestBundleHalfDead: an archive of a broken cluster says for each host why something is missing,
// and has the diagnosis in the caller's words.
func TestBundleHalfDead(t *testing.T) {
	t.Parallel()
	b, err := Bundle(t.Context(), brokenCluster(t, false), Options{Timeout: 300 * time.Millisecond,
		Write: func(doctor.Diagnosis) any { return "in the caller's words" }})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"diagnosis.json", "facts.json", "spec.yaml", "postgres-03/error.txt",
		"haproxy-01/haproxy.cfg",
	} {
		if !slices.Contains(b.Files, want) {
			t.Errorf("%s is missing: %v", want, b.Files)
		}
	}
}
