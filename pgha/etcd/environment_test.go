package etcd

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/scripttest"
)

// TestEnvironmentScript runs environment.sh by both of its ways: the control group, and systemd
// where that is not there.
func TestEnvironmentScript(t *testing.T) {
	t.Parallel()
	pid := etcdProcess(t)
	slice := t.TempDir()
	scripttest.Write(t, slice, "etcd.service/cgroup.procs", pid+"\n")
	scripttest.Write(t, slice, "other.service/cgroup.procs", strconv.Itoa(os.Getpid())+"\n")
	scripttest.Write(t, slice, "empty.service/cgroup.procs", "")
	for name, c := range map[string]struct {
		slice, unit, mainPID string
		found                bool
	}{
		"by the control group":              {slice, "etcd.service", "", true},
		"another program is the unit's":     {slice, "other.service", "", false},
		"the unit has no process":           {slice, "empty.service", "", false},
		"there is no such unit":             {slice, "missing.service", "", false},
		"by systemd":                        {slice + "/none", "etcd.service", pid, true},
		"systemd knows no process":          {slice + "/none", "etcd.service", "0", false},
		"systemd does not answer":           {slice + "/none", "etcd.service", "", false},
		"the process has ended in-between":  {slice + "/none", "etcd.service", "999999999", false},
		"systemd says what is not a number": {slice + "/none", "etcd.service", "n/a", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			show := "exit 1"
			if c.mainPID != "" {
				show = "echo " + c.mainPID
			}
			r := scripttest.Run{With: "sh", Script: runningEnvironment, Args: []string{c.unit},
				Fakes: map[string]string{"systemctl": show},
				Paths: map[string]string{"/sys/fs/cgroup/system.slice": c.slice}}.Do(t)
			if got := strings.Contains(r.Stdout, "ETCD_NAME=pg1\n"); got != c.found ||
				(r.Code == 0) != c.found {
				t.Errorf("%+v", r)
			}
		})
	}
}

// etcdProcess starts a process that is called etcd, with one variable of its own.
func etcdProcess(t *testing.T) (pid string) {
	t.Helper()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip(err)
	}
	text, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	program := scripttest.Program(t, t.TempDir(), "etcd", string(text))
	cmd := exec.CommandContext(t.Context(), program, "600")
	cmd.Args[0] = "sleep" // busybox and coreutils in one program go by this name
	cmd.Env = []string{"ETCD_NAME=pg1"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return strconv.Itoa(cmd.Process.Pid)
}
