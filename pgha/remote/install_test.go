package remote_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstallWantsTheJobsLastWord: systemd-run --wait ends with 0 of a unit that was stopped or ended by SIGTERM, too.
func TestInstallWantsTheJobsLastWord(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		job  string // what the unit does instead of the job, which is "$@"
		want string // in standard error; "" is success
	}{
		"done":             {job: `"$@"`},
		"stopped":          {job: `exit 0`, want: "before it was done"},
		"ended half-way":   {job: `echo "Setting up haproxy"; exit 0`, want: "before it was done"},
		"failed":           {job: `exit 100`, want: " "},
		"killed (SIGKILL)": {job: `exit 255`, want: " "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bin := t.TempDir()
			for program, text := range map[string]string{
				"systemd-run": `while [ "${1#-}" != "$1" ]; do shift; done` + "\n" + c.job,
				"apt-get":     "exit 0", "dpkg": "exit 0", "systemctl": "exit 0", "flock": "exit 0",
				"mktemp": "mkdir " + bin + "/run && echo " + bin + "/run",
			} {
				if err := os.WriteFile(filepath.Join(bin, program), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil { //nolint:gosec // a program
					t.Fatal(err)
				}
			}
			script, err := os.ReadFile("install.sh")
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), "sh", "-s", "--", "haproxy.service", "haproxy")
			cmd.Stdin = strings.NewReader(strings.ReplaceAll(string(script), "/run/lock/pgha-apt.lock", filepath.Join(bin, "lock")))
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			if (err == nil) != (c.want == "") || c.want != "" && !strings.Contains(string(out)+" ", c.want) {
				t.Errorf("got %v, %s", err, out)
			}
		})
	}
}
