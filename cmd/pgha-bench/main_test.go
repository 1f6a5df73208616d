package main

import (
	"context"
	"strings"
	"testing"
)

// TestWrongCommandLine: what cannot be measured is refused with 64 before a lab is touched, and
// says why.
func TestWrongCommandLine(t *testing.T) {
	t.Parallel()
	for args, says := range map[string]string{
		"operations":               `"operations" is none`,
		"-scale 100":               `"100" is none`,
		"-runs -1 -scale":          "a number of runs is positive",
		"-runs many":               `invalid value "many"`,
		"-operations -scale":       "give one of them",
		"-only switchover":         "go with -operations",
		"-scale -only switchover":  "go with -operations",
		"-operations -only swich":  `no operation is called "swich"; there are power-safe`,
		"-operations -only a,,b":   `no operation is called "a"`,
		"-operations -client x":    "there is no such client",
		"-client pools":            "go with -operations",
		"-nodes 3":                 "not defined: -nodes",
		"-hosts -scale":            "give one of them",
		"-hosts -runs 2":           "leave -runs out",
		"-hosts -backups":          "give one of them",
		"-backups -runs 2":         "leave -runs out",
		"-size 200":                "goes with -backups",
		"-backups -size -1":        "goes with -backups",
		"-lab-name":                "needs an argument",
		"-operations -runs 1 -n x": "not defined: -n",
	} {
		var stdout, stderr strings.Builder
		if code := run(strings.Fields(args), &stdout, &stderr); code != 64 || stdout.Len() > 0 ||
			!strings.Contains(stderr.String(), says) {
			t.Errorf("%s ends with %d, want 64 and %q:\n%s", args, code, says, stderr.String())
		}
	}
	var stdout, stderr strings.Builder
	if code := run([]string{"-help"}, &stdout, &stderr); code != 0 ||
		!strings.Contains(stderr.String(), "simulated hosts") {
		t.Errorf("-help ends with %d: %s", code, stderr.String())
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]options{
		"":                    {name: "bench"},
		"-lab-name x -runs 3": {name: "x", runs: 3},
		"-backups -size 200":  {name: "bench", backups: true, sizeMB: 200},
		"-scale -runs 0":      {name: "bench", scale: true},
		"-operations -only switchover,power-fast": {name: "bench", operations: true,
			only: "switchover,power-fast"},
	} {
		if got, err := parse(strings.Fields(args), &strings.Builder{}); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", args, got, err, want)
		}
	}
	if orDefault(0, 10) != 10 || orDefault(2, 10) != 2 {
		t.Error("a number of runs that is given is not taken")
	}
}

// TestInterruptedScale: an interrupted measurement says so, and prints no row that was not
// measured.
func TestInterruptedScale(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out strings.Builder
	err := scale(ctx, 1, &out)
	if err == nil || !strings.Contains(err.Error(), "first run") {
		t.Errorf("got %v", err)
	}
	if got := strings.Count(out.String(), "\n"); got != 2 || strings.Contains(out.String(), "<=") {
		t.Errorf("%d lines:\n%s", got, out.String())
	}
}
