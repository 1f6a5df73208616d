package lab

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/pgha/toolkit/internal/etcdrelease"
)

func TestLab(t *testing.T) {
	needLab(t)
	l := startLab(t, "test-lab", 3)
	t.Run("ssh", func(t *testing.T) { testSSH(t, l) })
	t.Run("dial", func(t *testing.T) { testDial(t, l) })
	t.Run("exec", func(t *testing.T) { testExec(t, l) })
	t.Run("run", func(t *testing.T) { testRun(t, l) })
	t.Run("packages", func(t *testing.T) { testPackages(t, l) })
	t.Run("etcd", func(t *testing.T) { testEtcd(t, l) })
	t.Run("cable", func(t *testing.T) { testCable(t, l) })
	t.Run("power", func(t *testing.T) { testPower(t, l) })
	t.Run("reboot", func(t *testing.T) { testReboot(t, l) })
	t.Run("again", func(t *testing.T) { testStartAgain(t, l) })
	t.Run("add", func(t *testing.T) { testAdd(t, l) })
	t.Run("down", func(t *testing.T) { testDown(t, l) })
}

func testSSH(t *testing.T, l *Lab) {
	private, err := os.ReadFile(l.SSHKeyFile())
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParsePrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	check, err := knownhosts.New(l.KnownHostsFile())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		user, command, want string
		auth                ssh.AuthMethod
	}{
		{"root", "id -un; hostname; cat /etc/machine-id | wc -c", "root postgres-02 33",
			ssh.PublicKeys(key)},
		{"admin", "sudo -n id -un", "root", ssh.PublicKeys(key)},
		{"operator", "sudo -n true 2>/dev/null || echo refused", "refused", ssh.PublicKeys(key)},
		{"operator", "echo lab-operator | sudo -S -p '' id -un", "root",
			ssh.Password("lab-operator")},
	} {
		conn, err := l.DialContext(t.Context(), "tcp", "postgresql-02:22")
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		config := &ssh.ClientConfig{User: tc.user, Auth: []ssh.AuthMethod{tc.auth},
			HostKeyCallback: check}
		c, chans, reqs, err := ssh.NewClientConn(conn, "192.168.0.201:22", config)
		if err != nil {
			t.Fatal(tc.user, err)
		}
		client := ssh.NewClient(c, chans, reqs)
		session, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		out, err := session.Output(tc.command)
		if got := strings.Join(strings.Fields(string(out)), " "); err != nil || got != tc.want {
			t.Errorf("%s: %s: %q, %v, want %q", tc.user, tc.command, got, err, tc.want)
		}
		client.Close()
	}
}

// No thread may stay in the lab's network: anyone who uses it next would talk
// to the lab instead of the machine.
func testDial(t *testing.T, l *Lab) {
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			port := "22"
			if i%2 == 1 {
				port = "9" // refused
			}
			conn, err := l.DialContext(t.Context(), "tcp", "postgres-01:"+port)
			if (err == nil) != (port == "22") {
				t.Errorf("dial port %s: %v", port, err)
			}
			if err == nil {
				conn.Close()
			}
		})
	}
	wg.Wait()
	threads, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil || len(threads) == 0 {
		t.Fatal("no threads:", err)
	}
	for _, thread := range threads {
		if ns, err := os.Readlink(thread); err == nil && ns != own {
			t.Errorf("%s is in %s, not in %s", thread, ns, own)
		}
	}
}

func testExec(t *testing.T, l *Lab) {
	t.Setenv("LAB_SECRET", "leak")
	for line, want := range map[string]int{"true": 0, "exit 7": 7, "nosuchprogram": 127,
		"kill -9 $$": 137} {
		if _, exit := inHost(t, l, "postgres-01", line); exit != want {
			t.Errorf("%s: exit %d, want %d", line, exit, want)
		}
	}
	if out, _ := inHost(t, l, "postgresql-01", "hostname; pwd; env"); !strings.HasPrefix(out,
		"postgres-01\n/\n") ||
		strings.Contains(out, "leak") {
		t.Errorf("environment: %s", out)
	}
	var out bytes.Buffer
	_, err := l.Exec(t.Context(), "postgres-01", []string{"cat"},
		Stdio{In: strings.NewReader("through"), Out: &out})
	if err != nil || out.String() != "through" {
		t.Errorf("cat: %q, %v", out.String(), err)
	}
	if _, err := l.Exec(t.Context(), "nobody", []string{"true"}, Stdio{}); !errors.Is(err,
		ErrUnknownHost) {
		t.Errorf("unknown host: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := l.Exec(ctx, "postgres-01", []string{
		"sh", "-c", "sleep 987 | cat",
	}, Stdio{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cancelled: %v", err)
	}
	waitFor(t, "the end of the cancelled program", func() bool {
		_, exit := inHost(t, l, "postgres-01", "pgrep -x sleep")
		return exit == 1
	})
}

func testRun(t *testing.T, l *Lab) {
	var out bytes.Buffer
	exit, err := l.Run(t.Context(), []string{"ip", "-4", "-o", "address", "show", bridgeName},
		Stdio{Out: &out})
	if err != nil || exit != 0 || !strings.Contains(out.String(), networkOf(false).machine()) {
		t.Errorf("run: %d, %v, %s", exit, err, &out)
	}
	if exit, err := l.Run(t.Context(), []string{"sh", "-c", "exit 9"}, Stdio{}); err != nil ||
		exit != 9 {
		t.Errorf("exit code: %d, %v", exit, err)
	}
	out.Reset()
	_, err = l.Run(t.Context(), []string{"ip", "route", "show", "default"}, Stdio{Out: &out})
	if err != nil || out.Len() != 0 {
		t.Errorf("a route leads out: %s, %v", &out, err)
	}
}

func testPackages(t *testing.T, l *Lab) {
	install := "apt-get update -q && apt-get install -qq keepalived >/dev/null && keepalived " +
		"--version 2>&1 | head -1"
	if out, exit := inHost(t, l, "postgres-01", install); exit != 0 ||
		!strings.Contains(out, "Keepalived v2") {
		t.Errorf("exit %d: %s", exit, out)
	}
	pgdg := `. /etc/os-release && echo "deb [signed-by=/srv/repo/pgdg/ACCC4CF8.asc] file:/srv/repo/pgdg $VERSION_CODENAME-pgdg main" >/tmp/pgdg.list &&
		apt-get update -q -o Dir::Etc::sourcelist=/tmp/pgdg.list -o Dir::Etc::sourceparts=- && apt-cache policy postgresql-18`
	if out, exit := inHost(t, l, "postgres-02", pgdg); exit != 0 ||
		!strings.Contains(out, "/srv/repo/pgdg") ||
		strings.Contains(out, "W:") {
		t.Errorf("exit %d: %s", exit, out)
	}
}

// testEtcd: both releases that tests use are what they say.
func testEtcd(t *testing.T, l *Lab) {
	for _, version := range []string{etcdrelease.Default, "3.6.10"} {
		archive, sum, err := l.OtherEtcdArchive(t.Context(), version)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		script := `cd "$1" && echo "$3  $2" | sha256sum -c && tar xf "$2" && etcd-v*/etcd --version && etcd-v*/etcdctl version && etcd-v*/etcdutl version`
		exit, err := l.Run(t.Context(), []string{
			"sh", "-c", script, "unpack", t.TempDir(), archive, sum,
		}, Stdio{Out: &out, Err: &out})
		if err != nil || exit != 0 || strings.Count(out.String(), "ersion: "+version) != 3 {
			t.Errorf("%s: exit %d, %v: %s", version, exit, err, &out)
		}
	}
}
