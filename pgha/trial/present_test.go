package trial

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadPresent(t *testing.T) {
	t.Parallel()
	p := recorded(t)
	if !p.Made || p.Settings["shared_buffers"] != "256MB" ||
		p.Settings["ssl_key_file"] != "/etc/patroni/certs/postgres-server.key" ||
		len(p.Settings) != 25 {
		t.Errorf("settings %v", p.Settings)
	}
	if len(p.Rules) == 0 || p.Rules[0] != "local all all peer" || len(p.Ident) != 0 {
		t.Errorf("rules %q, %q", p.Rules, p.Ident)
	}
	if got := readSettings(
		"archive_command = 'echo ''a'' \\\\ %p'\n"); got["archive_command"] != `echo 'a' \ %p` {
		t.Errorf("%v", got)
	}
}

// TestNothingIsTriedTwice: what the present server has, in whatever form, needs no trial.
func TestNothingIsTriedTwice(t *testing.T) {
	t.Parallel()
	p := recorded(t)
	for name, tt := range map[string]struct {
		edit    func(*Server)
		changed []string
		differs bool
	}{
		"the same":     {func(*Server) {}, nil, false},
		"another form": {func(s *Server) { s.Settings["shared_buffers"] = "262144kB" }, nil, false},
		"another value": {
			func(s *Server) {
				s.Settings["shared_buffers"] = "300MB"
			}, []string{"shared_buffers"}, true,
		},
		"taken back": {
			func(s *Server) {
				s.Removed = []string{"wal_log_hints", "never_there"}
			}, []string{"wal_log_hints"}, true,
		},
		"another rule": {
			func(s *Server) {
				s.Rules = append([]string{"local all all reject"}, s.Rules...)
			}, nil, true,
		},
		"another mapping": {func(s *Server) { s.Ident = []string{"m a b"} }, nil, true},
	} {
		s := Server{
			Version: 18, Settings: map[string]string{"shared_buffers": "256MB",
				"wal_log_hints": "on"}, Rules: p.Rules,
		}
		tt.edit(&s)
		if diff := cmp.Diff(tt.changed, s.Changed(p)); diff != "" || s.Differs(p) != tt.differs {
			t.Errorf("%s: differs %v (-want +got):\n%s", name, s.Differs(p), diff)
		}
	}
}

func TestInput(t *testing.T) {
	t.Parallel()
	present := Present{
		Made:     true,
		Settings: map[string]string{"work_mem": "4MB", "primary_conninfo": "host=a", "jit": "off"},
		Rules:    []string{"local all all peer"},
	}
	s := Server{Version: 18, DataDir: "/data", Removed: []string{"jit"}, Rules: []string{
		"hostssl all @in samehost scram-sha-256",
	},
		Settings: map[string]string{
			"ssl_ca_file": "ca.crt", "archive_command": "/bin/x 'it''s' \\%p",
			"session_preload_libraries": `"a", $libdir/b`,
		}}
	want := `== wanted.conf
include_if_exists '/data/postgresql.base.conf'
archive_command = '/bin/x ''it''''s'' \\%p'
session_preload_libraries = '"a", $libdir/b'
ssl_ca_file = '/data/ca.crt'
work_mem = '4MB'
== wanted.hba
hostssl all @/data/in samehost scram-sha-256
== wanted.ident
== present.conf
include_if_exists '/data/postgresql.base.conf'
jit = 'off'
work_mem = '4MB'
== present.hba
local all all peer
== present.ident
== paths
x /bin/x
r /usr/lib/postgresql/18/lib/a.so
r /usr/lib/postgresql/18/lib/b.so
`
	if diff := cmp.Diff(want, Input(s.Over(present), present)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestACorrectionGetsThrough: what the present server is refused for as well does not speak against
// a change.
func TestACorrectionGetsThrough(t *testing.T) {
	t.Parallel()
	const output = `== memory
MemTotal: 100 kB
== lacks
== settings
FATAL:  could not access file "gone": No such file or directory
== present-settings
FATAL:  could not access file "gone": No such file or directory
`
	a := Read(output)
	if len(a.Complaints) != 0 || len(a.Known) != 1 || a.Broken != "" {
		t.Errorf("%+v", a)
	}
	if a := Read(strings.Split(output, "== present")[0]); len(a.Complaints) != 1 {
		t.Errorf("%+v", a)
	}
	if a := Read("== memory\n== settings\n"); a.Broken == "" {
		t.Errorf("a server without a word: %+v", a)
	}
}

// TestNoPostgreSQL runs try.sh where no PostgreSQL of the version is.
func TestNoPostgreSQL(t *testing.T) {
	t.Parallel()
	argv := Command(Server{Version: 9, DataDir: "/nowhere"})
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Stdin, cmd.Env = strings.NewReader(Input(Server{Version: 9}, Present{})),
		append(os.Environ(), "TMPDIR="+t.TempDir())
	out, err := cmd.Output()
	if err != nil || Read(string(out)).Tried {
		t.Errorf("%q, %v", out, err)
	}
}
