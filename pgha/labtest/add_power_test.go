package labtest

import (
	"bufio"
	"context"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
)

// testAddPowerLost takes the power of the new host, of a replica's and of the leader's while
// databases are added: while etcd takes them in, and while the data is copied. The change is taken
// back although the power is still away, or finished once it is back; no row is lost.
func testAddPowerLost(t *testing.T, s site, more []lab.Host) {
	const joining, copying = "etcd member", "unit patroni.service started"
	for _, c := range []struct {
		name, who, said, way string
		rare                 bool
	}{
		{"the new host's, taken back", "new", copying, "undo", false},
		{"the new host's, finished", "new", joining, "continue", true},
		{"a replica's, taken back", "replica", copying, "undo", true},
		{"a replica's, finished", "replica", joining, "continue", true},
		{"the leader's, taken back", "leader", joining, "undo", true},
		{"the leader's, finished", "leader", copying, "continue", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.rare {
				rarely(t)
			}
			before := s.specText(t)
			s.withHosts(t, more[:2]...)
			leader, other := s.leader(t)
			host := map[string]string{"new": more[1].Name, "replica": s.hostOf(t, other),
				"leader": s.hostOf(t, leader)}[c.who]
			s.underWriter(t, func() {
				s.onceSaid(t, c.said, func() {
					must(struct{}{}, s.Kill(t.Context(), host))(t)
				}, "host", "add", more[0].Name, more[1].Name, "--yes")
				undo := []string{"change", "undo"}
				if c.who != "new" {
					undo = append(undo, "--without", host)
				}
				if c.way == "undo" {
					s.verb(t, nil, undo...)
					s.checkGone(t, more[0].Name)
				}
				s.bringBack(t, host, c.way == "undo" && c.who == "new")
				if c.way == "undo" && c.who != "new" {
					s.apply(t, pgha.ApplyOptions{})
				}
				if c.way == "continue" {
					s.verb(t, nil, "change", "continue")
					s.checkHosts(t)
					s.verb(t, nil, "host", "remove", more[0].Name, more[1].Name, "--clean")
				}
			})
			if s.specText(t) != before {
				t.Errorf("the specification is\n%s", s.specText(t))
			}
			s.checkHosts(t)
			if c.rare { // else it is asked at the end of all
				s.verify(t)
				s.findNothing(t)
			}
		})
	}
}

// bringBack gives a host its power back, as an empty machine if it belongs to the cluster no more.
func (s site) bringBack(t *testing.T, host string, empty bool) {
	t.Helper()
	if empty {
		must(struct{}{}, s.Wipe(t.Context(), host, lab.WipeOptions{}))(t)
		return
	}
	// The boot of a member that etcd has not yet taken in does not end.
	boot, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.StartHost(boot, host); err != nil {
		t.Log(err)
	}
	await(t, 2*time.Minute, "sshd on "+host, func() (bool, string) {
		out, code := s.inHost(t, host, "systemctl is-active ssh.socket ssh.service")
		return code == 0 || strings.Contains(out, "active\n"), out
	})
}

// onceSaid runs pgha-cli and does something when it has said so. The run must not succeed.
func (s site) onceSaid(t *testing.T, said string, do func(), args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append([]string{"--lab", "--lab-name", s.Name(),
		"--spec", s.specFile}, args...)...)
	out := must(cmd.StderrPipe())(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	done := false
	once := sync.OnceFunc(func() { done = true; began = time.Now(); do() })
	var last string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if last = lines.Text(); strings.Contains(last, said) {
			once()
		}
	}
	err := cmd.Wait()
	t.Logf("pgha-cli %v: %v, %s after it said %q: %s", args, err,
		time.Since(began).Round(100*time.Millisecond), said, last)
	if !done || err == nil {
		t.Errorf("it said %q: %v; it ended with %v", said, done, err)
	}
}
