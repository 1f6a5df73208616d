package journal

import (
	"testing"

	"github.com/pgha/toolkit/internal/scripttest"
)

// TestLogfiles runs logfiles.sh among processes of which one is a server's.
func TestLogfiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pid  string
		logs string // current_logfiles; "" is none
		want string
	}{
		"the collector's files": {
			"echo 41", "stderr log/postgresql.log\ncsvlog log/postgresql.csv\n",
			"log/postgresql.log\nlog/postgresql.csv\n",
		},
		"no collector":            {"echo 41", "", ""},
		"the unit does not run":   {"echo 0", "stderr log/postgresql.log\n", ""},
		"systemd does not answer": {"exit 1", "stderr log/postgresql.log\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			data := dir + "/data"
			// A process whose title is a backend's, one that has ended, and the server.
			scripttest.Write(t, dir, "proc/50/cmdline", "postgres: walwriter\x00")
			scripttest.Write(t, dir, "proc/52/cmdline",
				"/usr/lib/postgresql/18/bin/postgres\x00-D\x00"+
					data+"\x00-p\x005432\x00")
			if c.logs != "" {
				scripttest.Write(t, data, "current_logfiles", c.logs)
			}
			r := scripttest.Run{With: "sh", Script: logfilesScript,
				Args:  []string{"patroni.service"},
				Fakes: map[string]string{"systemctl": c.pid, "pgrep": "echo 50; echo 51; echo 52"},
				Paths: map[string]string{"/proc/": dir + "/proc/"}}.Do(t)
			want := c.want
			if want != "" {
				want = data + "\n" + want
			}
			if r.Stdout != want {
				t.Errorf("got %q, want %q; %s", r.Stdout, want, r.Stderr)
			}
		})
	}
}
