package checkup

import (
	"bufio"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/scripttest"
	"github.com/pgha/toolkit/pgha/doctor"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestPsqlIsTheSecondChoice: a server that answers is not asked by psql; one that does not is, for
// the reason.
func TestPsqlIsTheSecondChoice(t *testing.T) {
	t.Parallel()
	sp, err := spec.Load("../testdata/spec.yaml")
	if err != nil {
		t.Fatal(err)
	}
	argv := sqlQuestions(sp, time.Hour)[0][0].argv
	for name, tt := range map[string]struct {
		perl, psql, says string
		code, programs   int
	}{
		"it answers": {"printf '{\"version\": \"18 b\\303\\266\"}\\n'", "exit 9",
			"{\"version\": \"18 bö\"}\n", 0, 1},
		"it lets nobody in": {"exit 1", "echo 'FATAL: too many clients' >&2; exit 2",
			"FATAL: too many clients\n", 2, 2},
		"a statement fails": {"", "echo 'ERROR: no'; exit 1", "ERROR: no\n", 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := scripttest.Run{With: "sh", Script: argv[2], Args: argv[4:],
				Fakes: map[string]string{"perl": tt.perl, "setpriv": tt.psql}}.Do(t)
			if r.Stdout != tt.says || r.Code != tt.code {
				t.Errorf("got %+v", r)
			}
			started := 0
			for _, call := range r.Calls {
				switch {
				case strings.HasPrefix(call, "perl "):
					started++
				case strings.HasPrefix(call,
					"setpriv --reuid postgres --regid postgres --init-groups timeout 3 env -i "):
					started++
				}
			}
			if started != tt.programs {
				t.Errorf("%d programs: %q", started, r.Calls)
			}
		})
	}
}

// TestSessionsOfALook counts what a look opens on a host: a session for each group that may have to
// wait, and none more.
func TestSessionsOfALook(t *testing.T) {
	t.Parallel()
	c := brokenCluster(t, false)
	for host, want := range map[string]int32{"postgres-01": 4, "haproxy-01": 2} {
		target, err := c.Target(host)
		if err != nil {
			t.Fatal(err)
		}
		var sessions atomic.Int32
		target.Executor = remote.Audit(target.Executor,
			func(remote.Cmd, remote.Result, error) { sessions.Add(1) })
		i := slices.IndexFunc(c.Spec.Hosts, func(h spec.Host) bool { return h.Name == host })
		h := c.Spec.Hosts[i]
		lookAt(t.Context(), c, &doctor.Host{Name: h.Name, Address: h.Address, Member: h.Member,
			Role: h.Role},
			time.Hour)
		if got := sessions.Load(); got != want {
			t.Errorf("%s: %d sessions, want %d", host, got, want)
		}
	}
}

// TestBalancerQuestions asks a socket that answers, and one that is not there.
func TestBalancerQuestions(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			line, _ := bufio.NewReader(conn).ReadString('\n')
			_, _ = io.WriteString(conn, "you said "+line)
			conn.Close()
		}
	}()
	for _, q := range balancerQuestions()[1:] {
		args := slices.Clone(q.argv[4:])
		words := args[2]
		args[1] = socket
		r := scripttest.Run{With: "sh", Script: q.argv[2], Args: args}.Do(t)
		if r.Stdout != "you said "+words+"\n" || r.Code != 0 {
			t.Errorf("%s: %+v", words, r)
		}
		args[1] += "-that-is-not-there"
		r = scripttest.Run{With: "sh", Script: q.argv[2], Args: args}.Do(t)
		if r.Stdout != "No such file or directory\n" || r.Code == 0 {
			t.Errorf("%s, with nobody there: %+v", words, r)
		}
	}
}
