package labtest

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/etcdrelease"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/probe"
)

// olderEtcd is a release that clusters have been made with, and that the default comes after.
const olderEtcd = "3.6.10"

// TestThreeHosts is about a cluster of three databases and no balancer, which begins with an older
// etcd: everything follows its leader, etcd steps up under a writer, and the loss of two hosts for
// good is survived.
func TestThreeHosts(t *testing.T) {
	t.Parallel()
	l := startLab(t, lab.Options{Name: "e2e-three", Hosts: 3, Installed: true})
	s := newSite(t, l, func(text string) string { return withEtcd(t, l, text, olderEtcd) })
	s.apply(t, pgha.ApplyOptions{})
	s.awaitHealthy(t)
	s.verify(t)
	runPart(t, "follows its leader", func(t *testing.T) { testFollowsLeader(t, s) })
	runPart(t, "etcd steps up", func(t *testing.T) { testEtcdStepsUp(t, s) })
	runPart(t, "recover", func(t *testing.T) { testRecover(t, s) })
	s.verify(t)
	s.applyNothing(t)
}

// withEtcd makes a specification ask for another release of etcd.
func withEtcd(t *testing.T, l *lab.Lab, text, version string) string {
	t.Helper()
	archive, sum, err := l.OtherEtcdArchive(t.Context(), version)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("etcd: {version: %s, source: archive, archive: %q, sha256: %s}", version,
		archive, sum)
	return regexp.MustCompile(`(?m)^etcd: .*$`).ReplaceAllLiteralString(text, want)
}

// testFollowsLeader moves the leadership to each other member. After each, psql and the printed
// strings end at the new leader, every check passes and apply finds nothing to do.
func testFollowsLeader(t *testing.T, s site) {
	leader, other := s.leader(t)
	for _, to := range []string{other, leader} {
		var moved pgha.SwitchoverResult
		s.verb(t, &moved, "switchover", "--to", to)
		s.awaitHealthy(t)
		want := s.hostOf(t, to)
		got := s.cli(t, "psql", "-X", "-At", "-c",
			"SELECT pg_is_in_recovery(), host(inet_server_addr())")
		if address := s.address(t, want); got.stdout != "f|"+address+"\n" {
			t.Errorf("psql after a switchover to %s: exit code %d\n%s%s", to, got.code, got.stdout,
				got.stderr)
		}
		w, err := probe.Start(t.Context(), probe.Options{Config: s.writerConfig(t)})
		if err != nil {
			t.Fatalf("a writer with the printed string after a switchover to %s: %v", to, err)
		}
		if _, err := w.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		// A member that was promoted and reads its files again finds its settings of recovery gone.
		if got := s.cli(t, "reload", "--yes"); got.code != 0 {
			t.Errorf("reload: exit code %d\n%s", got.code, got.stderr)
		}
		s.verify(t)
		s.applyNothing(t)
	}
}

func (s site) address(t *testing.T, host string) string {
	t.Helper()
	h, err := s.spec(t).Host(host)
	if err != nil {
		t.Fatal(err)
	}
	return h.Address
}

// testEtcdStepsUp applies the default release while rows are written. None may be missing
// afterwards, and no leader may change for it.
func testEtcdStepsUp(t *testing.T, s site) {
	cfg := s.writerConfig(t)
	w, err := probe.Start(t.Context(), probe.Options{Config: cfg, Rate: 50})
	if err != nil {
		t.Fatal(err)
	}
	leader, _ := s.leader(t)
	text := string(must(os.ReadFile(s.specFile))(t))
	writeFile(t, s.specFile, []byte(withEtcd(t, s.Lab, text, etcdrelease.Default)))
	report := s.apply(t, pgha.ApplyOptions{})
	s.awaitHealthy(t)
	if err := w.WaitAcked(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	result, err := w.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("from etcd %s to %s in %s: %d rows acknowledged, at most %.2f s without writes",
		olderEtcd,
		etcdrelease.Default,
		report.Duration.Round(100*time.Millisecond), result.Count(probe.Acked),
		result.Longest().Seconds)
	s.checkRows(t, cfg, result)
	if now, _ := s.leader(t); now != leader {
		t.Errorf("%s leads, and before the step %s did", now, leader)
	}
	for _, h := range s.databases() {
		if out := s.mustInHost(t, h.Name, "/usr/local/bin/etcd --version"); !strings.Contains(out,
			etcdrelease.Default) {
			t.Errorf("%s runs %s", h.Name, out)
		}
	}
}
