package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// needLab skips what boots hosts.
func needLab(t *testing.T) {
	t.Helper()
	if os.Getenv("PGHA_LAB") != "1" {
		t.Skip("boots systemd hosts as root; set PGHA_LAB=1 to run it")
	}
}

// startLab boots a lab and sees to it that nothing is left of it.
func startLab(t *testing.T, name string, hosts int) *Lab {
	t.Helper()
	options := Options{Name: name, Hosts: hosts}
	t.Cleanup(func() {
		if err := Down(context.WithoutCancel(t.Context()), options); err != nil {
			t.Error(err)
		}
		if left := traces(t, name); left != "" {
			t.Errorf("left behind:\n%s", left)
		}
	})
	l, err := Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// traces lists everything on the machine that carries the lab's name.
func traces(t *testing.T, name string) string {
	t.Helper()
	var found []string
	sources := map[string][]string{
		"namespace": {"ip", "netns", "list"},
		"mount":     {"cat", "/proc/self/mounts"},
		"process":   {"ps", "-e", "-o", "args="},
		"link":      {"ip", "-o", "link"},
	}
	for what, argv := range sources {
		out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).Output()
		if t.Context().Err() != nil { // in a cleanup
			out, err = exec.Command(argv[0], argv[1:]...).Output()
		}
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "pgha-"+name+"-") || strings.Contains(line, "/labs/"+name+"/") {
				found = append(found, what+": "+line)
			}
		}
	}
	groups, err := openCgroups()
	if err != nil {
		t.Fatal(err)
	}
	defer groups.close()
	for _, h := range planHosts(maxHosts) {
		if _, err := groups.root.Stat(hostNamespace(name, h.Name)); err == nil {
			found = append(found, "control group: "+h.Name+"\n")
		}
	}
	if _, err := os.Stat(cache(DefaultCacheDir).lab(name)); err == nil {
		found = append(found, "directory\n")
	}
	return strings.Join(found, "")
}

// inHost runs a shell line in a host and returns its output and exit code.
func inHost(t *testing.T, l *Lab, host, line string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	exit, err := l.Exec(t.Context(), host, []string{"sh", "-c", line}, Stdio{Out: &out, Err: &out})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String()), exit
}

func TestLab(t *testing.T) {
	needLab(t)
	l := startLab(t, "test-lab", 3)
	t.Run("ssh", func(t *testing.T) { testSSH(t, l) })
	t.Run("dial", func(t *testing.T) { testDial(t, l) })
	t.Run("exec", func(t *testing.T) { testExec(t, l) })
	t.Run("run", func(t *testing.T) { testRun(t, l) })
	t.Run("packages", func(t *testing.T) { testPackages(t, l) })
	t.Run("cable", func(t *testing.T) { testCable(t, l) })
	t.Run("power", func(t *testing.T) { testPower(t, l) })
	t.Run("reboot", func(t *testing.T) { testReboot(t, l) })
	t.Run("again", func(t *testing.T) { testStartAgain(t, l) })
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
		{"root", "id -un; hostname; cat /etc/machine-id | wc -c", "root postgres-02 33", ssh.PublicKeys(key)},
		{"admin", "sudo -n id -un", "root", ssh.PublicKeys(key)},
		{"operator", "sudo -n true 2>/dev/null || echo refused", "refused", ssh.PublicKeys(key)},
		{"operator", "echo lab-operator | sudo -S -p '' id -un", "root", ssh.Password("lab-operator")},
	} {
		conn, err := l.DialContext(t.Context(), "tcp", "postgresql-02:22")
		if err != nil {
			t.Fatal(err)
		}
		config := &ssh.ClientConfig{User: tc.user, Auth: []ssh.AuthMethod{tc.auth}, HostKeyCallback: check}
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

// No thread may stay in the lab's network: whoever uses it next would talk
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
	for line, want := range map[string]int{"true": 0, "exit 7": 7, "nosuchprogram": 127, "kill -9 $$": 137} {
		if _, exit := inHost(t, l, "postgres-01", line); exit != want {
			t.Errorf("%s: exit %d, want %d", line, exit, want)
		}
	}
	if out, _ := inHost(t, l, "postgresql-01", "hostname; pwd; env"); !strings.HasPrefix(out, "postgres-01\n/\n") || strings.Contains(out, "leak") {
		t.Errorf("environment: %s", out)
	}
	var out bytes.Buffer
	_, err := l.Exec(t.Context(), "postgres-01", []string{"cat"}, Stdio{In: strings.NewReader("through"), Out: &out})
	if err != nil || out.String() != "through" {
		t.Errorf("cat: %q, %v", out.String(), err)
	}
	if _, err := l.Exec(t.Context(), "nobody", []string{"true"}, Stdio{}); !errors.Is(err, ErrUnknownHost) {
		t.Errorf("unknown host: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := l.Exec(ctx, "postgres-01", []string{"sh", "-c", "sleep 987 | cat"}, Stdio{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cancelled: %v", err)
	}
	waitFor(t, "the end of the cancelled program", func() bool {
		_, exit := inHost(t, l, "postgres-01", "pgrep -x sleep")
		return exit == 1
	})
}

func testRun(t *testing.T, l *Lab) {
	var out bytes.Buffer
	exit, err := l.Run(t.Context(), []string{"ip", "-4", "-o", "address", "show", bridgeName}, Stdio{Out: &out})
	if err != nil || exit != 0 || !strings.Contains(out.String(), machineAddress) {
		t.Errorf("run: %d, %v, %s", exit, err, &out)
	}
	if exit, err := l.Run(t.Context(), []string{"sh", "-c", "exit 9"}, Stdio{}); err != nil || exit != 9 {
		t.Errorf("exit code: %d, %v", exit, err)
	}
	out.Reset()
	_, err = l.Run(t.Context(), []string{"ip", "route", "show", "default"}, Stdio{Out: &out})
	if err != nil || out.Len() != 0 {
		t.Errorf("a route leads out: %s, %v", &out, err)
	}
}

func testPackages(t *testing.T, l *Lab) {
	install := "apt-get update -q && apt-get install -qq keepalived >/dev/null && keepalived --version 2>&1 | head -1"
	if out, exit := inHost(t, l, "postgres-01", install); exit != 0 || !strings.Contains(out, "Keepalived v2") {
		t.Errorf("exit %d: %s", exit, out)
	}
	pgdg := `. /etc/os-release && echo "deb [signed-by=/srv/repo/pgdg/ACCC4CF8.asc] file:/srv/repo/pgdg $VERSION_CODENAME-pgdg main" >/tmp/pgdg.list &&
		apt-get update -q -o Dir::Etc::sourcelist=/tmp/pgdg.list -o Dir::Etc::sourceparts=- && apt-cache policy postgresql-18`
	if out, exit := inHost(t, l, "postgres-02", pgdg); exit != 0 || !strings.Contains(out, "/srv/repo/pgdg") || strings.Contains(out, "W:") {
		t.Errorf("exit %d: %s", exit, out)
	}
	if out, exit := inHost(t, l, "postgres-03", "cd /srv/etcd && sha256sum -c SHA256SUMS && tar xf *.gz -C /tmp && /tmp/etcd-v*/etcd --version"); exit != 0 || !strings.Contains(out, etcdVersion) {
		t.Errorf("exit %d: %s", exit, out)
	}
}

// reaches tells whether postgres-02 can ping postgres-01.
func reaches(t *testing.T, l *Lab) bool {
	t.Helper()
	_, exit := inHost(t, l, "postgres-02", "ping -q -c 1 -W 1 postgres-01")
	return exit == 0
}

func testCable(t *testing.T, l *Lab) {
	if !reaches(t, l) {
		t.Fatal("no ping before the cut")
	}
	for range 2 { // twice is fine
		if err := l.Cut(t.Context(), "postgresql-01"); err != nil {
			t.Fatal(err)
		}
	}
	if h, err := l.Host("postgres-01"); err != nil || h.CableUp || !h.Running {
		t.Errorf("after the cut: %+v, %v", h, err)
	}
	if reaches(t, l) {
		t.Error("ping goes through a cut cable")
	}
	if carrier, _ := inHost(t, l, "postgres-01", "cat /sys/class/net/enp0s3/carrier"); carrier != "0" {
		t.Errorf("carrier = %s", carrier)
	}
	for range 2 {
		if err := l.Heal(t.Context(), "postgres-01"); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "ping over the healed cable", func() bool { return reaches(t, l) })
}

func testPower(t *testing.T, l *Lab) {
	inHost(t, l, "postgres-01", "echo kept >/root/kept; uptime >/run/lost")
	conn, err := l.DialContext(t.Context(), "tcp", "postgres-01:22")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range 2 {
		if err := l.Kill(t.Context(), "postgres-01"); err != nil {
			t.Fatal(err)
		}
	}
	// A power loss says no farewell: the connection is neither reset nor closed.
	_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	buf := make([]byte, 256)
	for err = nil; err == nil; {
		_, err = conn.Read(buf)
	}
	if netErr, ok := errors.AsType[net.Error](err); !ok || !netErr.Timeout() {
		t.Errorf("the dead host ended its connection: %v", err)
	}
	if reaches(t, l) {
		t.Error("a dead host answers ping")
	}
	if _, err := l.Exec(t.Context(), "postgres-01", []string{"true"}, Stdio{}); !errors.Is(err, ErrHostDown) {
		t.Errorf("exec on a dead host: %v", err)
	}
	if err := l.StartHost(t.Context(), "postgresql-01"); err != nil {
		t.Fatal(err)
	}
	if out, exit := inHost(t, l, "postgres-01", "cat /root/kept; test ! -e /run/lost"); out != "kept" || exit != 0 {
		t.Errorf("disk after the power loss: %s, exit %d", out, exit)
	}
	if !reaches(t, l) {
		t.Error("no ping after the start")
	}
}

func testReboot(t *testing.T, l *Lab) {
	const bootID = "/proc/sys/kernel/random/boot_id"
	before, _ := inHost(t, l, "postgres-03", "cat "+bootID)
	inHost(t, l, "postgres-03", "systemctl reboot")
	waitFor(t, "the reboot", func() bool {
		var out bytes.Buffer
		_, err := l.Exec(t.Context(), "postgres-03", []string{"cat", bootID}, Stdio{Out: &out})
		return err == nil && out.Len() > 0 && strings.TrimSpace(out.String()) != before
	})
	if err := l.StartHost(t.Context(), "postgres-03"); err != nil { // waits for a boot under way
		t.Fatal(err)
	}
}

func testStartAgain(t *testing.T, l *Lab) {
	if err := l.Kill(t.Context(), "postgres-02"); err != nil {
		t.Fatal(err)
	}
	before, err := l.Host("postgres-01")
	if err != nil {
		t.Fatal(err)
	}
	again, err := Start(t.Context(), Options{Name: l.Name()})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range again.Hosts() {
		if !h.Running || h.Name == before.Name && h.PID != before.PID {
			t.Errorf("after a second start: %+v, before: %+v", h, before)
		}
	}
	if _, err := Start(t.Context(), Options{Name: l.Name(), Hosts: 5}); !errors.Is(err, ErrConflict) {
		t.Errorf("another number of hosts: %v", err)
	}
	if _, err := Start(t.Context(), Options{Name: l.Name(), Hosts: 3, CacheDir: t.TempDir()}); !errors.Is(err, ErrConflict) {
		t.Errorf("another cache directory: %v", err)
	}
}

func testDown(t *testing.T, l *Lab) {
	if traces(t, l.Name()) == "" {
		t.Fatal("a running lab has no traces: the check for leftovers is blind")
	}
	for range 2 {
		if err := l.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.DialContext(t.Context(), "tcp", "postgres-01:22"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("dial after down: %v", err)
	}
	if _, err := Open(t.Context(), Options{Name: l.Name()}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("open after down: %v", err)
	}
	if err := l.Cut(t.Context(), "postgres-01"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("cut after down: %v", err)
	}
}

// Two labs have the same addresses and never meet.
func TestLabsSideBySide(t *testing.T) {
	needLab(t)
	one, two := startLab(t, "test-lab-one", 1), startLab(t, "test-lab-two", 1)
	inHost(t, one, "postgres-01", "echo one >/root/whose")
	inHost(t, two, "postgres-01", "echo two >/root/whose")
	if err := one.Cut(t.Context(), "postgres-01"); err != nil {
		t.Fatal(err)
	}
	if err := two.readSSHBanner(t.Context(), "192.168.0.200"); err != nil {
		t.Errorf("lab two after a cut in lab one: %v", err)
	}
	if err := one.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out, _ := inHost(t, two, "postgres-01", "cat /root/whose"); out != "two" {
		t.Errorf("lab two says %q", out)
	}
	labs, err := List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if list := fmt.Sprint(labs); strings.Contains(list, "test-lab-one") || !strings.Contains(list, "test-lab-two") {
		t.Errorf("List = %s", list)
	}
}

// A start that is killed half-way can be removed, or finished.
func TestLabAfterKilledStart(t *testing.T) {
	needLab(t)
	const name = "test-lab-killed"
	if os.Getenv("PGHA_LAB_VICTIM") == "1" {
		_, _ = Start(t.Context(), Options{Name: name, Hosts: 3, Progress: func(e Event) {
			if e.Step == "boot" {
				fmt.Println("boot")
			}
		}})
		return
	}
	for _, finish := range []bool{false, true} {
		victim := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLabAfterKilledStart$", "-test.v")
		victim.Env = append(os.Environ(), "PGHA_LAB_VICTIM=1")
		out, err := victim.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		var seen []byte
		for buf := make([]byte, 64); !bytes.Contains(seen, []byte("boot")); {
			n, err := out.Read(buf)
			if seen = append(seen, buf[:n]...); err != nil {
				t.Fatalf("%s: %v", seen, err)
			}
		}
		if err := victim.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = victim.Wait()
		if finish {
			startLab(t, name, 3) // and its cleanup looks for traces
			continue
		}
		if err := Down(t.Context(), Options{Name: name}); err != nil {
			t.Fatal(err)
		}
		if left := traces(t, name); left != "" {
			t.Errorf("left behind:\n%s", left)
		}
	}
}

// A lab whose files are there and whose kernel objects are not: so it is
// after a reboot of the machine.
func TestLabAfterMachineReboot(t *testing.T) {
	needLab(t)
	l := startLab(t, "test-lab-reboot", 1)
	kept := filepath.Join(l.hostDir("postgres-01"), "upper", "root", "kept")
	inHost(t, l, "postgres-01", "touch /root/kept")
	if err := l.powerOff(t.Context(), l.record.Hosts[0]); err != nil {
		t.Fatal(err)
	}
	if err := deleteNamespace(t.Context(), lanNamespace(l.Name())); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Name: l.Name()}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("open: %v", err)
	}
	if _, err := Start(t.Context(), Options{Name: l.Name()}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Error(err)
	}
}

// waitFor waits for a condition, 30 s at most.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !ok() {
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			t.Fatalf("wait for %s: %v", what, err)
		}
	}
}
