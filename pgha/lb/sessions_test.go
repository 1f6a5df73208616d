package lb

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeHAProxy answers on the two sockets of a HAProxy 3.2.26 with one former worker.
type fakeHAProxy struct {
	mu     sync.Mutex
	status string // of the write port's postgresql-01
	gone   bool   // the former worker
	asked  []string
}

// formerSessions is what a former worker answers to "show sess"; it was recorded, and the second
// server added.
const formerSessions = `0x7f56c765bc00: proto=sockpair src=unix:1 fe=GLOBAL be=<NONE> srv=<none> ts=00 epoch=0 age=0s calls=1
0x7f56c6441000: proto=tcpv4 src=192.168.0.204:47084 fe=postgres_write be=postgres_write srv=postgresql-01 ts=00 epoch=0 age=4s calls=3
0x7f56c6442000: proto=tcpv4 src=192.168.0.204:47085 fe=postgres_read be=postgres_read srv=postgresql-01 ts=00 epoch=0 age=4s calls=3
0x7f56c6443000: proto=tcpv6 src=[fd00::4]:47086 fe=postgres_write be=postgres_write srv=postgresql-01 ts=00 epoch=0 age=4s calls=3
`

func (f *fakeHAProxy) answer(words string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, words)
	switch {
	case words == "show proc":
		text := "#<PID>          <type>          <reloads>\n803             master          1 " +
			"[failed: 0]\n# workers\n1457            worker          0\n"
		if !f.gone {
			text += "# old workers\n805             worker          1\n"
		}
		return text + "# programs\n\n"
	case words == "show stat -1 4 -1":
		line := func(proxy, status string) string {
			return proxy + strings.Repeat(",", 16) + status + ",1,\n"
		}
		return "# pxname,svname,qcur\n" + line("postgres_write,postgresql-01", f.status) +
			line("postgres_read,postgresql-01", "UP 1/2")
	case words == "@!805 show sess":
		return formerSessions
	}
	return "\n"
}

func (f *fakeHAProxy) set(change func(*fakeHAProxy)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// ended are the sessions that were shut down.
func (f *fakeHAProxy) ended() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, words := range f.asked {
		for part := range strings.SplitSeq(words, ";") {
			if session, ok := strings.CutPrefix(part, "@!805 shutdown session "); ok {
				all = append(all, session)
			}
		}
	}
	return all
}

func (f *fakeHAProxy) serve(t *testing.T, path string) {
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			words, _ := bufio.NewReader(conn).ReadString('\n')
			_, _ = io.WriteString(conn, f.answer(strings.TrimSpace(words)))
			_ = conn.Close()
		}
	}()
}

func TestFormerSessionsEndWithTheirServer(t *testing.T) {
	t.Parallel()
	perl, err := exec.LookPath("perl")
	if err != nil {
		t.Skip("no perl here")
	}
	dir := t.TempDir()
	script := filepath.Join(dir, "sessions.pl")
	if err := os.WriteFile(script, sessionsScript, 0o600); err != nil {
		t.Fatal(err)
	}
	f := &fakeHAProxy{status: "UP"}
	f.serve(t, filepath.Join(dir, "present"))
	f.serve(t, filepath.Join(dir, "master"))
	var out strings.Builder
	run := exec.CommandContext(t.Context(), perl, script, filepath.Join(dir, "present"),
		filepath.Join(dir, "master"))
	run.Stdout, run.Stderr = &out, &out
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	wait := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(
			20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: asked %q", what, f.asked)
			}
		}
	}
	looks := func() (n int) {
		f.set(func(f *fakeHAProxy) {
			for _, words := range f.asked {
				if words == "show proc" {
					n++
				}
			}
		})
		return n
	}
	wait("two looks", func() bool { return looks() > 1 })
	if got := f.ended(); len(got) > 0 {
		t.Errorf("ended %q while the server is up", got)
	}
	want := []string{"0x7f56c6441000", "0x7f56c6443000"} // of the write port alone
	f.set(func(f *fakeHAProxy) { f.status = "DOWN" })
	wait("the sessions to be ended", func() bool { return len(f.ended()) > 0 })
	before := looks()
	wait("two looks more", func() bool { return looks() > before+1 })
	if got := f.ended(); !slices.Equal(got, want) {
		t.Errorf("ended %q, want each of %q once", got, want)
	}
	f.set(func(f *fakeHAProxy) { f.status = "UP" })
	before = looks()
	wait("two looks more", func() bool { return looks() > before+1 })
	f.set(func(f *fakeHAProxy) { f.status = "MAINT" })
	wait("the sessions to be ended again", func() bool { return len(f.ended()) > 2 })
	f.set(func(f *fakeHAProxy) { f.gone = true })
	if err := run.Wait(); err != nil || !strings.Contains(out.String(),
		"ended 2 sessions of the former worker 805 with postgres_write/postgresql-01, which is "+
			"down\n") {
		t.Errorf("%v: %s", err, out.String())
	}
}

func TestFormerSessionsWithoutHAProxy(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("perl"); err != nil {
		t.Skip("no perl here")
	}
	run := exec.CommandContext(t.Context(), "perl", "-", "/nonexistent/present",
		"/nonexistent/master")
	run.Stdin = strings.NewReader(string(sessionsScript))
	if out, err := run.CombinedOutput(); err == nil ||
		!strings.Contains(string(out), "connect /nonexistent/master: No such file") {
		t.Errorf("%v: %s", err, out)
	}
}
