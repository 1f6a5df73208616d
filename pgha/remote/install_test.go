package remote_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/scripttest"
)

// TestInstallWantsTheJobsLastWord: systemd-run --wait ends with 0 of a unit that was stopped or
// ended by SIGTERM, too.
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
			out, err := runInstall(t, t.TempDir(), c.job, "haproxy")
			if (err == nil) != (c.want == "") || c.want != "" &&
				!strings.Contains(string(out)+" ", c.want) {
				t.Errorf("got %v, %s", err, out)
			}
		})
	}
}

// TestUpgradeWithoutNames: with names these are installed, without one all that there are upgraded.
func TestUpgradeWithoutNames(t *testing.T) {
	t.Parallel()
	for want, packages := range map[string][]string{
		"--with-new-pkgs upgrade\n":                         nil,
		"--no-install-recommends install haproxy patroni\n": {"haproxy", "patroni"},
	} {
		bin := t.TempDir()
		_, err := runInstall(t, bin, `"$@" >`+bin+`/said`, packages...)
		said, readErr := os.ReadFile(filepath.Join(bin, "said"))
		if err != nil || readErr != nil || !strings.HasSuffix(string(said), want) ||
			strings.Contains(string(said), "upgrade") != (len(packages) == 0) {
			t.Errorf("%v: %v, %v, %s", packages, err, readErr, said)
		}
	}
}

// runInstall runs install.sh on a host whose systemd-run does job, where "$@" is the unit's
// command.
func runInstall(t *testing.T, bin, job string, packages ...string) (output []byte, err error) {
	t.Helper()
	for program, text := range map[string]string{
		"systemd-run": `while [ "${1#-}" != "$1" ]; do shift; done` + "\n" + job,
		"apt-get":     `echo "apt-get $*"`, "dpkg": "exit 0", "systemctl": "exit 0", "flock": "exit 0",
		"mktemp": "mkdir " + bin + "/run && echo " + bin + "/run",
	} {
		writeProgram(t, filepath.Join(bin, program), text)
	}
	script, err := os.ReadFile("install.sh")
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-s", "--", "haproxy.service", ""}, packages...)
	cmd := exec.CommandContext(t.Context(), "sh", args...)
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(string(script), "/run/lock/pgha-apt.lock",
		filepath.Join(bin, "lock")))
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	return cmd.CombinedOutput()
}

func writeProgram(t *testing.T, path, text string) {
	t.Helper()
	scripttest.Program(t, filepath.Dir(path), filepath.Base(path), "#!/bin/sh\n"+text+"\n")
}

// standIns are the programs that install.sh puts before the host's own, in a folder. They take
// etc for /etc and bin for /usr/bin.
func standIns(t *testing.T, etc, bin string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if out, err := runInstall(t, t.TempDir(), `cp "${2%/*}"/programs/* `+dir+
		`; exit 1`, "haproxy"); err == nil {
		t.Fatalf("install.sh is content with a job that failed: %s", out)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Fatalf("got %d stand-ins, %v", len(files), err)
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		own := strings.NewReplacer("/etc/", etc+"/", "/usr/bin/", bin+"/").Replace(string(text))
		if err := os.Remove(path); err != nil { // cp did not make it executable
			t.Fatal(err)
		}
		writeProgram(t, path, own)
	}
	return dir
}

// askStandIn runs a stand-in as the named package's script does, "postinst locales" say.
func askStandIn(t *testing.T, dir, bin, script, stdin string, argv ...string) (output string) {
	t.Helper()
	name, pkg, _ := strings.Cut(script, " ")
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{filepath.Join(dir, argv[0])},
		argv[1:]...)...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"),
		"DPKG_MAINTSCRIPT_NAME="+name, "DPKG_MAINTSCRIPT_PACKAGE="+pkg)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v, %s", argv, err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestStandInsPassOn: only the calls that they know are answered by them.
func TestStandInsPassOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		script, call string
		server       string // what dpkg says of the server's package
		own          bool   // the host's own program is asked
	}{
		{script: "postinst python3-click", call: "py3compile -p python3-click"},
		{script: "postinst python3", call: "py3compile -p python3 /usr/share/python3/", own: true},
		{script: "postinst python3", call: "py3compile -V 3.14 /usr/lib/python3/dist-packages",
			own: true},
		{script: "postinst python3.14", call: "dpkg -L libpython3.14-stdlib:amd64"},
		{script: "prerm python3.14", call: "dpkg -L libpython3.14-stdlib:amd64", own: true},
		{script: "postinst python3.14", call: "dpkg --compare-versions 1 lt 2", own: true},
		{script: "postinst postgresql-client-18", call: "dpkg -L postgresql-18",
			server: "unpacked"},
		{script: "postinst postgresql-client-18", call: "dpkg -L postgresql-18",
			server: "installed", own: true},
		{script: "postinst postgresql-client-18", call: "dpkg -L postgresql-18", own: true},
		{script: "postinst postgresql-18", call: "dpkg -L postgresql-18", server: "unpacked",
			own: true},
		{script: "postinst postgresql-client-common", call: "dpkg -L x", server: "unpacked",
			own: true},
		{script: "postinst ucf", call: "sort -u", own: true},
		{script: "postinst locales", call: "sort", own: true},
		{script: "postinst locales", call: "sort -u", own: true}, // there is no locale.gen
	} {
		t.Run(c.script+": "+c.call+" "+c.server, func(t *testing.T) {
			t.Parallel()
			bin := t.TempDir()
			for _, program := range []string{"dpkg", "py3compile", "sort"} {
				writeProgram(t, filepath.Join(bin, program), "echo own")
			}
			known := fmt.Sprintf("[ %q != '' ] && echo %s", c.server, c.server)
			writeProgram(t, filepath.Join(bin, "dpkg-query"), known)
			dir := standIns(t, t.TempDir(), bin)
			got := askStandIn(t, dir, bin, c.script, "", strings.Fields(c.call)...)
			if own := got == "own"; own != c.own || !own && got != "" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestPythonCompilesItselfWithoutAStandIn: where modules cannot be left for later, Python's own
// files are named to it.
func TestPythonCompilesItselfWithoutAStandIn(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	writeProgram(t, filepath.Join(bin, "dpkg"), "echo own")
	dir := standIns(t, t.TempDir(), bin)
	if err := os.Remove(filepath.Join(dir, "py3compile")); err != nil {
		t.Fatal(err)
	}
	if got := askStandIn(t, dir, bin, "postinst python3.14", "", "dpkg", "-L", "x"); got != "own" {
		t.Errorf("got %q", got)
	}
}

// TestLocalesAreListed: the file that package locales keeps ends as the package itself would leave
// it.
func TestLocalesAreListed(t *testing.T) {
	t.Parallel()
	const supported = "de_DE UTF-8\naa_DJ.UTF-8 UTF-8\nde_DE UTF-8\nen_US.UTF-8 UTF-8\n"
	for name, c := range map[string]struct{ before, after string }{
		"new": {
			"# This file lists locales.\n#\n\n",
			"# This file lists locales.\n#\n\n# aa_DJ.UTF-8 UTF-8\n# de_DE UTF-8\n# en_US.UTF-8 " +
				"UTF-8\n",
		},
		"chosen before": {
			"# # de_DE UTF-8  \n# en_US.UTF-8 UTF-8\nxx_XX UTF-8\n",
			"# # de_DE UTF-8  \n# en_US.UTF-8 UTF-8\nxx_XX UTF-8\n# aa_DJ.UTF-8 UTF-8\n",
		},
		"empty": {"", "# aa_DJ.UTF-8 UTF-8\n# de_DE UTF-8\n# en_US.UTF-8 UTF-8\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			etc := t.TempDir()
			file := filepath.Join(etc, "locale.gen")
			if err := os.WriteFile(file, []byte(c.before), 0o600); err != nil {
				t.Fatal(err)
			}
			sorter, err := exec.LookPath("sort")
			if err != nil {
				t.Skip("no sort on this machine")
			}
			dir := standIns(t, etc, filepath.Dir(sorter))
			got := askStandIn(t, dir, filepath.Dir(sorter), "postinst locales", supported,
				"sort", "-u")
			after, err := os.ReadFile(file)
			if err != nil || string(after) != c.after {
				t.Errorf("got %q, %v", after, err)
			}
			if got != "en_US.UTF-8 UTF-8" {
				t.Errorf("left %q to look for", got)
			}
		})
	}
}
