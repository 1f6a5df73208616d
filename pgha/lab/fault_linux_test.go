package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

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
	if carrier,
		_ := inHost(t, l, "postgres-01", "cat /sys/class/net/enp0s3/carrier"); carrier != "0" {
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
	if _, err := l.Exec(t.Context(), "postgres-01", []string{"true"}, Stdio{}); !errors.Is(err,
		ErrHostDown) {
		t.Errorf("exec on a dead host: %v", err)
	}
	if err := l.StartHost(t.Context(), "postgresql-01"); err != nil {
		t.Fatal(err)
	}
	if out, exit := inHost(t, l, "postgres-01",
		"cat /root/kept; test ! -e /run/lost"); out != "kept" || exit != 0 {
		t.Errorf("disk after the power loss: %s, exit %d", out, exit)
	}
	if !reaches(t, l) {
		t.Error("no ping after the start")
	}
}

// testReboot reboots a host from inside, while a program runs in it that nothing but the host's end
// ends: it must hold up neither the reboot nor its caller.
func testReboot(t *testing.T, l *Lab) {
	const bootID = "/proc/sys/kernel/random/boot_id"
	before, _ := inHost(t, l, "postgres-03", "cat "+bootID)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		exit, err := l.Exec(ctx, "postgres-03", []string{"sleep", "infinity"}, Stdio{})
		if err == nil && exit != 128+9 && exit != 128+15 {
			err = fmt.Errorf("exit code %d, want that of a signal", exit)
		}
		ended <- err
	}()
	waitFor(t, "the program", func() bool {
		_, exit := inHost(t, l, "postgres-03", "pgrep -x sleep")
		return exit == 0
	})
	inHost(t, l, "postgres-03", "systemctl reboot")
	waitFor(t, "the reboot", func() bool {
		var out bytes.Buffer
		_, err := l.Exec(ctx, "postgres-03", []string{"cat", bootID}, Stdio{Out: &out})
		return err == nil && out.Len() > 0 && strings.TrimSpace(out.String()) != before
	})
	if err := <-ended; err != nil {
		t.Errorf("a program that ran when the host went down: %v", err)
	}
	if err := l.StartHost(ctx, "postgres-03"); err != nil { // waits for a boot under way
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
	if _, err := Start(t.Context(), Options{Name: l.Name(), Hosts: 5}); !errors.Is(err,
		ErrConflict) {
		t.Errorf("another number of hosts: %v", err)
	}
	if _, err := Start(t.Context(), Options{
		Name: l.Name(), Hosts: 3, CacheDir: t.TempDir(),
	}); !errors.Is(err, ErrConflict) {
		t.Errorf("another cache directory: %v", err)
	}
}

func testAdd(t *testing.T, l *Lab) {
	if err := l.Kill(t.Context(), "postgres-03"); err != nil {
		t.Fatal(err)
	}
	larger, h, err := l.Add(t.Context(), RoleBalancer)
	if err != nil || h.Name != "haproxy-01" || h.Address != "192.168.0.203" || !h.Running {
		t.Fatalf("added %+v, %v", h, err)
	}
	if err := larger.StartHost(t.Context(), "postgres-03"); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"postgres-01", "postgres-03", "haproxy-01"} {
		if out, exit := inHost(t, larger, host, "getent hosts haproxy-01; ping -q -c 1 -W 2 "+
			"postgres-02 >/dev/null"); exit != 0 || !strings.HasPrefix(out, "192.168.0.203") {
			t.Errorf("%s finds the new host at %q, exit %d", host, out, exit)
		}
	}
	known, err := os.ReadFile(larger.KnownHostsFile())
	if err != nil || !strings.Contains(string(known), "\n192.168.0.203,haproxy-01 ssh-") {
		t.Errorf("known hosts: %v\n%s", err, known)
	}
	text, err := larger.Spec()
	if err != nil || !strings.Contains(string(text), "{name: haproxy-01, address: 192.168.0.203") {
		t.Errorf("spec: %v\n%s", err, text)
	}
	if _, _, err := l.Add(t.Context(), "router"); err == nil {
		t.Error("a role that there is not was added")
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
	if _, err := l.DialContext(t.Context(), "tcp", "postgres-01:22"); !errors.Is(err,
		ErrNotRunning) {
		t.Errorf("dial after down: %v", err)
	}
	if _, err := Open(t.Context(), Options{Name: l.Name()}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("open after down: %v", err)
	}
	if err := l.Cut(t.Context(), "postgres-01"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("cut after down: %v", err)
	}
}
