// Package examples_test runs the examples that need hosts against a lab.
package examples_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/lab"
)

// TestOnLab provisions a lab with the external module, which then runs its own verb there. The
// examples find the cluster as they would make it, give it a database, twice, and operate it.
func TestOnLab(t *testing.T) {
	if os.Getenv("PGHA_LAB") != "1" {
		t.Skip("boots systemd hosts as root; set PGHA_LAB=1 to run it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	dir := t.TempDir()
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", dir, "./provision",
		"./custom-phase",
		"./custom-verb", "./health", "./maintenance").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := inModule(t, externalModule(t), "build", "-o", dir,
		"./onlab").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	l, err := lab.Start(ctx, lab.Options{Name: "example", Installed: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Down(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	text, err := l.Spec()
	if err != nil {
		t.Fatal(err)
	}
	spec := filepath.Join(dir, "pgha.yaml")
	if err := os.WriteFile(spec, text, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(example string, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		code, err := l.Run(ctx, append([]string{
			filepath.Join(dir, example), spec,
		}, args...), lab.Stdio{Out: &out, Err: &out})
		if err != nil || code != 0 {
			t.Fatalf("%s ended with %d, %v\n%s", example, code, err, &out)
		}
		return out.String()
	}
	started := time.Now()
	checkExternal(t, run("onlab", "/opt"))
	t.Logf("the external module took %v", time.Since(started).Round(time.Second))
	if out := run("provision"); !strings.Contains(out,
		"\ntrue a row written through the address is read on every replica") {
		t.Errorf("provision verified nothing:\n%s", out)
	}
	if out := run("custom-phase", `it's "mine"`); !strings.HasSuffix(out,
		"command database it's \"mine\" created\n1 changes\n") {
		t.Errorf("first run of custom-phase:\n%s", out)
	}
	if out := run("custom-phase", `it's "mine"`); out != "0 changes\n" {
		t.Errorf("second run of custom-phase:\n%s", out)
	}
	for _, dry := range [][]string{{"--dry-run"}, nil} {
		if out := run("custom-verb", append([]string{"hello"}, dry...)...); strings.Count(out,
			" /etc/motd ") != 6 {
			t.Errorf("custom-verb %v changed other than six hosts:\n%s", dry, out)
		}
	}
	if out := run("custom-verb", "hello"); out != "" {
		t.Errorf("second run of custom-verb:\n%s", out)
	}
	if out := run("maintenance", "touch", "/run/maintained"); strings.Count(out,
		": done in ") != 3 ||
		strings.Count(out, " leads now") != 1 {
		t.Errorf("maintenance took other than three hosts and one switchover:\n%s", out)
	}
	for _, h := range l.Hosts() {
		code, err := l.Exec(ctx, h.Name, []string{"test", "-e", "/run/maintained"}, lab.Stdio{})
		if want := h.Role == lab.RoleDatabase; err != nil || (code == 0) != want {
			t.Errorf("%s: maintained %v, want %v, %v", h.Name, code == 0, want, err)
		}
	}
	checkHealth(ctx, t, l, filepath.Join(dir, "health"), spec)
}

// checkExternal reads what the program of the external module did.
func checkExternal(t *testing.T, out string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	want := []string{
		"provisioned, with changes on 6 hosts in the phases [", "planned: 0 changes",
		"dry run: 6 hosts",
		"announced: 6 hosts", "announced again: 0 hosts", "trail: announce by embedder",
		"trail: announce by embedder",
		"beside another verb it is locked: true",
	}
	for i, begins := range want {
		if len(lines) != len(want) || !strings.HasPrefix(lines[i], begins) {
			t.Fatalf("the external module's line %d should begin with %q:\n%s", i+1, begins, out)
		}
	}
	for i, part := range map[int]string{0: " etcd ", 5: "finished true, 6 changes",
		6: "finished true, 0 changes"} {
		if !strings.Contains(lines[i], part) {
			t.Errorf("the external module's line %d lacks %q:\n%s", i+1, part, out)
		}
	}
}

// checkHealth asks the health endpoint about a healthy cluster and about one that has just lost a
// host.
func checkHealth(ctx context.Context, t *testing.T, l *lab.Lab, program, spec string) {
	t.Helper()
	const address = "192.168.0.1:18080" // this machine in the lab's network
	serving, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = l.Run(serving, []string{program, spec, address}, lab.Stdio{})
	}()
	defer func() { stop(); <-ended }()
	client := &http.Client{
		Transport: &http.Transport{DialContext: l.DialContext, DisableKeepAlives: true},
		Timeout:   20 * time.Second,
	}
	await := func(want int) {
		t.Helper()
		last := "nothing"
		for start := time.Now(); time.Since(start) < time.Minute; {
			resp, err := client.Get("http://" + address + "/health")
			if err == nil {
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode == want && json.Valid(body) {
					return
				}
				last = resp.Status + " " + string(body)
			} else {
				last = err.Error()
			}
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
		t.Fatalf("no answer %d within a minute; the last was %s", want, last)
	}
	await(http.StatusOK)
	if err := l.Kill(ctx, "haproxy-03"); err != nil {
		t.Fatal(err)
	}
	await(http.StatusServiceUnavailable)
}
