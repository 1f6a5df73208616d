package labtest

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testTriedChanges tries settings and rules that read well and that the hosts' PostgreSQL does not
// start with, or not with what is on the hosts: each is refused, in less than three seconds on a
// machine that does nothing else, and leaves no trace.
func testTriedChanges(t *testing.T, s site) {
	original := must(os.ReadFile(s.specFile))(t)
	defer writeFile(t, s.specFile, original)
	files, processes := digests(t, s), s.processes(t)
	for _, tt := range []struct{ fields, reason string }{
		{"parameters: {shared_preload_libraries: timescaledb}",
			`could not access file "timescaledb"`},
		{"parameters: {shared_buffers: 400GB}", "of shared memory, and the host's memory is"},
		{"parameters: {ssl_ca_file: /etc/nowhere.crt}",
			`could not load root certificate file "/etc/nowhere.crt"`},
		{"parameters: {lc_monetary: de_XX.UTF-8}", "de_XX.UTF-8"},
		{"parameters: {session_preload_libraries: nosuch}",
			"there is no library /usr/lib/postgresql/18/lib/nosuch.so"},
		{"parameters: {huge_pages: \"on\"}", "huge pages"},
		{"parameters: {max_connections: 262000, max_locks_per_transaction: 2000}",
			"of shared memory"},
		{"parameters: {superuser_reserved_connections: 100}", "must be less than"},
		{"parameters: {ssl_ciphers: NOSUCH}", "no valid ciphers"},
		{"parameters: {ssl_max_protocol_version: TLSv1.1}", "cannot be higher than"},
		{"parameters: {ssl_crl_file: revoked.pem}", "/var/lib/postgresql/data/revoked.pem"},
		{"parameters: {unix_socket_group: nosuch}", `group "nosuch" does not exist`},
		{
			"parameters: {archive_mode: \"on\", archive_command: \"/usr/bin/nosuch %p\"}",
			"there is no program /usr/bin/nosuch",
		},
		{"parameters: {archive_mode: \"on\", archive_library: nosuch}", "nosuch.so"},
		{
			"parameters: {logging_collector: \"on\", log_directory: /srv/logs/postgres}",
			"can neither write to /srv/logs/postgres nor make it",
		},
		{"parameters: {default_text_search_config: klingon}", "klingon"},
		{"parameters: {synchronous_standby_names: \"FIRST (a\"}", "synchronous_standby_names"},
		{
			"parameters: {shared_preload_libraries: auto_explain, " +
				"auto_explain.log_min_duration: 1x}",
			"auto_explain.log_min_duration",
		},
		{"pg_hba: [\"hostssl all @admins 10.0.0.0/8 scram-sha-256\"]",
			"/var/lib/postgresql/data/admins"},
	} {
		writeFile(t, s.specFile,
			[]byte(edited(t, string(original), "postgresql: {",
				"postgresql: {"+tt.fields+", ")))
		got := s.cli(t, "apply")
		if got.code != 3 || !strings.Contains(got.stderr, tt.reason) {
			t.Errorf("%s: apply ends with %d, want 3 and %q\n%s", tt.fields, got.code, tt.reason,
				got.stderr)
		}
		t.Logf("%s: refused in %s", tt.fields, got.took.Round(10*time.Millisecond))
	}
	testTriedRestart(t, s)
	if diff := cmp.Diff(files, digests(t, s)); diff != "" {
		t.Errorf("files were changed (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(processes, s.processes(t)); diff != "" {
		t.Errorf("processes were changed (-before +after):\n%s", diff)
	}
	for _, h := range s.databases() {
		s.mustInHost(t, h.Name, "test -z \"$(find /tmp -maxdepth 1 -user postgres)\"")
	}
}

// testTriedRestart sets, by ALTER SYSTEM, which no judge sees, what keeps the leader from starting:
// a restart is refused before anything stops.
func testTriedRestart(t *testing.T, s site) {
	t.Helper()
	leader, _ := s.leader(t)
	s.sql(t, leader, "ALTER SYSTEM SET shared_preload_libraries TO nosuch")
	defer s.sql(t, leader, "ALTER SYSTEM RESET shared_preload_libraries")
	got := s.cli(t, "restart", "--yes")
	if got.code != 3 || !strings.Contains(got.stderr, `could not access file "nosuch"`) {
		t.Errorf("restart ends with %d, want 3 and the library's name\n%s", got.code, got.stderr)
	}
}
