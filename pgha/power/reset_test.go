package power

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/spec"
)

// resetPlace makes a data directory. Beside it lie a pg_controldata that prints what the control
// file holds, and a systemctl for which nothing runs.
type resetPlace struct {
	t        *testing.T
	dir      string
	identity string
}

func newResetPlace(t *testing.T) resetPlace {
	t.Helper()
	p := resetPlace{t: t, dir: filepath.Join(t.TempDir(), "data"), identity: "7711352684321083151"}
	for name, script := range map[string]string{
		"pg_controldata": `echo "Database system identifier:           $(cat "$2/global/pg_control")"`,
		"systemctl":      "echo inactive; exit 3",
	} {
		p.write("../"+name, "#!/bin/sh\n"+script+"\n")
		if err := os.Chmod(filepath.Join(p.dir, "..", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p resetPlace) write(name, content string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p resetPlace) link(target, name string) {
	p.t.Helper()
	if err := os.Symlink(target, filepath.Join(p.dir, name)); err != nil {
		p.t.Fatal(err)
	}
}

func (p resetPlace) etcd() { p.write("member/wal/0.wal", "x"); p.write("member/snap/db", "x") }

func (p resetPlace) postgresql() {
	p.write("PG_VERSION", "18\n")
	p.write("global/pg_control", p.identity)
	p.write("base/1/1", "x")
}

// run runs the script as a host would.
func (p resetPlace) run(word string, kind dataKind, dir string) (string, int) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), "sh", "-s", "--", word, string(kind), dir, "demo",
		filepath.Join(p.dir, "../pg_controldata"), p.identity)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(p.dir)+":"+os.Getenv("PATH"))
	var out, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(resetScript), &out, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	if stderr.Len() > 0 && cmd.ProcessState.ExitCode() == 0 {
		p.t.Errorf("%s of %s: %s", word, dir, &stderr)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

func (p resetPlace) left() []string {
	p.t.Helper()
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		p.t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestResetScriptRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind dataKind
		make func(resetPlace)
		dir  string // "" is the place's own
		says string
	}{
		"a root": {postgresqlData, resetPlace.postgresql, "/", "not plain"},
		"a folder of the root": {postgresqlData, resetPlace.postgresql, "/var",
			"not that of a data directory"},
		"a path that climbs": {postgresqlData, resetPlace.postgresql, "/var/lib/../lib/x",
			"not plain"},
		"a relative path": {
			postgresqlData, resetPlace.postgresql, "var/lib/x", "not that of a data directory",
		},
		"a file": {etcdData, func(p resetPlace) { p.write("../data", "x") }, "", "no directory"},
		"a link": {
			etcdData, func(p resetPlace) {
				p.write("../real/member/wal/x", "")
				p.link("real", "../data")
			},
			"", "symbolic link to real",
		},
		"somebody else's": {
			etcdData, func(p resetPlace) { p.write("letters.txt", "x") }, "", "there is no member",
		},
		"a snapshot beside": {
			etcdData, func(p resetPlace) { p.etcd(); p.write("backup.db", "x") }, "", "backup.db",
		},
		"a name with a command": {etcdData, func(p resetPlace) {
			p.etcd()
			p.write("a\x1b[2Jb", "x")
		}, "", "a[2Jb"},
		"etcd's for PostgreSQL": {postgresqlData, resetPlace.etcd, "", "no PG_VERSION"},
		"PostgreSQL's for etcd": {etcdData, resetPlace.postgresql, "", "there is no member"},
		"half of PostgreSQL's": {
			postgresqlData, func(p resetPlace) { p.write("PG_VERSION", "18") }, "",
			"no PG_VERSION or no global/pg_control",
		},
		"a tablespace": {
			postgresqlData,
			func(p resetPlace) {
				p.postgresql()
				p.write("pg_tblspc/x", "")
				p.link("/tmp", "pg_tblspc/16384")
			},
			"", "pg_tblspc/16384 leads to /tmp",
		},
		"WAL elsewhere": {
			postgresqlData, func(p resetPlace) { p.postgresql(); p.link("/tmp", "pg_wal") }, "",
			"pg_wal leads to /tmp",
		},
		"another cluster's mark": {
			postgresqlData,
			func(p resetPlace) {
				p.write(".pgha-reset", "postgresql other\n")
				p.write("x", "")
			}, "", "no PG_VERSION",
		},
		"the other kind's mark": {
			postgresqlData, func(p resetPlace) {
				p.write(".pgha-reset", "etcd demo\n")
				p.write("x", "")
			},
			"", "no PG_VERSION",
		},
		"another database": {
			postgresqlData, func(p resetPlace) {
				p.postgresql()
				p.write("global/pg_control", "99")
			}, "",
			"its system identifier is 99",
		},
		"a server that still runs": {
			postgresqlData, func(p resetPlace) { p.postgresql(); p.server() }, "", "runs on it",
		},
		"an etcd that still runs": {
			etcdData, func(p resetPlace) { p.etcd(); p.open("member/snap/db") }, "",
			"has etcd's database open",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newResetPlace(t)
			c.make(p)
			dir := c.dir
			if dir == "" {
				dir = p.dir
			}
			before, _ := exec.CommandContext(t.Context(), "find", filepath.Dir(p.dir)).Output()
			out, code := p.run("wipe", c.kind, dir)
			if code != 3 || !strings.Contains(out, "refuse ") || !strings.Contains(out, c.says) ||
				strings.Contains(out, "\x1b") {
				t.Errorf("exit code %d, want 3 and %q:\n%s", code, c.says, out)
			}
			after, _ := exec.CommandContext(t.Context(), "find", filepath.Dir(p.dir)).Output()
			if diff := cmp.Diff(string(before), string(after)); diff != "" {
				t.Errorf("a refused wipe changed (-before +after):\n%s", diff)
			}
		})
	}
}

// server starts a process that is called postgres and has its number in postmaster.pid.
func (p resetPlace) server() {
	p.t.Helper()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		p.t.Fatal(err)
	}
	p.link(sleep, "../postgres")
	cmd := exec.CommandContext(p.t.Context(), filepath.Join(p.dir, "../postgres"), "60")
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	p.write("postmaster.pid", strconv.Itoa(cmd.Process.Pid)+"\n")
}

// open has a process hold the lock on a file, as etcd does on its database.
func (p resetPlace) open(name string) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), "flock", filepath.Join(p.dir, name), "sh", "-c",
		"echo held; exec sleep 60")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if _, err := stdout.Read(make([]byte, 5)); err != nil {
		p.t.Fatal(err)
	}
}

func TestResetScriptWipes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind  dataKind
		make  func(resetPlace)
		looks string
		left  []string
	}{
		"etcd": {etcdData, resetPlace.etcd, "", []string{}},
		"PostgreSQL": {
			postgresqlData, func(p resetPlace) {
				p.postgresql()
				p.write("postmaster.pid", "999999999\n")
			},
			"identifier 7711352684321083151\n", []string{},
		},
		"a mount point's root": {
			postgresqlData, func(p resetPlace) { p.postgresql(); p.write("lost+found/x", "") },
			"identifier 7711352684321083151\n", []string{"lost+found"},
		},
		"a link to a file": {
			postgresqlData, func(p resetPlace) {
				p.postgresql()
				p.link("/etc/hostname", "pg_hba.conf")
			},
			"identifier 7711352684321083151\n", []string{},
		},
		"what was begun": {
			postgresqlData,
			func(p resetPlace) {
				p.write(".pgha-reset", "postgresql demo\n")
				p.write("base/1", "x")
			},
			"begun\n", []string{},
		},
		"only the mark": {
			etcdData, func(p resetPlace) { p.write(".pgha-reset", "etcd demo\n") }, "begun\n",
			[]string{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newResetPlace(t)
			c.make(p)
			before := p.left()
			out, code := p.run("look", c.kind, p.dir)
			kib, rest, _ := strings.Cut(out, "\n")
			if code != 0 || rest != c.looks || !strings.HasPrefix(kib, "kib ") {
				t.Errorf("look: exit code %d:\n%s", code, out)
			}
			if diff := cmp.Diff(before, p.left()); diff != "" {
				t.Errorf("a look changed (-before +after):\n%s", diff)
			}
			if out, code := p.run("wipe", c.kind, p.dir); code != 0 {
				t.Errorf("wipe: exit code %d\n%s", code, out)
			}
			if diff := cmp.Diff(c.left, p.left()); diff != "" {
				t.Errorf("left in the directory (-want +got):\n%s", diff)
			}
			if out, code := p.run("wipe", c.kind, p.dir); code != 0 || out != "empty\n" {
				t.Errorf("a second wipe: exit code %d\n%s", code, out)
			}
		})
	}
	p := newResetPlace(t)
	if out, code := p.run("wipe", etcdData, p.dir); code != 0 || out != "empty\n" {
		t.Errorf("of a missing directory: exit code %d\n%s", code, out)
	}
}

func TestDataDirRead(t *testing.T) {
	t.Parallel()
	d := dataDir{host: spec.Host{Name: "db1"}, path: "/data/pg"}
	d.read("kib 2048\nidentifier 77\nrefuse data would be left behind: pg_tblspc/1 leads to /x\n")
	if d.bytes != 2<<20 || d.identifier != "77" || d.empty || d.begun {
		t.Errorf("got %+v", d)
	}
	checkRefusal(t, refuseReset([]dataDir{d}), errs.ErrRefused,
		"/data/pg on db1: data would be left behind")
	checkRefusal(t, refuseReset([]dataDir{{}}), nil, "")
}

func TestOldIdentifier(t *testing.T) {
	t.Parallel()
	dirs := func(ids ...string) []dataDir {
		var list []dataDir
		for _, id := range ids {
			list = append(list, dataDir{identifier: id})
		}
		return list
	}
	for _, c := range []struct {
		dirs []dataDir
		want string
	}{
		{dirs("", "", "", "1", "1", "2"), "1"}, {dirs("1", "2", "2"), "2"}, {dirs("1", "2"), "1"},
		{dirs("", ""), ""},
	} {
		if got := oldIdentifier(c.dirs); got != c.want {
			t.Errorf("of %+v: got %q, want %q", c.dirs, got, c.want)
		}
	}
}
