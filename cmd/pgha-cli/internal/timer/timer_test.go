package timer

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func example(dir string, run func(context.Context, ...string) (string, error)) Timer {
	return Timer{Name: "pgha-certificates-shop", Purpose: "Certificates of shop", Calendar: "daily",
		Command: []string{"/usr/bin/pgha-cli", "--spec", "/home/a b/100%$.yaml", "certificates"},
		Dir:     dir, Run: run}
}

// TestInstallAndRemove: both units come and go, and systemd is told.
func TestInstallAndRemove(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "units")
	var told []string
	timer := example(dir, func(_ context.Context, args ...string) (string, error) {
		told = append(told, strings.Join(args, " "))
		return "", nil
	})
	for range 2 {
		if err := timer.Install(t.Context()); err != nil || !timer.Installed() {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "pgha-certificates-shop.service"))
	if err != nil || !strings.Contains(string(text),
		"\nExecStart=/usr/bin/pgha-cli --spec \"/home/a b/100%%$$.yaml\" certificates\n") {
		t.Errorf("%v\n%s", err, text)
	}
	for range 2 {
		if err := timer.Remove(t.Context()); err != nil || timer.Installed() {
			t.Errorf("it is still there: %v", err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if !slices.Contains(told, "enable --now pgha-certificates-shop.timer") ||
		!slices.Contains(told, "disable --now pgha-certificates-shop.timer") {
		t.Errorf("told systemd: %q", told)
	}
}

// TestUnitsAreTaken: systemd itself has nothing to say against them.
func TestUnitsAreTaken(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze here")
	}
	dir := t.TempDir()
	timer := example(dir, nil)
	timer.Command[0] = "/bin/true"
	timer.Run = func(context.Context, ...string) (string, error) { return "", nil }
	if err := timer.Install(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no",
		filepath.Join(dir, timer.timer()), filepath.Join(dir, timer.service())).CombinedOutput()
	if strings.Contains(string(out), "pgha-certificates-shop") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestLook(t *testing.T) {
	t.Parallel()
	timer := example(t.TempDir(), func(_ context.Context, args ...string) (string, error) {
		if args[len(args)-1] == "pgha-certificates-shop.service" {
			return "Result=exit-code\n", nil
		}
		return "ActiveState=active\nNextElapseUSecRealtime=Tue 2026-12-01 00:00:00 UTC\n" +
			"LastTriggerUSec=\n", nil
	})
	got, err := timer.Look(t.Context())
	if diff := cmp.Diff(State{Active: true, Next: "Tue 2026-12-01 00:00:00 UTC",
		Result: "exit-code"}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// TestHowOften: a timer runs at least as often as it has to, at moments that repeat each day.
func TestHowOften(t *testing.T) {
	t.Parallel()
	for every, want := range map[time.Duration][3]string{
		0:                   {"daily", "15min", "17 3 * * * "},
		60 * 24 * time.Hour: {"daily", "15min", "17 3 * * * "},
		24 * time.Hour:      {"daily", "15min", "17 3 * * * "},
		11 * time.Hour:      {"*-*-* 00/8:00:00", "5min", "17 */8 * * * "},
		2 * time.Hour:       {"*-*-* 00/2:00:00", "5min", "17 */2 * * * "},
		59 * time.Minute:    {"*-*-* *:00/30:00", "5s", "*/30 * * * * "},
		10 * time.Minute:    {"*-*-* *:00/10:00", "5s", "*/10 * * * * "},
		50 * time.Second:    {"*-*-* *:00/1:00", "5s", "*/1 * * * * "},
	} {
		timer := example("", nil)
		timer.Calendar, timer.Every = "", every
		got := [3]string{timer.calendar(), timer.delay(), timer.Cron()[:len(want[2])]}
		if got != want {
			t.Errorf("%s: %q, want %q", every, got, want)
		}
		if unit := timer.Unit(); !strings.Contains(unit, "\nOnCalendar="+want[0]+"\n") ||
			!strings.Contains(unit, "\nRandomizedDelaySec="+want[1]+"\n") {
			t.Errorf("%s:\n%s", every, unit)
		}
	}
	if timer := example("", nil); timer.calendar() != "daily" {
		t.Errorf("a calendar that is given: %s", timer.calendar())
	}
}
