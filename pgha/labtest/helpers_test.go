package labtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/schematest"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/spec"
)

// site is a lab with the specification of the cluster on it.
type site struct {
	*lab.Lab
	specFile string
	// environment is what runs of the CLI get beside the process's own.
	environment []string
}

// startLab boots a fresh lab and removes it at the end of the test.
func startLab(t *testing.T, options lab.Options) *lab.Lab {
	t.Helper()
	if !labWanted() {
		t.Skip("boots systemd hosts as root; set PGHA_LAB=1 to run it")
	}
	wantTime(t, 6*time.Minute)
	start := time.Now()
	t.Cleanup(func() { tellTime(t, start) })
	down := func() {
		if err := lab.Down(context.WithoutCancel(t.Context()), options); err != nil {
			t.Error(err)
		}
	}
	down() // what a test that was killed left
	t.Cleanup(down)
	l, err := lab.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// newSite writes a specification for the lab's hosts: the lab's own, changed by edit if that is not
// nil.
func newSite(t *testing.T, l *lab.Lab, edit func(text string) string) site {
	t.Helper()
	text, err := l.Spec()
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		text = []byte(edit(string(text)))
	}
	s := site{Lab: l, specFile: filepath.Join(t.TempDir(), "pgha.yaml")}
	writeFile(t, s.specFile, text)
	return s
}

// edited is a text with something in place of something else, once. It fails where that is not in
// the text: a test that changes nothing tests another case than its name says.
func edited(t *testing.T, text, from, to string) string {
	t.Helper()
	if !strings.Contains(text, from) {
		t.Fatalf("no %q in:\n%s", from, text)
	}
	return strings.Replace(text, from, to, 1)
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s site) spec(t *testing.T) *pgha.Spec {
	t.Helper()
	sp, err := spec.Load(s.specFile)
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// with connects to the cluster for f alone, so that the state directory is free for the next one.
func (s site) with(t *testing.T, opts pgha.ConnectOptions, f func(*pgha.Cluster)) {
	t.Helper()
	opts.Dial = s.DialContext
	if opts.Lookup == nil {
		opts.Lookup = s.Lookup
	}
	c, err := pgha.Connect(t.Context(), s.spec(t), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f(c)
}

// apply runs Apply and fails the test unless it succeeds.
func (s site) apply(t *testing.T, opts pgha.ApplyOptions) pgha.Report {
	t.Helper()
	var report pgha.Report
	s.with(t, pgha.ConnectOptions{}, func(c *pgha.Cluster) {
		var err error
		if report, err = c.Apply(t.Context(), opts); err != nil {
			t.Fatal(err)
		}
	})
	return report
}

// applyNothing fails the test if Apply finds anything to change.
func (s site) applyNothing(t *testing.T) {
	t.Helper()
	report := s.apply(t, pgha.ApplyOptions{})
	t.Logf("apply with nothing to change: %s", report.Duration.Round(time.Millisecond))
	for _, c := range report.Changes {
		t.Errorf("apply changed %s: %s\n%s", c.Host, c, c.Diff)
	}
}

// verify waits until every check passes. Right after an operation some do not for seconds: after a
// power loss the DCS may remember a healthy cluster for a while, HAProxy has to see a new replica,
// and the address moves back to its first holder, which cuts the sessions of a check that runs just
// then.
func (s site) verify(t *testing.T) {
	t.Helper()
	await(t, healthyWithin, "every check to pass", func() (passed bool, seen string) {
		s.with(t, pgha.ConnectOptions{ReadOnly: true}, func(c *pgha.Cluster) {
			checks, err := c.Verify(t.Context(), nil)
			passed = err == nil
			for _, ck := range checks {
				if !ck.OK {
					seen += "\n" + ck.Name + ": " + ck.Problem
				}
			}
			seen = fmt.Sprint(err) + seen
		})
		return passed, seen
	})
}

func (s site) status(t *testing.T) pgha.Status {
	t.Helper()
	var status pgha.Status
	s.with(t, pgha.ConnectOptions{ReadOnly: true, AllowUnreachable: true}, func(c *pgha.Cluster) {
		var err error
		if status, err = c.Status(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	return status
}

// healthyWithin is how long a cluster may take to heal after a host came back.
const healthyWithin = 120 * time.Second

// awaitHealthy waits until everything is as it should be.
func (s site) awaitHealthy(t *testing.T) pgha.Status {
	t.Helper()
	start := time.Now()
	var status pgha.Status
	await(t, healthyWithin, "the cluster to be healthy", func() (bool, string) {
		status = s.status(t)
		return status.Healthy() && len(status.Errors) == 0, fmt.Sprintf("%+v", status)
	})
	t.Logf("healthy after %s", time.Since(start).Round(100*time.Millisecond))
	return status
}

// await polls until ok; ok also tells what was seen.
func await(t *testing.T, bound time.Duration, what string, ok func() (bool, string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	for {
		done, seen := ok()
		if done {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited %s for %s; last seen: %s", bound, what, seen)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// inHost runs a shell script in a host and returns its output with its exit code.
func (s site) inHost(t *testing.T, host, script string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	code, err := s.Exec(ctx, host, []string{"sh", "-c", script}, lab.Stdio{
		In: strings.NewReader(""), Out: &out, Err: &out,
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String()), code
}

// mustInHost is inHost for what has to succeed.
func (s site) mustInHost(t *testing.T, host, script string) string {
	t.Helper()
	out, code := s.inHost(t, host, script)
	if code != 0 {
		t.Fatalf("%s: exit code %d of %s\n%s", host, code, script, out)
	}
	return out
}

// databases returns the database hosts.
func (s site) databases() []lab.Host {
	var hosts []lab.Host
	for _, h := range s.Hosts() {
		if h.Role == lab.RoleDatabase {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

// outcome is what a run of pgha-cli gave.
type outcome struct {
	stdout, stderr string
	code           int
	took           time.Duration
}

// cli runs pgha-cli on the lab's cluster.
func (s site) cli(t *testing.T, args ...string) outcome {
	t.Helper()
	got := runCLIWith(t, s.environment, append([]string{
		"--lab", "--lab-name", s.Name(), "--spec", s.specFile,
	}, args...)...)
	schematest.Check(t, "../../docs/output.schema.json", args, got.stdout)
	return got
}

func runCLI(t *testing.T, args ...string) outcome {
	t.Helper()
	return runCLIWith(t, nil, args...)
}

// runCLIWith adds to the environment of this run alone: tests that run side by side share the
// process's own.
func runCLIWith(t *testing.T, env []string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode(), time.Since(start)}
}
