package labtest

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/golden"
)

// testOnATerminal changes a file by hand and has apply put it back: on a terminal of 80 columns,
// where it shows the plan and asks, and in a pipe, where it continues.
func testOnATerminal(t *testing.T, s site) {
	const host, file = "haproxy-03", "/etc/haproxy/haproxy.cfg"
	damage := func() { s.mustInHost(t, host, "chmod 0600 "+file) }
	mode := func(want string) {
		t.Helper()
		if got := s.mustInHost(t, host, "stat -c %a "+file); got != want {
			t.Errorf("%s of %s has mode %s, want %s", file, host, got, want)
		}
	}
	// Right after an apply a change may be that one's own.
	await(t, time.Minute, "the change to count as one by hand", func() (bool, string) {
		damage()
		plan := s.cli(t, "plan")
		return strings.Contains(plan.stdout, "drift:"), plan.stdout + plan.stderr
	})
	refused := openScreen(t, s.command("apply"))
	refused.answer("[y/N]", "n")
	if text := refused.ended(); !strings.Contains(text, "not confirmed, nothing was changed") ||
		!strings.Contains(text, "exit code 1") {
		t.Errorf("a no:\n%s", text)
	}
	mode("600")

	agreed := openScreen(t, s.command("apply"))
	agreed.answer("[y/N]", "y")
	text := agreed.ended()
	if !strings.Contains(text, "exit code 0") {
		t.Errorf("a yes:\n%s", text)
	}
	mode("644")
	asked, done, _ := strings.Cut(text, "[y/N] y\n")
	golden.Check(t, "testdata/apply-asked.golden", []byte(steady(asked)))
	colours, _, _ := strings.Cut(agreed.capture("-e"), "[y/N] y\n")
	golden.Check(t, "testdata/apply-colours.golden", []byte(steady(colours)))
	golden.Check(t, "testdata/apply-done.golden", []byte(phases(done)))
	for line := range strings.SplitSeq(done[strings.Index(done, "\ncluster "):], "\n") {
		if n := len([]rune(line)); n > screenColumns {
			t.Errorf("%d columns: %s", n, line)
		}
	}

	damage()
	piped := s.cli(t, "apply")
	if piped.code != 0 {
		t.Errorf("in a pipe: exit code %d\n%s", piped.code, piped.stderr)
	}
	mode("644")
	golden.Check(t, "testdata/apply-done.golden", []byte(phases(piped.stderr+piped.stdout)))

	unchanged := openScreen(t, s.command("apply"))
	if text := unchanged.ended(); strings.Contains(text, "[y/N]") ||
		!strings.Contains(text, "0 changes in") {
		t.Errorf("with nothing to change:\n%s", text)
	}
}

// command is a run of the CLI on the site, as a shell takes it.
func (s site) command(args ...string) string {
	words := append([]string{binary, "--lab", "--lab-name", s.Name(), "--spec", s.specFile},
		args...)
	for i, word := range words {
		words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return strings.Join(words, " ")
}

const screenColumns = 80

// screen is a terminal of 80 columns with a program on it.
type screen struct {
	t      *testing.T
	socket string
}

// openScreen runs a command line on a new screen, which stays until the end of the test.
func openScreen(t *testing.T, line string) screen {
	t.Helper()
	s := screen{t, filepath.Join(t.TempDir(), "tmux")}
	line = "TERM=xterm-256color; export TERM; " + line + "; echo exit code $?; exec sleep infinity"
	s.tmux("-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(screenColumns), "-y",
		"300", line)
	t.Cleanup(func() {
		// The context of the test has ended by then.
		_ = exec.CommandContext(context.WithoutCancel(t.Context()), "tmux", "-S", s.socket,
			"kill-server").Run()
	})
	return s
}

func (s screen) tmux(args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "tmux",
		append([]string{"-u", "-S", s.socket}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// capture is what the screen shows, lines that go on in the next row joined.
func (s screen) capture(flags ...string) string {
	s.t.Helper()
	return strings.TrimRight(s.tmux(append([]string{"capture-pane", "-p", "-J"},
		flags...)...), "\n ")
}

// until waits until the screen shows what is wanted.
func (s screen) until(want string) string {
	s.t.Helper()
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		text := s.capture()
		if strings.Contains(text, want) {
			return text
		}
		if time.Now().After(end) {
			s.t.Fatalf("the screen never shows %q:\n%s", want, text)
		}
	}
}

// answer types once the question is there.
func (s screen) answer(question, text string) {
	s.t.Helper()
	s.until(question)
	s.tmux("send-keys", text, "Enter")
}

// ended waits for the end of the program and returns what the screen shows then.
func (s screen) ended() string {
	s.t.Helper()
	return s.until("exit code ")
}

var (
	stamps = regexp.MustCompile(` *\d+\.\d+s`)
	dates  = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`)
	author = regexp.MustCompile(`written by .*`)
)

// steady is text without times, without who wrote a file, and without warnings, of which a busy
// machine gets others.
func steady(text string) string {
	text = author.ReplaceAllString(dates.ReplaceAllString(stamps.ReplaceAllString(text, " 0.0s"),
		"DATE"), "written by ...")
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if !strings.Contains(line, "!") && !strings.Contains(line, "waiting for") {
			lines = append(lines, strings.TrimRight(line, " "))
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// phases are the lines about the work itself, before the summary, in the order of the alphabet:
// some phases run side by side.
func phases(text string) string {
	text, _, _ = strings.Cut(text, "changes in ")
	lines := strings.Split(strings.TrimRight(steady(text), "\n"), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}
