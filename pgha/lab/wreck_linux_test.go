package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

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
	if list := fmt.Sprint(labs); strings.Contains(list, "test-lab-one") ||
		!strings.Contains(list, "test-lab-two") {
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
		victim := exec.CommandContext(t.Context(), os.Args[0],
			"-test.run=^TestLabAfterKilledStart$", "-test.v")
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
