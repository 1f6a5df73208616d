package labtest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/patroni"
)

// testConfig looks at settings and changes them, and leaves the DCS as it was.
func testConfig(t *testing.T, s site) {
	before := s.dynamicConfig(t)
	t.Run("agrees", func(t *testing.T) {
		if got := s.cli(t, "config", "show", "--check"); got.code != 0 {
			t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
		}
	})
	t.Run("differs", func(t *testing.T) { testConfigDiffers(t, s) })
	t.Run("set", func(t *testing.T) { testConfigSet(t, s) })
	t.Run("refused", func(t *testing.T) { testConfigRefused(t, s) })
	t.Run("edit", func(t *testing.T) { testConfigEdit(t, s) })
	if diff := cmp.Diff(before, s.dynamicConfig(t)); diff != "" {
		t.Errorf("the configuration is not as it was (-before +after):\n%s", diff)
	}
}

// dynamicConfig is what Patroni's own tool reads in the DCS.
func (s site) dynamicConfig(t *testing.T) string {
	t.Helper()
	return s.mustInHost(t, s.databases()[0].Name, "patronictl -c /etc/patroni/config.yml "+
		"show-config")
}

// editConfig changes the DCS with Patroni's own tool.
func (s site) editConfig(t *testing.T, flags string) {
	t.Helper()
	s.mustInHost(t, s.databases()[0].Name, "patronictl -c /etc/patroni/config.yml edit-config "+
		"--quiet --force "+flags)
}

// shows waits until a member's own PostgreSQL shows the value.
func (s site) shows(t *testing.T, member, setting, want string) {
	t.Helper()
	await(t, 30*time.Second, member+" to use "+setting+" = "+want, func() (bool, string) {
		got := s.sql(t, member, "SHOW "+setting)
		return got == want, got
	})
}

func (s site) configReport(t *testing.T) map[string]pgha.ConfigRow {
	t.Helper()
	got := s.cli(t, "config", "show", "--all", "--output", "json")
	var report pgha.ConfigReport
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil || got.code != 0 ||
		len(report.Errors) > 0 {
		t.Fatalf("config show: %v, exit code %d, errors %v\n%s", err, got.code, report.Errors,
			got.stderr)
	}
	rows := map[string]pgha.ConfigRow{}
	for _, row := range report.Rows {
		rows[row.Key] = row
	}
	return rows
}

// testConfigDiffers makes differences behind the tool's back.
func testConfigDiffers(t *testing.T, s site) {
	_, other := s.leader(t)
	usual := s.sql(t, other, "SHOW work_mem")
	s.sql(t, other, "ALTER SYSTEM SET work_mem = '65536kB'")
	s.sql(t, other, "SELECT pg_reload_conf()")
	s.editConfig(t, "-s ttl=33 -p shared_buffers=262144kB -p log_min_messages=nonsense")
	s.shows(t, other, "work_mem", "64MB")
	rows := s.configReport(t)
	for key, want := range map[string]string{
		"ttl": "specification", "postgresql.parameters.work_mem": "ALTER SYSTEM on " + other,
		"postgresql.parameters.log_min_messages": "does not take",
		"postgresql.parameters.shared_buffers":   "",
	} {
		row, found := rows[key]
		why := strings.Join(row.Why, "; ")
		if !found || row.Differs != (want != "") || !strings.Contains(why, want) {
			t.Errorf("%s: differs %v because %q, want %q", key, row.Differs, why, want)
		}
	}
	work := rows["postgresql.parameters.work_mem"]
	for _, h := range s.databases() {
		want := usual
		if h.Member == other {
			want = "64MB"
		}
		if got := work.Members[h.Member].Actual; got == nil || *got != want {
			t.Errorf("work_mem on %s: %v, want %s", h.Member, got, want)
		}
	}
	for args, want := range map[string]int{"config show": 0, "config show --check": 1} {
		if got := s.cli(t, strings.Fields(args)...); got.code != want ||
			!strings.Contains(got.stdout, "ALTER SYSTEM on "+other) {
			t.Errorf("%s: exit code %d, want %d\n%s", args, got.code, want, got.stdout)
		}
	}
	s.sql(t, other, "ALTER SYSTEM RESET work_mem")
	s.sql(t, other, "SELECT pg_reload_conf()")
	s.editConfig(t, fmt.Sprintf("-s ttl=%s -p shared_buffers=%s -p log_min_messages=null",
		*rows["ttl"].Spec, *rows["postgresql.parameters.shared_buffers"].Spec))
	s.shows(t, other, "work_mem", usual)
}

func testConfigSet(t *testing.T, s site) {
	before := s.dynamicConfig(t)
	leader, _ := s.leader(t)
	usual, connections := s.sql(t, leader, "SHOW work_mem"),
		s.sql(t, leader, "SHOW max_connections")
	change := []string{"config", "set", "work_mem=12MB", "MAX_CONNECTIONS=130", "ttl=34"}
	dry := s.cli(t, append(change, "--dry-run")...)
	if diff := cmp.Diff(before, s.dynamicConfig(t)); dry.code != 0 || diff != "" ||
		!strings.Contains(dry.stderr, "would:") {
		t.Errorf("dry run: exit code %d, changed (-before +after):\n%s\n%s", dry.code, diff,
			dry.stderr)
	}
	var result pgha.SetConfigResult
	s.verb(t, &result, change...)
	for _, h := range s.databases() { // at once: the verb has waited
		if got := s.sql(t, h.Member, "SHOW work_mem"); got != "12MB" {
			t.Errorf("work_mem on %s is %s", h.Member, got)
		}
		if got := s.sql(t, h.Member, "SHOW max_connections"); got != connections {
			t.Errorf("max_connections on %s is %s already", h.Member, got)
		}
	}
	if len(result.Pending) != 3 || !strings.Contains(fmt.Sprint(result.Notes), "patroni.ttl: 34") {
		t.Errorf("pending on %v; notes %q", result.Pending, result.Notes)
	}
	for _, text := range []string{"ttl: 34", "work_mem: 12MB", "max_connections: 130"} {
		if now := s.dynamicConfig(t); !strings.Contains(now, text) {
			t.Errorf("the DCS lacks %q:\n%s", text, now)
		}
	}
	rows := s.configReport(t)
	if row := rows["postgresql.parameters.max_connections"]; !strings.Contains(
		strings.Join(row.Why, "; "),
		"waits for a restart on postgresql-01, postgresql-02, postgresql-03") {
		t.Errorf("config show does not tell who waits: %q", row.Why)
	}
	result = pgha.SetConfigResult{}
	s.verb(t, &result, "config", "set", "work_mem=", "max_connections="+connections,
		"ttl="+*rows["ttl"].Spec)
	if len(result.Pending) > 0 {
		t.Errorf("after it was put back %v wait for a restart", result.Pending)
	}
	for _, m := range s.patronictl(t) {
		if got := s.sql(t, m.Member, "SHOW work_mem"); got != usual {
			t.Errorf("work_mem on %s is %s, not removed", m.Member, got)
		}
	}
	result = pgha.SetConfigResult{}
	if s.verb(t, &result, "config", "set", "work_mem=null"); len(result.Changes) > 0 {
		t.Errorf("the second time changes %v", result.Changes)
	}
}

func testConfigRefused(t *testing.T, s site) {
	before := s.dynamicConfig(t)
	for setting, words := range map[string]string{
		"work_mm=8MB":                    "did you mean work_mem?",
		"lop_wait=5":                     "did you mean loop_wait?",
		"postgresql.parametrs.jit=on":    "did you mean postgresql.parameters?",
		"work_mem=1kB":                   "outside 64kB",
		"work_mem=8mb":                   "the units are",
		"max_connections=5":              "too small",
		"log_min_messages=loud":          "none of its values",
		"log_destination=nowhere":        "none of its values",
		"default_tablespace=nowhere":     "PostgreSQL does not take it",
		"shared_preload_libraries=nolib": `could not access file "nolib"`,
		"shared_buffers=4TB":             "of shared memory, and the host's memory is",
		"listen_addresses=*":             "Patroni sets it",
		"server_version=19":              "decides it itself",
		"fsync=off":                      "loses the database",
		"ttl=5":                          "too small",
		"ttl=soon":                       "whole number",
		"retry_timeout=100":              "more than ttl",
	} {
		s.refused(t, words, "config", "set", setting)
	}
	got := s.cli(t, "config", "set", "work_mm=8MB", "work_mem=1kB", "ttl=5", "jit=off", "--yes")
	for _, words := range []string{"work_mm", "work_mem", "ttl"} {
		if got.code != 3 || !strings.Contains(got.stderr, words+": ") {
			t.Errorf("not all problems at once: exit code %d\n%s", got.code, got.stderr)
		}
	}
	s.with(t, pgha.ConnectOptions{Existing: true}, func(c *pgha.Cluster) {
		stale, err := c.DynamicConfig(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stale["loop_wait"] = 999
		_, err = c.SetConfig(t.Context(),
			pgha.SetConfigOptions{Set: map[string]any{"work_mem": "8MB"}, Expect: stale})
		if !pgha.Refused(err) || !strings.Contains(fmt.Sprint(err), patroni.ErrConflict.Error()) {
			t.Errorf("a lost update: %v", err)
		}
	})
	if diff := cmp.Diff(before, s.dynamicConfig(t)); diff != "" {
		t.Errorf("what was refused changed something (-before +after):\n%s", diff)
	}
}

// testConfigEdit puts a script in the editor's place.
func testConfigEdit(t *testing.T, s site) {
	before := s.dynamicConfig(t)
	_, other := s.leader(t)
	usual := s.sql(t, other, "SHOW work_mem")
	editor := func(script string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "editor")
		if err := os.WriteFile(file, []byte("#!/bin/sh\nset -e\n"+script+"\n"),
			0o700); err != nil { //nolint:gosec // it is to be run
			t.Fatal(err)
		}
		s.environment = []string{"VISUAL=" + file}
	}
	editor(
		`test "$(stat -c %a "$1")" = 600; sed -i 's/^\( *\)shared_buffers:.*/&\n\1work_mem: 14MB/' "$1"`)
	s.verb(t, nil, "config", "edit")
	if got := s.sql(t, other, "SHOW work_mem"); got != "14MB" {
		t.Errorf("work_mem is %s", got)
	}
	editor(`sed -i /work_mem/d "$1"`)
	s.verb(t, nil, "config", "edit")
	if got := s.sql(t, other, "SHOW work_mem"); got != usual {
		t.Errorf("work_mem is %s, not removed", got)
	}
	for script, words := range map[string]string{
		`sed -i 's/^ttl:.*/tl: 30/' "$1"`: "did you mean ttl?",
		`echo '{' > "$1"`:                 "not YAML",
		`: > "$1"`:                        "empty",
	} {
		editor(script)
		s.refused(t, words, "config", "edit")
	}
	// Somebody else is quicker.
	meanwhile := fmt.Sprintf("%s --lab --lab-name %s --spec %s config set work_mem=15MB --yes",
		shellQuote(binary), shellQuote(s.Name()), shellQuote(s.specFile))
	editor(meanwhile + ` >&2; sed -i 's/^ttl:.*/ttl: 40/' "$1"`)
	s.refused(t, "somebody else", "config", "edit")
	if now := s.dynamicConfig(t); !strings.Contains(now, "work_mem: 15MB") ||
		strings.Contains(now, "ttl: 40") {
		t.Errorf("an update was lost:\n%s", now)
	}
	s.verb(t, nil, "config", "set", "work_mem=")
	editor("exit 7")
	if got := s.cli(t, "config", "edit", "--yes"); got.code != 1 ||
		!strings.Contains(got.stderr, "exit status 7") {
		t.Errorf("an editor that fails: exit code %d\n%s", got.code, got.stderr)
	}
	if diff := cmp.Diff(before, s.dynamicConfig(t)); diff != "" {
		t.Errorf("the configuration is not as it was (-before +after):\n%s", diff)
	}
}
