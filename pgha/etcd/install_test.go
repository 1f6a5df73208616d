package etcd

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/remote"
)

// bareHost is a host on which nothing exists. It remembers what was done to it.
type bareHost struct {
	remote.Executor
	fail string // a command that holds this text fails

	mu   sync.Mutex
	done []string
}

func (h *bareHost) String() string { return "pg1" }

func (h *bareHost) Run(_ context.Context, cmd remote.Cmd) (remote.Result, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if strings.Contains(cmd.Script, "exec 2>/dev/null") {
		return remote.Result{Stdout: answerNothing(cmd.Script)}, nil
	}
	line := strings.Join(cmd.Argv, " ")
	h.done = append(h.done, line)
	if h.fail != "" && strings.Contains(line, h.fail) {
		return remote.Result{ExitCode: 1}, &remote.ExitError{Host: "pg1", Cmd: line, Code: 1,
			Stderr: "no"}
	}
	return remote.Result{}, nil
}

func (h *bareHost) Put(_ context.Context, r io.Reader, meta remote.FileMeta) (bool, error) {
	_, err := io.Copy(io.Discard, r)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = append(h.done, strings.Join([]string{"put", meta.Path, meta.Mode.String(), meta.Owner,
		meta.Group}, " "))
	return true, err
}

// answerNothing answers a batch of questions with failure, except those for architecture and time.
func answerNothing(script string) []byte {
	var out strings.Builder
	for line := range strings.Lines(script) {
		switch {
		case strings.Contains(line, "dpkg --print"):
			out.WriteString("Go OS/Arch: linux/amd64\n")
		case strings.Contains(line, "/proc/uptime"):
			out.WriteString("1800000000.5 1000.5")
		case strings.HasPrefix(line, `printf '\npgha-`):
			mark, _, _ := strings.Cut(strings.TrimPrefix(line, `printf '\n`), " ")
			out.WriteString("\n" + mark + " 1\n")
		}
	}
	return []byte(out.String())
}

func bareOptions(t *testing.T) (Options, *bareHost) {
	t.Helper()
	o, h := memberOptions(t, 1), &bareHost{}
	o.Members[0].Target.Executor = h
	return o, h
}

func TestInstallOnABareHost(t *testing.T) {
	t.Parallel()
	o, h := bareOptions(t)
	if err := Install(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"3.6.16 /var/cache/pgha/etcd-3.6.16.tar.gz  " +
			"https://github.com/etcd-io/etcd/releases/download/v3.6.16/etcd-v3.6.16-linux-amd64.tar.gz",
		"groupadd --force --system -- etcd",
		"useradd --system --gid etcd --no-create-home --home-dir /var/lib/etcd --shell " +
			"/usr/sbin/nologin -- etcd",
		"install -d -m 755 -o root -g root -- /etc/etcd",
		"install -d -m 750 -o root -g etcd -- /etc/etcd/certs",
		"install -d -m 700 -o etcd -g etcd -- /var/lib/etcd",
		"put /etc/etcd/certs/ca.crt.pgha-new -rw-r--r-- root etcd",
		"put /etc/etcd/certs/server.crt.pgha-new -rw-r--r-- root etcd",
		"put /etc/etcd/certs/server.key.pgha-new -rw-r----- root etcd",
		"put /etc/etcd/certs/peer.crt.pgha-new -rw-r--r-- root etcd",
		"put /etc/etcd/certs/peer.key.pgha-new -rw-r----- root etcd",
		"put /etc/etcd/certs/gateway.crt.pgha-new -rw-r--r-- root etcd",
		"put /etc/etcd/certs/gateway.key.pgha-new -rw-r----- root etcd",
		`sh -c for f; do mv -fT -- "$f.pgha-new" "$f" || exit; done move /etc/etcd/certs/ca.crt /etc/etcd/certs/server.crt ` +
			"/etc/etcd/certs/server.key /etc/etcd/certs/peer.crt /etc/etcd/certs/peer.key " +
			"/etc/etcd/certs/gateway.crt /etc/etcd/certs/gateway.key",
		"put /etc/etcd/etcd.env -rw-r--r-- root root",
		"put /etc/systemd/system/etcd.service -rw-r--r-- root root",
		"put /usr/local/sbin/etcdctl -rwxr-xr-x root root",
		"systemctl enable --no-reload --quiet etcd.service",
		"systemctl daemon-reload",
	}
	if diff := cmp.Diff(want, h.done); diff != "" {
		t.Error(diff)
	}
}

func TestKeysAreNotShown(t *testing.T) {
	t.Parallel()
	o, _ := bareOptions(t)
	o.Members[0].Target.OnChange = func(c remote.Change) {
		if strings.Contains(c.Diff, "PRIVATE KEY") {
			t.Errorf("%s shows a key", c.Name)
		}
	}
	if err := Install(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

func TestPlanningChangesNothing(t *testing.T) {
	t.Parallel()
	o, h := bareOptions(t)
	o.Members[0].Target.Executor = remote.Plan(h)
	var planned []string
	o.Members[0].Target.OnChange = func(c remote.Change) { planned = append(planned, c.String()) }
	if err := Bootstrap(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if len(h.done) > 0 {
		t.Errorf("done: %q", h.done)
	}
	if !slices.Contains(planned, "unit etcd.service started") {
		t.Errorf("planned: %q", planned)
	}
}

func TestNothingStartsWhereSomethingIsMissing(t *testing.T) {
	t.Parallel()
	o, h := bareOptions(t)
	h.fail = "enable"
	var failed *remote.ExitError
	if err := Bootstrap(t.Context(), o); !errors.As(err, &failed) || failed.Host != "pg1" {
		t.Errorf("error %v", err)
	}
	if slices.ContainsFunc(h.done, func(line string) bool {
		return strings.Contains(line, "systemctl start")
	}) {
		t.Errorf("done: %q", h.done)
	}
}

func TestDamagedArchiveIsNotSent(t *testing.T) {
	t.Parallel()
	o, h := bareOptions(t)
	o.Source, o.SHA256, o.Archive = SourceArchive, strings.Repeat("0", 64),
		filepath.Join(t.TempDir(), "etcd.tar.gz")
	if err := os.WriteFile(o.Archive, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Install(t.Context(), o); err == nil || !strings.Contains(err.Error(), "SHA256 is") {
		t.Errorf("error %v", err)
	}
	if len(h.done) > 0 {
		t.Errorf("done: %q", h.done)
	}
}

func TestLastError(t *testing.T) {
	t.Parallel()
	log := `Starting etcd.service
{"level":"fatal","msg":"discovery failed","error":"member 1 has already been bootstrapped"}
{"level":"error","msg":"setting up serving from embedded etcd failed.","error":"http: Server closed"}
{"level":"info","msg":"bye"}`
	if got, want := lastError(log),
		"discovery failed: member 1 has already been bootstrapped"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
