package labtest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/restore"
)

// TestBackups takes backups, goes back to moments of the past and forward again, and proves
// backups, also those that are damaged.
func TestBackups(t *testing.T) {
	t.Parallel()
	wantTime(t, 11*time.Minute)
	s := newSite(t, startLab(t, lab.Options{Name: "e2e-backups", Installed: true}),
		func(text string) string { return text })
	s.apply(t, pgha.ApplyOptions{})
	// A cluster that runs gets its first backups.
	without := s.specText(t)
	const section = "backup: {repository: [{type: host, host: haproxy-03}], archive_timeout: 10"
	writeFile(t, s.specFile, []byte(without+section+", full: Sonntag}\n"))
	s.refused(t, `backup.full: systemd of haproxy-03 does not understand "Sonntag"`, "apply")
	writeFile(t, s.specFile, []byte(without+section+"}\n"))
	s.apply(t, pgha.ApplyOptions{})
	s.verb(t, nil, "restart", "--pending")
	s.applyNothing(t)
	s.refused(t, "there is no backup", "restore", "--to", "latest")
	var first restore.TakeResult
	s.verb(t, &first, "backup")
	if first.Type != backup.Full || first.Size == 0 {
		t.Errorf("the first backup: %+v", first)
	}
	s.verb(t, nil, "backup", "check")
	for _, p := range []struct {
		name string
		run  func(*testing.T, site)
	}{
		{"refused", testRestoreRefused},
		{"restore, killed at every step", testRestoreKilled},
		{"after a switchover, and taken back", testRestoreUndone},
		{"half of it taken back", rare(testRestoreHalfUndone)},
		{"a replica from a backup", testReplicaFromBackup},
		{"log limit", rare(testLogLimit)},
		{"proof", testProof},
		{"the key is lost", testKeyLost},
	} {
		t.Run(p.name, func(t *testing.T) { p.run(t, s) })
	}
	s.verify(t)
	t.Run("reset", func(t *testing.T) { testResetWithBackups(t, s, first.Label) })
	s.applyNothing(t)
	t.Run("taken away", func(t *testing.T) { testBackupsTakenAway(t, s, without) })
}

// testBackupsTakenAway: without the section nothing of backups is left on hosts but the repository,
// and nothing is archived; with another host for them, only that one makes any.
func testBackupsTakenAway(t *testing.T, s site, without string) {
	const parts = "ls -d /etc/systemd/system/pgha-backup* /usr/local/lib/pgha/backup* " +
		"/etc/pgbackrest/pgbackrest.conf /etc/pgbackrest/certs/* 2>/dev/null; " +
		"systemctl list-timers --all --no-legend 'pgha-backup*'; systemctl is-active pgbackrest | " +
		"grep -x active"
	writeFile(t, s.specFile, []byte(without+
		"backup: {repository: [{type: host, host: haproxy-02}], archive_timeout: 10}\n"))
	s.apply(t, pgha.ApplyOptions{})
	if left, _ := s.inHost(t, "haproxy-03", parts); left != "" {
		t.Errorf("the former host has\n%s", left)
	}
	s.verb(t, nil, "backup", "--type", "full")
	s.applyNothing(t)
	writeFile(t, s.specFile, []byte(without))
	s.apply(t, pgha.ApplyOptions{})
	s.verb(t, nil, "restart", "--pending")
	for _, h := range s.Hosts() {
		if left, _ := s.inHost(t, h.Name, parts); left != "" {
			t.Errorf("%s has\n%s", h.Name, left)
		}
	}
	if kept := s.mustInHost(t, "haproxy-03", "ls /var/lib/pgbackrest"); !strings.Contains(kept, "backup") {
		t.Errorf("the repository has only %s", kept)
	}
	leader, _ := s.leader(t)
	if mode := s.sql(t, leader, "SHOW archive_mode"); mode != "off" {
		t.Errorf("archive_mode is %s", mode)
	}
	s.applyNothing(t)
}

// testKeyLost: nobody writes another key in the place of the one that backups were made with.
func testKeyLost(t *testing.T, s site) {
	secret := filepath.Join(s.spec(t).StateDir, "secrets", "backup")
	key := must(os.ReadFile(secret))(t)
	if err := os.Remove(secret); err != nil {
		t.Fatal(err)
	}
	s.refused(t, "has no secrets/backup, and the hosts belong to a cluster that has others", "apply")
	writeFile(t, secret, []byte("another key of 26 letters.."))
	s.refused(t, "encrypts backups with another key", "apply")
	writeFile(t, secret, key)
	s.applyNothing(t)
}

// testResetWithBackups: the repository learns of the new databases, and keeps the backups of the
// old ones, which cannot be restored into the new.
func testResetWithBackups(t *testing.T, s site, old string) {
	if got := s.cli(t, "reset", "--yes-destroy", s.spec(t).Cluster); got.code != 0 {
		t.Fatalf("reset: exit code %d\n%s", got.code, got.stderr)
	}
	s.refused(t, "none leads to timeline", "restore", "--to", "latest")
	s.verb(t, nil, "backup", "--type", "full")
	s.verb(t, nil, "backup", "check")
	var list restore.Contents
	got := s.cli(t, "backup", "list", "--output", "json")
	if err := json.Unmarshal([]byte(got.stdout), &list); err != nil {
		t.Fatalf("%v\n%s%s", err, got.stdout, got.stderr)
	}
	first, last := list.Windows[0], list.Windows[len(list.Windows)-1]
	if first.Label != old || !first.Former || last.Former || !last.To.After(last.From) {
		t.Errorf("%+v ... %+v", first, last)
	}
	if got := s.cli(t, "restore", "--to", old, "--yes"); got.code != 3 ||
		!strings.Contains(got.stderr, "from before a reset") {
		t.Errorf("exit code %d, %s", got.code, got.stderr)
	}
	s.rows(t, 7)
	moment := s.now(t)
	s.rows(t, 1)
	s.verb(t, nil, "restore", "--to", moment)
	s.wantRows(t, 7)
	s.verb(t, nil, "restore", "confirm")
	s.applyNothing(t)
}

func testRestoreRefused(t *testing.T, s site) {
	for words, to := range map[string]string{
		"cannot be reached: the first moment is": "2020-01-01T00:00:00Z",
		"is in the future":                       "2990-01-01T00:00:00Z",
		"there is no backup 20200101-000000F":    "20200101-000000F",
		"says no moment":                         "yesterday evening",
	} {
		got := s.cli(t, "restore", "--to", to, "--yes")
		if got.code == 0 || !strings.Contains(got.stderr, words) {
			t.Errorf("--to %s: exit code %d, %s", to, got.code, got.stderr)
		}
	}
	got := s.cli(t, "restore", "undo", "--yes")
	if got.code == 0 || !strings.Contains(got.stderr, "no restore waits to be confirmed") {
		t.Errorf("undo: exit code %d, %s", got.code, got.stderr)
	}
}

// rows writes rows into a table of the database, a commit each.
func (s site) rows(t *testing.T, n int) {
	t.Helper()
	leader, _ := s.leader(t)
	s.sql(t, leader, "CREATE TABLE IF NOT EXISTS kept (id serial PRIMARY KEY, at timestamptz NOT NULL "+
		"DEFAULT clock_timestamp())")
	s.mustInHost(t, s.hostOf(t, leader), fmt.Sprintf("cd / && for i in $(seq %d); do echo 'INSERT INTO kept "+
		"DEFAULT VALUES;'; done | runuser -u postgres -- psql -Xqv ON_ERROR_STOP=1", n))
}

// now is a moment with nothing committed within half a second before and after it.
func (s site) now(t *testing.T) string {
	t.Helper()
	leader, _ := s.leader(t)
	moment := s.sql(t, leader, "SELECT to_char((clock_timestamp() + interval '0.5 s') AT TIME ZONE 'UTC', "+
		"'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
	s.sql(t, leader, "SELECT pg_sleep(1)")
	return moment
}

// wantRows asks every member for the rows.
func (s site) wantRows(t *testing.T, want int) {
	t.Helper()
	s.awaitHealthy(t)
	timelines := map[string]bool{}
	for _, h := range s.spec(t).Databases() {
		await(t, time.Minute, fmt.Sprintf("%d rows on %s", want, h.Name), func() (bool, string) {
			out, code := s.inHost(t, h.Name, "cd / && runuser -u postgres -- psql -XAtc 'SELECT count(*) "+
				"FROM kept'")
			return code == 0 && out == fmt.Sprint(want), out
		})
		timelines[s.sql(t, h.Member, "SELECT coalesce((SELECT received_tli FROM pg_stat_wal_receiver), "+
			"(SELECT timeline_id FROM pg_control_checkpoint()))")] = true
	}
	if len(timelines) != 1 {
		t.Errorf("the members are on the timelines %v", timelines)
	}
}

// testRestoreKilled drops a table, and goes back to before that, by runs that are killed at the
// beginning of each step.
func testRestoreKilled(t *testing.T, s site) {
	s.rows(t, 200)
	moment := s.now(t)
	s.rows(t, 50)
	leader, _ := s.leader(t)
	s.sql(t, leader, "DROP TABLE kept")
	look := s.cli(t, "restore", "--to", moment, "--look", "--sql", "SELECT count(*) FROM kept")
	if look.code != 0 || strings.TrimSpace(look.stdout) != "200" {
		t.Errorf("look: exit code %d, %s%s", look.code, look.stdout, look.stderr)
	}
	var dry struct {
		Changes []struct{ Name, Action string }
	}
	got := s.cli(t, "restore", "--to", moment, "--dry-run", "--output", "json")
	if err := json.Unmarshal([]byte(got.stdout), &dry); err != nil || len(dry.Changes) != 10 {
		t.Fatalf("the plan: %v\n%s%s", err, got.stdout, got.stderr)
	}
	args := []string{"restore", "--to", moment, "--yes"}
	for i := range dry.Changes {
		if !s.killWhen(t, fmt.Sprintf("step %d of %d:", i+1, len(dry.Changes)), args...) {
			t.Errorf("step %d was not reached", i+1)
		}
		if i == 4 {
			s.refused(t, "a change is half done: restore", "apply")
			s.refused(t, "a change is half done: restore", "restore", "--to", "latest")
		}
		args = []string{"change", "continue", "--yes"}
	}
	s.verb(t, nil, args[:2]...)
	s.wantRows(t, 200)
	s.refused(t, "the cluster was restored to", "restore", "--to", "latest")
	s.verb(t, nil, "restore", "confirm")
	if got := s.mustInHost(t, "postgres-02", "ls /var/lib/postgresql"); got != "data" {
		t.Errorf("left beside the data: %s", got)
	}
	s.verb(t, nil, "backup", "check")
	s.applyNothing(t)
}

// testRestoreUndone goes back to a moment after the first restore and before a switchover, and then
// forward again.
func testRestoreUndone(t *testing.T, s site) {
	s.rows(t, 10)
	moment := s.now(t)
	s.verb(t, nil, "switchover")
	s.rows(t, 20)
	var r restore.Result
	s.verb(t, &r, "restore", "--to", moment)
	s.wantRows(t, 210)
	if r.LastKept == nil || r.FirstGone == nil {
		t.Errorf("nothing is said of the last commit that is kept and the first that is gone: %+v", r)
	}
	t.Logf("restored in %s: kept %v, gone %v", r.Elapsed, r.LastKept, r.FirstGone)
	s.rows(t, 1)
	s.verb(t, &r, "restore", "undo")
	t.Logf("taken back in %s", r.Elapsed)
	s.wantRows(t, 230)
	s.rows(t, 1)
	// Archiving continues, on a timeline that the restored databases have not used.
	s.verb(t, nil, "backup", "check")
	s.verb(t, nil, "switchover")
	s.verb(t, nil, "backup", "check")
	var taken restore.TakeResult
	s.verb(t, &taken, "backup", "--type", "full")
	s.applyNothing(t)
	s.wantRows(t, 231)
}

// testRestoreHalfUndone takes a restore back that was cut off while it replayed.
func testRestoreHalfUndone(t *testing.T, s site) {
	moment := s.now(t)
	s.rows(t, 9)
	if !s.killWhen(t, "step 5 of 10:", "restore", "--to", moment, "--yes") {
		t.Error("step 5 was not reached")
	}
	s.verb(t, nil, "change", "undo")
	s.wantRows(t, 240)
	s.verb(t, nil, "backup", "check")
}

// testProof proves a backup, and finds an index that lies, a damaged file in the repository and a
// segment that is missing in the archive. testReplicaFromBackup makes a replica's data of the
// newest backup and of the archive, over a change of the timeline, and of another member where the
// backup cannot be read.
func testReplicaFromBackup(t *testing.T, s site) {
	s.rows(t, 3)
	leader, other := s.leader(t)
	s.verb(t, nil, "switchover", "--to", other)
	s.rows(t, 2)
	s.verb(t, nil, "backup", "check") // all of it is archived
	want := s.sql(t, other, "SELECT count(*) FROM kept")
	host := s.hostOf(t, leader)
	copied := func() (r pgha.ReinitializeResult) {
		t.Helper()
		s.verb(t, &r, "reinit", leader, "--from", "backup")
		await(t, time.Minute, "all rows on "+leader, func() (bool, string) {
			got := s.sql(t, leader, "SELECT count(*) FROM kept")
			return got == want, got
		})
		return r
	}
	if r := copied(); r.Backup == nil || r.Backup.Segments == 0 {
		t.Errorf("copied: %+v", r.Backup)
	} else {
		t.Logf("backup %s in %.1f s, %d segments in %.1f s, %.1f s in all", r.Backup.Backup,
			r.Backup.RestoredSeconds, r.Backup.Segments, r.Backup.LogSeconds,
			r.Took.Duration().Seconds())
	}
	s.mustInHost(t, "haproxy-03", "chmod 0 /var/lib/pgbackrest/backup/*/*/pg_data")
	r := copied()
	s.mustInHost(t, "haproxy-03", "chmod 750 /var/lib/pgbackrest/backup/*/*/pg_data")
	if r.Backup != nil {
		t.Errorf("of a backup that cannot be read: %+v", r.Backup)
	}
	s.mustInHost(t, host, "mv /usr/local/lib/pgha/backup-replica /tmp/")
	s.refused(t, "cannot make a replica of a backup yet", "reinit", leader, "--from", "backup")
	s.mustInHost(t, host, "mv /tmp/backup-replica /usr/local/lib/pgha/")
	s.awaitHealthy(t)
	s.applyNothing(t)
}

func testProof(t *testing.T, s site) {
	s.rows(t, 5)
	leader, _ := s.leader(t)
	var p backup.Proof
	s.verb(t, &p, "backup", "drill")
	if !p.Proven || !p.Pages || p.Indexes == 0 || p.RecoveryPointSeconds > 90 {
		t.Errorf("%+v", p)
	}
	t.Logf("proven in %.0f s: restored in %.1f s, %.0f s old", p.Seconds, p.RecoverySeconds,
		p.RecoveryPointSeconds)
	s.sql(t, leader, "CREATE FUNCTION lies(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1'")
	s.sql(t, leader, "CREATE INDEX liar ON kept (lies(id))")
	s.sql(t, leader, "CREATE OR REPLACE FUNCTION lies(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 1'")
	s.verb(t, nil, "backup", "check") // all of it is archived
	s.unproven(t, "index liar")
	s.sql(t, leader, "DROP INDEX liar")
	var newest restore.TakeResult
	s.verb(t, &newest, "backup", "--type", "full")
	const repository = "cd /var/lib/pgbackrest && "
	file := s.mustInHost(t, "haproxy-03", repository+"find backup/*/"+newest.Label+
		" -type f -path '*bundle*' -printf '%s %p\n' | sort -n | tail -1 | cut -d' ' -f2")
	s.mustInHost(t, "haproxy-03", repository+"cp -p "+file+" /tmp/whole && "+
		"printf damaged | dd of="+file+" bs=1 seek=5000 conv=notrunc status=none")
	s.unproven(t, "pgbackrest")
	s.mustInHost(t, "haproxy-03", repository+"cp -p /tmp/whole "+file)
	s.verb(t, &p, "backup", "drill")
	testMissingSegment(t, s)
}

// testMissingSegment takes a segment behind the newest backup out of the archive: nothing after it
// can be reached, which the list and the proof say.
func testMissingSegment(t *testing.T, s site) {
	for range 3 {
		s.rows(t, 1)
		s.verb(t, nil, "backup", "check")
	}
	const archive = "cd /var/lib/pgbackrest/archive/*/18-1 && "
	segment := s.mustInHost(t, "haproxy-03", archive+"ls */*.zst | tail -3 | head -1")
	s.mustInHost(t, "haproxy-03", archive+"mv "+segment+" /tmp/missing")
	name, _, _ := strings.Cut(segment[strings.IndexByte(segment, '/')+1:], "-")
	var list restore.Contents
	got := s.cli(t, "backup", "list", "--output", "json")
	if err := json.Unmarshal([]byte(got.stdout), &list); err != nil {
		t.Fatalf("%v\n%s%s", err, got.stdout, got.stderr)
	}
	if last := list.Windows[len(list.Windows)-1]; last.Missing != name {
		t.Errorf("the list says of a missing segment %s: %+v", name, last)
	}
	s.refused(t, "segment "+name+" is missing", "restore", "--to", s.now(t))
	s.mustInHost(t, "haproxy-03", archive+"mv /tmp/missing "+segment)
}

// unproven wants a proof to fail with these words.
func (s site) unproven(t *testing.T, words string) {
	t.Helper()
	got := s.cli(t, "backup", "drill", "--yes")
	if got.code != 1 || !strings.Contains(got.stderr, words) {
		t.Errorf("backup drill: exit code %d, want %q in\n%s%s", got.code, words, got.stdout, got.stderr)
	}
}
