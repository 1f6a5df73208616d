package labtest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha"
)

// testLogs writes lines that can be recognised into the journals of units, and reads them with the
// CLI.
func testLogs(t *testing.T, s site) {
	t.Run("order and filters", func(t *testing.T) { testLogOrder(t, s) })
	t.Run("postgresql", func(t *testing.T) { testPostgreSQLLog(t, s) })
	t.Run("follow", func(t *testing.T) { testLogFollow(t, s) })
	t.Run("an unreachable host", func(t *testing.T) { testLogUnreachable(t, s) })
	t.Run("bad input", func(t *testing.T) {
		for _, c := range []struct {
			args []string
			says string
		}{
			{[]string{"logs"}, "wants a component"},
			{[]string{"logs", "patrony"}, `Did you mean "patroni"?`},
			{[]string{"logs", "patroni", "postgres-11"}, "did you mean postgres-01?"},
			{[]string{"logs", "etcd", "haproxy-01"}, "runs no etcd"},
			{[]string{"logs", "etcd", "--since", "tomorrow"}, "a time is"},
		} {
			if got := s.cli(t, c.args...); got.code != 64 || !strings.Contains(got.stderr, c.says) {
				t.Errorf("%v: exit code %d\n%s%s", c.args, got.code, got.stdout, got.stderr)
			}
		}
	})
}

// say writes a line into the journal as if the unit had; \377 in it is no UTF-8. The journal asks
// the kernel who wrote a line, so the writer must live until the line has been taken.
func (s site) say(t *testing.T, host, unit, line string) {
	t.Helper()
	s.mustInHost(t, host,
		fmt.Sprintf(
			`echo $$ >/sys/fs/cgroup/system.slice/%s/cgroup.procs && { printf '%s\n'; journalctl --sync; } | logger -t %s`, unit, line, unit))
}

// logEntries runs logs with --output json.
func logEntries(t *testing.T, s site, args ...string) []pgha.LogEntry {
	t.Helper()
	got := s.cli(t, append([]string{"logs", "--output", "json"}, args...)...)
	if got.code != 0 {
		t.Fatalf("logs %v: exit code %d\n%s", args, got.code, got.stderr)
	}
	var entries []pgha.LogEntry
	for line := range strings.Lines(got.stdout) {
		var e pgha.LogEntry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in line %q", err, line)
		}
		entries = append(entries, e)
	}
	return entries
}

func testLogOrder(t *testing.T, s site) {
	turns := []string{"postgres-02", "postgres-01", "postgres-03", "postgres-01", "postgres-02"}
	// journald may come too late to see which unit a line's short-lived writer belongs to: then it
	// is said again.
	await(t, time.Minute, "lines of three hosts in their order", func() (bool, string) {
		mark := fmt.Sprintf("order-%d", time.Now().UnixNano())
		var got, want []string
		for i, host := range turns {
			s.say(t, host, "etcd.service", fmt.Sprintf("%s-%d-\\377", mark, i))
			want = append(want, fmt.Sprintf("%s %s-%d-\uFFFD", host, mark, i))
		}
		for _, e := range logEntries(t, s, "etcd", "--since", "5m") {
			if strings.HasPrefix(e.Message, mark) {
				got = append(got, e.Host+" "+e.Message)
			}
		}
		return slices.Equal(got, want), fmt.Sprintf("got %q, want %q", got, want)
	})
	last := logEntries(t, s, "all", "--lines", "20")
	if len(last) != 20 || !slices.IsSortedFunc(last,
		func(a, b pgha.LogEntry) int { return a.Time.Compare(b.Time) }) {
		t.Errorf("--lines 20 gave %d lines, or not in order: %+v", len(last), last)
	}
	for _, e := range logEntries(t, s, "all", "haproxy-01", "--since", "1h") {
		if e.Host != "haproxy-01" || e.Unit != "haproxy.service" && e.Unit != "keepalived.service" {
			t.Errorf("a line of %s of %s", e.Unit, e.Host)
		}
	}
}

// testPostgreSQLLog tells PostgreSQL's lines from Patroni's, which are in one journal.
func testPostgreSQLLog(t *testing.T, s site) {
	mark := fmt.Sprintf("mark%d", time.Now().UnixNano())
	s.inHost(t, "postgres-01", "runuser -u postgres -- psql -XAtqc 'SELECT "+mark+"'")
	found := func(component string) int {
		n := 0
		for _, e := range logEntries(t, s, component, "--since", "5m") {
			if server := e.Program == "postgres"; server != (component == "postgresql") &&
				e.Program != "initdb" {
				t.Errorf("%s has a line of %s: %s", component, e.Program, e.Message)
			}
			if strings.Contains(e.Message, mark) {
				n++
			}
		}
		return n
	}
	if n := found("postgresql"); n != 2 { // the error and its statement
		t.Errorf("PostgreSQL's log has the failed statement %d times", n)
	}
	if n := found("patroni"); n != 0 {
		t.Errorf("Patroni's log has PostgreSQL's failed statement %d times", n)
	}
}

// testLogFollow reads what comes after it has begun, and leaves nothing behind, whether it is asked
// to end or killed.
func testLogFollow(t *testing.T, s site) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGKILL} {
		cmd := exec.CommandContext(t.Context(), binary, "--lab", "--lab-name", s.Name(), "--spec",
			s.specFile, "logs", "all", "--follow", "--lines", "1")
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		seen := make(chan string)
		go func() {
			defer close(seen)
			for lines := bufio.NewScanner(stdout); lines.Scan(); {
				select {
				case seen <- lines.Text():
				case <-t.Context().Done():
				}
			}
		}()
		<-seen // the old line: it runs
		hosts := []string{"haproxy-03", "postgres-02", "haproxy-01"}
		for i, host := range hosts {
			unit := map[bool]string{
				true: "haproxy.service", false: "patroni.service",
			}[strings.HasPrefix(host, "haproxy")]
			want := fmt.Sprintf("follow-%d-%d", i, time.Now().UnixNano())
			s.say(t, host, unit, want)
			awaitLine(t, seen, want)
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		for range seen {
		}
		err = cmd.Wait()
		var exit *exec.ExitError
		if signal == os.Interrupt && (!errors.As(err, &exit) || exit.ExitCode() != 130) {
			t.Errorf("Ctrl-C: %v, want exit code 130", err)
		}
		for _, h := range s.Hosts() {
			await(t, 15*time.Second, "journalctl to end on "+h.Name, func() (bool, string) {
				out, _ := s.inHost(t, h.Name, "pgrep -ax journalctl")
				return out == "", out
			})
		}
	}
}

func awaitLine(t *testing.T, seen <-chan string, want string) {
	t.Helper()
	bound := time.After(10 * time.Second)
	for {
		select {
		case line, ok := <-seen:
			if !ok {
				t.Fatalf("it ended before %s", want)
			}
			if strings.Contains(line, want) {
				return
			}
		case <-bound:
			t.Fatalf("waited 10 s for %s", want)
		}
	}
}

func testLogUnreachable(t *testing.T, s site) {
	mark := fmt.Sprintf("alone-%d", time.Now().UnixNano())
	s.say(t, "postgres-01", "etcd.service", mark)
	if err := s.Cut(t.Context(), "postgres-03"); err != nil {
		t.Fatal(err)
	}
	got := s.cli(t, "logs", "etcd", "--since", "5m")
	if err := s.Heal(t.Context(), "postgres-03"); err != nil {
		t.Fatal(err)
	}
	if got.code != 0 || !strings.Contains(got.stdout, mark) ||
		!strings.Contains(got.stderr, "postgres-03") {
		t.Errorf("exit code %d, the others' lines: %v\n%s", got.code,
			strings.Contains(got.stdout, mark), got.stderr)
	}
	s.awaitHealthy(t)
}
