package labtest

import (
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/probe"
)

// testCrash kills the primary's postmaster: the watcher wakes Patroni at once, which is seen in its
// journal, and writes go on although nobody does anything.
func testCrash(t *testing.T, s site) {
	leader, _ := s.leader(t)
	host := s.hostOf(t, leader)
	w, err := probe.Start(t.Context(), probe.Options{Config: s.writerConfig(t), Rate: 50})
	if err != nil {
		t.Fatal(err)
	}
	pid := strings.Fields(s.mustInHost(t, host,
		"head -n 1 /var/lib/postgresql/data/postmaster.pid"))[0]
	fault := time.Now()
	s.mustInHost(t, host, "kill -KILL "+pid)
	if err := w.WaitAcked(t.Context(), fault.Add(5*time.Second)); err != nil {
		t.Fatal(err)
	}
	result, err := w.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.awaitHealthy(t)
	if out := s.mustInHost(t, host,
		"journalctl -u pgha-watch -o cat --no-pager"); !strings.Contains(out,
		"(process "+pid+") has ended; Patroni answered 200") {
		t.Errorf("the watcher did not wake Patroni:\n%s", out)
	}
	now, _ := s.leader(t)
	t.Logf("%.2f s without writes; %s leads, it was %s", result.Longest().Seconds, now, leader)
	s.sql(t, now, "DROP TABLE pgha_probe")
}
