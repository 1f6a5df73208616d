package labtest

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha"
)

// testLogLimit has the repository away until more of the log waits than may. Writes go on, what is
// above the limit is given up, doctor says so, and once the repository is back a backup closes the
// gap.
func testLogLimit(t *testing.T, s site) {
	const repository = "haproxy-03"
	before := s.specText(t)
	defer func() {
		writeFile(t, s.specFile, []byte(before))
		s.apply(t, pgha.ApplyOptions{})
	}()
	writeFile(t, s.specFile, []byte(edited(t, before, "archive_timeout: 10",
		"archive_timeout: 10, log_limit_mb: 64, at_log_limit: drop")))
	s.apply(t, pgha.ApplyOptions{})
	leader, _ := s.leader(t)
	waiting := func() int {
		t.Helper()
		n, err := strconv.Atoi(s.sql(t, leader, "SELECT count(*) FROM pg_ls_archive_statusdir() "+
			"WHERE name LIKE '%.ready'"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	segment := func() {
		t.Helper()
		s.sql(t, leader, "CREATE TABLE IF NOT EXISTS log_limit (n int)")
		s.sql(t, leader, "INSERT INTO log_limit VALUES (1)")
		s.sql(t, leader, "SELECT pg_switch_wal()")
	}
	s.mustInHost(t, repository, "systemctl stop pgbackrest")
	defer s.mustInHost(t, repository, "systemctl start pgbackrest")
	for range 3 {
		segment()
	}
	if got := s.cli(t, "doctor"); !strings.Contains(got.stdout, "archive-backlog") {
		t.Errorf("doctor, with %d segments waiting:\n%s%s", waiting(), got.stdout, got.stderr)
	}
	host := s.hostOf(t, leader)
	since := s.mustInHost(t, host, "date +%s")
	for range 8 {
		segment()
	}
	// PostgreSQL's archiver tries three times, and then again a minute later.
	await(t, 4*time.Minute, "log above the limit to be given up", func() (bool, string) {
		n := waiting()
		return n <= 5, strconv.Itoa(n) + " segments wait"
	})
	s.mustInHost(t, host, "grep -q 'dropped WAL file' $(find /var/log/postgresql -type f -newermt @"+
		since+") || journalctl --since @"+since+" | grep -q 'dropped WAL file'")
	s.mustInHost(t, repository, "systemctl start pgbackrest")
	segment()
	await(t, 3*time.Minute, "the log to be archived again", func() (bool, string) {
		n := waiting()
		return n == 0, strconv.Itoa(n) + " segments wait"
	})
	s.mustInHost(t, repository, "systemctl start pgha-backup-gap")
	if said := s.mustInHost(t, repository, "journalctl -u pgha-backup-gap -o cat --since @"+
		since); !strings.Contains(said, "is missing behind backup") {
		t.Errorf("nothing was found missing:\n%s", said)
	}
	s.mustInHost(t, repository, "systemctl start pgha-backup-gap")
	if said := s.mustInHost(t, repository, "journalctl -u pgha-backup-gap -o cat -n 5"); !strings.Contains(
		said, "without a gap") {
		t.Errorf("there still is a gap:\n%s", said)
	}
	s.sql(t, leader, "DROP TABLE log_limit")
	s.verify(t)
}
