package inspect

import (
	"fmt"
	"testing"

	"github.com/pgha/toolkit/internal/scripttest"
)

// TestOpenFilesScript runs openfiles.sh: an HAProxy that runs tells its own limit; else the lower
// of systemd's and of the first process's counts.
func TestOpenFilesScript(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		haproxy         string // its limit; "" is an HAProxy that does not run
		systemd, first  string
		want            string
		withoutLimitsOf bool // the process has ended in-between
	}{
		"HAProxy's own": {haproxy: "4096", systemd: "524288", first: "1048576",
			want: "4096\n"},
		"systemd's is lower":     {systemd: "524288", first: "1048576", want: "524288\n"},
		"a container's is lower": {systemd: "524288", first: "1024", want: "1024\n"},
		"HAProxy has ended in-between": {
			haproxy: "4096", withoutLimitsOf: true, systemd: "524288", first: "1024",
			want: "1024\n",
		},
		"a systemd that does not know": {systemd: "", first: "1024", want: "\n"},
		"compared as numbers":          {systemd: "9", first: "10", want: "9\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			limits := func(n string) string {
				return fmt.Sprintf(
					"Limit           Soft Limit  Hard Limit  Units\nMax open files  1024        %s        files\n", n)
			}
			scripttest.Write(t, dir, "proc/1/limits", limits(c.first))
			if c.haproxy != "" {
				scripttest.Write(t, dir, "slice/haproxy.service/cgroup.procs", "77\n78\n")
			}
			if c.haproxy != "" && !c.withoutLimitsOf {
				scripttest.Write(t, dir, "proc/77/limits", limits(c.haproxy))
			}
			r := scripttest.Run{With: "sh", Script: openFilesScript,
				Fakes: map[string]string{"systemctl": "echo " + c.systemd},
				Paths: map[string]string{"/proc/": dir + "/proc/",
					"/sys/fs/cgroup/system.slice": dir + "/slice"}}.Do(t)
			if r.Stdout != c.want {
				t.Errorf("got %q, want %q; %s", r.Stdout, c.want, r.Stderr)
			}
		})
	}
}
