package lab

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/poll"
)

// needLab skips what boots hosts.
func needLab(t *testing.T) {
	t.Helper()
	if os.Getenv("PGHA_LAB") != "1" {
		t.Skip("boots systemd hosts as root; set PGHA_LAB=1 to run it")
	}
}

// startLab boots a lab and sees to it that nothing is left of it.
func startLab(t *testing.T, name string, hosts int) *Lab {
	t.Helper()
	options := Options{Name: name, Hosts: hosts}
	t.Cleanup(func() {
		if err := Down(context.WithoutCancel(t.Context()), options); err != nil {
			t.Error(err)
		}
		if left := traces(t, name); left != "" {
			t.Errorf("left behind:\n%s", left)
		}
	})
	l, err := Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// traces lists everything on the machine that carries the lab's name.
func traces(t *testing.T, name string) string {
	t.Helper()
	var found []string
	sources := map[string][]string{
		"namespace": {"ip", "netns", "list"},
		"mount":     {"cat", "/proc/self/mounts"},
		"process":   {"ps", "-e", "-o", "args="},
		"link":      {"ip", "-o", "link"},
	}
	for what, argv := range sources {
		out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).Output()
		if t.Context().Err() != nil { // in a cleanup
			out, err = exec.Command(argv[0], argv[1:]...).Output()
		}
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "pgha-"+name+"-") ||
				strings.Contains(line, "/labs/"+name+"/") {
				found = append(found, what+": "+line)
			}
		}
	}
	groups, err := openCgroups()
	if err != nil {
		t.Fatal(err)
	}
	defer groups.close()
	for _, h := range planHosts(maxHosts, 0, networkOf(false)) {
		if _, err := groups.root.Stat(hostNamespace(name, h.Name)); err == nil {
			found = append(found, "control group: "+h.Name+"\n")
		}
	}
	if _, err := os.Stat(cache(DefaultCacheDir).lab(name)); err == nil {
		found = append(found, "directory\n")
	}
	return strings.Join(found, "")
}

// inHost runs a shell line in a host and returns its output and exit code.
func inHost(t *testing.T, l *Lab, host, line string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // some install packages
	defer cancel()
	var out bytes.Buffer
	exit, err := l.Exec(ctx, host, []string{"sh", "-c", line}, Stdio{Out: &out, Err: &out})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String()), exit
}

// waitFor waits for a condition, 30 s at most.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !ok() {
		if err := poll.Pause(ctx, 50*time.Millisecond); err != nil {
			t.Fatalf("wait for %s: %v", what, err)
		}
	}
}
