package labtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// binary is pgha-cli, built once for all tests.
var binary string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	if !labWanted() {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "pgha-labtest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "pgha-cli")
	if out, err := exec.Command("go", "build", "-o", binary,
		"github.com/pgha/toolkit/cmd/pgha-cli").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build pgha-cli: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

func labWanted() bool { return os.Getenv("PGHA_LAB") == "1" }

// runPart is t.Run for a part of a test that has its lab: one that a few minutes are enough for.
func runPart(t *testing.T, name string, run func(*testing.T)) bool {
	t.Helper()
	return t.Run(name, func(t *testing.T) {
		wantTime(t, 4*time.Minute)
		run(t)
	})
}

// wantTime leaves a test out when a run with an end, PGHA_TEST_UNTIL in seconds of Unix, has less
// time left than the test takes on a slow machine: the others then have it, and their results
// count. What is left out is named in the file PGHA_TEST_LEFT_OUT.
func wantTime(t *testing.T, needed time.Duration) {
	t.Helper()
	end, err := strconv.ParseInt(os.Getenv("PGHA_TEST_UNTIL"), 10, 64)
	if err != nil || time.Until(time.Unix(end, 0)) >= needed {
		return
	}
	note(t, "PGHA_TEST_LEFT_OUT", t.Name())
	t.Skipf("left out: it may take %s, and the run's time ends before", needed)
}

// tellTime writes how long a test took into the file PGHA_TEST_TIMES, which its run prints.
func tellTime(t *testing.T, start time.Time) {
	t.Helper()
	verdict := "passed"
	if t.Failed() {
		verdict = "FAILED"
	}
	note(t, "PGHA_TEST_TIMES", fmt.Sprintf("%6.0f s  %s  %s", time.Since(start).Seconds(), verdict,
		t.Name()))
}

// note adds a line to the file that a variable names, if it does.
func note(t *testing.T, variable, line string) {
	t.Helper()
	name := os.Getenv(variable)
	if name == "" {
		return
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Error(err)
		return
	}
	defer file.Close()
	fmt.Fprintln(file, line)
}

// soak reports whether the run is one of hours, `make soak`, rather than one of `make test`.
func soak() bool { return os.Getenv("PGHA_SOAK") == "1" }

// all reports whether the run is one before a release, `make lab-test-all`, or a soak.
func all() bool { return os.Getenv("PGHA_LAB_ALL") == "1" || soak() }

// rarely leaves a test to `make lab-test-all`, which is run before a release: what it shows is
// shown in another way as well, and `make test` shall end within an hour on two cores.
func rarely(t *testing.T) {
	t.Helper()
	if !all() {
		t.Skip("it is one of make lab-test-all")
	}
}

// rare is a part of a test that is run rarely.
func rare(run func(*testing.T, site)) func(*testing.T, site) {
	return func(t *testing.T, s site) {
		t.Helper()
		rarely(t)
		run(t, s)
	}
}

// times returns how many times a test repeats what no single try can show.
func times(normally, soaking int) int {
	if soak() {
		return soaking
	}
	return normally
}
