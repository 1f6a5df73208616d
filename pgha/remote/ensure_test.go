package remote_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/remotetest"
)

func localTarget() *remote.Target {
	return &remote.Target{Host: remote.Host{Name: "here"}, Executor: &remote.Local{Name: "here"}}
}

// mine is the owner and group that this test can give to files.
func mine(t *testing.T, path string, mode fs.FileMode) remote.FileMeta {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Skip(err)
	}
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		t.Skip(err)
	}
	return remote.FileMeta{Path: path, Mode: mode, Owner: u.Username, Group: g.Name}
}

func lines(changes remote.Changes) (out []string) {
	for _, c := range changes {
		out = append(out, strings.ReplaceAll(c.String(), filepath.Dir(c.Name), "DIR"))
	}
	return out
}

func TestEnsureFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := filepath.Join(dir, "old")
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	conf := remote.File{FileMeta: mine(t, dir+"/conf.d/a file", 0o640), Content: []byte("one\n")}
	secret := remote.File{FileMeta: mine(t, dir+"/conf.d/secret", 0o600),
		Content: []byte("hunter2"), Secret: true}
	resources := func() []remote.Resource {
		return []remote.Resource{
			remote.Dir{FileMeta: mine(t, dir+"/conf.d", 0o750)}, conf, secret,
			remote.Absent{Path: old},
		}
	}
	target := localTarget()
	plan := &remote.Target{Host: target.Host, Executor: remote.Plan(target.Executor)}
	planned, err := plan.Ensure(t.Context(), resources()...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir + "/conf.d"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("planning made the folder: %v", err)
	}
	done, err := target.Ensure(t.Context(), resources()...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lines(planned), lines(done)); diff != "" || len(done) != 4 {
		t.Errorf("apply did %d changes, other than planned:\n%s", len(done), diff)
	}
	if done[1].Diff == "" || done[2].Diff != "" || done[1].Planned || !planned[1].Planned {
		t.Errorf("changes %+v: want a diff of the file, none of the secret", done)
	}
	if again, err := target.Ensure(t.Context(), resources()...); err != nil || again.Any() {
		t.Errorf("the second time changed %v, %v", again, err)
	}
	conf.Mode = 0o600
	changes, err := target.Ensure(t.Context(), conf)
	if err != nil || len(changes) != 1 || !strings.Contains(changes[0].Action, "mode 0600 (was") ||
		changes[0].Diff != "" {
		t.Errorf("another mode: %v, %v", changes, err)
	}
}

func TestEnsureValidatesBeforeReplacing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "conf")
	file := remote.File{FileMeta: mine(t, path, 0o600), Content: []byte("good"),
		Validate: func(p string) remote.Cmd {
			return remote.Cmd{Argv: []string{"grep", "-q", "good", p}}
		}}
	if _, err := localTarget().Ensure(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	file.Content = []byte("bad")
	if _, err := localTarget().Ensure(t.Context(), file); err == nil ||
		!strings.Contains(err.Error(), "the old one stays") {
		t.Errorf("err = %v, want a refusal", err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	content, _ := os.ReadFile(path)
	if err != nil || len(entries) != 1 || string(content) != "good" {
		t.Errorf("%d files, content %q, %v; want the old one alone", len(entries), content, err)
	}
}

func TestDirInTheWay(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := localTarget().Ensure(t.Context(), remote.Dir{FileMeta: mine(t, path, 0o755)})
	if err == nil || !strings.Contains(err.Error(), "in the way") {
		t.Errorf("err = %v", err)
	}
}

// A host that speaks another language is looked at in English.
func TestBatchIgnoresTheHostsLanguage(t *testing.T) {
	t.Parallel()
	target := &remote.Target{
		Host: remote.Host{Name: "here"},
		Executor: remotetest.WithEnv{Local: &remote.Local{},
			Env: []string{"LC_ALL=es_ES.UTF-8", "LANG=es_ES.UTF-8"}},
	}
	res, err := target.Batch(t.Context(), []string{"printenv", "LC_ALL"})
	if err != nil || string(res[0].Stdout) != "C\n" {
		t.Errorf("LC_ALL is %q, %v", res[0].Stdout, err)
	}
}

func TestEnsurePackagesInstalled(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("dpkg-query"); err != nil {
		t.Skip("not a Debian machine")
	}
	plan := &remote.Target{Host: remote.Host{Name: "here"}, Executor: remote.Plan(&remote.Local{})}
	changes, err := plan.Ensure(t.Context(), remote.Packages{
		Names: []string{"dpkg", "no-such-package-pgha", "dpkg=0.0.1"},
	})
	if err != nil || len(changes) != 2 || changes[0].Name != "no-such-package-pgha" ||
		!strings.HasSuffix(changes[1].Action, "to 0.0.1") {
		t.Errorf("changes %v, %v", changes, err)
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		cmd  remote.Cmd
		want string
	}{
		"quoted": {remote.Cmd{Argv: []string{"echo", "a b"}}, "echo 'a b'"},
		"user": {
			remote.Cmd{Argv: []string{"psql"}, User: "postgres", Env: []string{"A=1 2"}},
			"runuser -u postgres -- env 'A=1 2' psql",
		},
		"script":   {remote.Cmd{Script: "echo $1", Argv: []string{"x"}}, "sh -s -- x"},
		"no words": {remote.Cmd{}, ""},
		"both":     {remote.Cmd{Script: "x", Stdin: strings.NewReader("")}, ""},
	}
	for name, tt := range tests {
		got, _, err := remote.CommandLine(tt.cmd)
		if got != tt.want || (err != nil) != (tt.want == "") ||
			(err != nil && !errors.Is(err, remote.ErrBadCmd)) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, tt.want)
		}
	}
}

func TestGateAndAudit(t *testing.T) {
	t.Parallel()
	fake := remotetest.NewFake(t, "db1")
	fake.On("login '[redacted]'", remote.Result{Stdout: []byte("hello s3cret!")}, nil)
	var seen []string
	e := remote.Audit(remote.Gate(fake, remote.ReadOnly),
		func(c remote.Cmd, r remote.Result, err error) {
			seen = append(seen, c.String()+" -> "+string(r.Stdout))
		})
	if _, err := e.Run(t.Context(), remote.Cmd{
		Argv: []string{"login", "s3cret!"}, Secrets: []string{"s3cret!"},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Run(t.Context(), remote.Cmd{
		Argv: []string{"reboot"}, Mutating: true,
	}); !errors.Is(err, remote.ErrVetoed) {
		t.Errorf("err = %v, want ErrVetoed", err)
	}
	if _, err := e.Put(t.Context(), strings.NewReader(""),
		remote.FileMeta{Path: "/x"}); !errors.Is(err,
		remote.ErrVetoed) {
		t.Errorf("err = %v, want ErrVetoed", err)
	}
	want := []string{"login '[redacted]' -> hello [redacted]", "reboot -> ", "put /x -> unchanged"}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
	if got := fake.Mutations(); len(got) != 0 {
		t.Errorf("mutations %v got through", got)
	}
}

func TestRetryRepeatsReadsOnly(t *testing.T) {
	t.Parallel()
	fake := remotetest.NewFake(t, "db1")
	fake.On("uptime", remote.Result{}, remote.ErrDisconnected)
	fake.On("uptime", remote.Result{Stdout: []byte("up")}, nil)
	fake.On("reboot", remote.Result{}, remote.ErrDisconnected)
	e := remote.Retry(fake, remote.RetryOptions{Wait: 1})
	if res, err := e.Run(t.Context(), remote.Cmd{Argv: []string{"uptime"}}); err != nil ||
		string(res.Stdout) != "up" {
		t.Errorf("%q, %v", res.Stdout, err)
	}
	if _, err := e.Run(t.Context(), remote.Cmd{
		Argv: []string{"reboot"}, Mutating: true,
	}); !errors.Is(err, remote.ErrDisconnected) {
		t.Errorf("err = %v", err)
	}
	if got := fake.Mutations(); len(got) != 1 {
		t.Errorf("mutations %v, want one", got)
	}
}
