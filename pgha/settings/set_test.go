package settings

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/configtree"
	"github.com/pgha/toolkit/internal/pgsetting"
	"github.com/pgha/toolkit/pgha/change"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
)

func TestParseSettings(t *testing.T) {
	t.Parallel()
	got, err := ParseSettings([]string{
		"ttl=20", "work_mem=8MB", "archive_command=test ! -f /a/%f && cp %p /a/%f",
		"failsafe_mode=true",
		"a=", "b=null", `c=""`, "d='20'",
		"mode=0755", "real=1e3", "slots={a: {type: physical}}", "ignore_slots=[{name: b}]",
		"equal=a=b",
		"on=on", " spaced = x ",
	})
	want := map[string]any{
		"ttl": int64(20), "work_mem": "8MB", "archive_command": "test ! -f /a/%f && cp %p /a/%f",
		"failsafe_mode": true, "a": nil, "b": nil, "c": "", "d": "20",
		"mode": "0755", "real": "1e3",
		"slots":        map[string]any{"a": map[string]any{"type": "physical"}},
		"ignore_slots": []any{map[string]any{"name": "b"}}, "equal": "a=b", "on": "on",
		"spaced": "x",
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, wrong := range [][]string{{"ttl"}, {"=20"}, {"ttl=20", "ttl=30"}, {"slots={a"},
		{`a="`}} {
		if got, err := ParseSettings(wrong); errs.KindOf(err) != errs.Refused {
			t.Errorf("%q: %v, %v", wrong, got, err)
		}
	}
}

func TestReplacement(t *testing.T) {
	t.Parallel()
	before := map[string]any{
		"ttl": json.Number("30"), "loop_wait": json.Number("10"), "pause": true,
		"ignore_slots": []any{map[string]any{"name": "a"}},
		"postgresql": map[string]any{
			"use_slots": true, "parameters": map[string]any{"work_mem": "8MB",
				"max_connections": json.Number("100")},
		},
	}
	document := map[string]any{
		"ttl": 30, "loop_wait": 5, "slots": map[string]any{"a": map[string]any{"type": "physical"}},
		"ignore_slots": []any{map[string]any{"name": "a"}},
		"postgresql": map[string]any{
			"use_slots": true, "parameters": map[string]any{"max_connections": 120, "jit": "off",
				"work_mem": nil},
		},
	}
	patch := configtree.Replacement(before, document)
	want := map[string]any{
		"loop_wait": 5, "pause": nil,
		"slots": map[string]any{"a": map[string]any{"type": "physical"}},
		"postgresql": map[string]any{
			"parameters": map[string]any{"max_connections": 120, "jit": "off", "work_mem": nil},
		},
	}
	if diff := cmp.Diff(want, patch); diff != "" {
		t.Errorf("patch (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(configtree.Flatten(document),
		configtree.Flatten(configtree.Merged(before, patch))); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	if len(configtree.Replacement(before, configtree.Plain(before).(map[string]any))) != 0 {
		t.Error("the same document is a change")
	}
}

// judgeOf is a judge of a change to a small cluster's configuration.
func judgeOf(before map[string]any, members ...memberConfig) *configJudge {
	j := &configJudge{configChange: &configChange{before: before, members: members}}
	j.findCatalogue()
	return j
}

func smallCatalogue() memberConfig {
	m := memberConfig{name: "a", file: map[string]string{},
		settings: map[string]pgsetting.Setting{}}
	for _, s := range []pgsetting.Setting{
		{Name: "work_mem", Value: "4096", Type: "integer", Unit: "kB", Context: "user", Min: "64",
			Max: "2147483647"},
		{Name: "max_connections", Value: "100", Type: "integer", Context: "postmaster", Min: "1",
			Max: "262143"},
		{
			Name: "log_min_messages", Value: "warning", Type: "enum", Context: "superuser",
			Enum: []string{"warning", "error"},
		},
		{Name: "server_version", Type: "string", Context: "internal"},
		{Name: "log_connections", Value: "", Type: "string", Context: "superuser-backend"},
		{Name: "fsync", Value: "on", Type: "bool", Context: "sighup"},
	} {
		m.settings[s.Name] = s
	}
	return m
}

func TestResolve(t *testing.T) {
	t.Parallel()
	before := map[string]any{
		"ttl": 30, "odd_key": 1,
		"postgresql": map[string]any{"parameters": map[string]any{"Work_Mem": "8MB"}},
	}
	for key, want := range map[string]string{
		"ttl":                           "ttl",
		"synchronous_node_count":        "synchronous_node_count",
		"odd_key":                       "odd_key",
		"work_mem":                      "postgresql|parameters|Work_Mem",
		"MAX_CONNECTIONS":               "postgresql|parameters|max_connections",
		"postgresql.parameters.a.b":     "postgresql|parameters|a.b",
		"postgresql.parameters.no_such": "postgresql|parameters|no_such",
		"auto_explain.log_format":       "postgresql|parameters|auto_explain.log_format",
		"postgresql.use_slots":          "postgresql|use_slots",
		"slots.mine.type":               "slots|mine|type",
		"work_mm":                       "did you mean work_mem?",
		"lop_wait":                      "did you mean loop_wait?",
		"posgresql.parameters.work_mem": "did you mean postgresql?",
		"postgresql.parametrs.work_mem": "did you mean postgresql.parameters?",
		"quite_something_else":          "SELECT name FROM pg_settings lists PostgreSQL's",
	} {
		j := judgeOf(before, smallCatalogue())
		got := strings.Join(j.path(key), "|")
		if len(j.problems) == 1 {
			got = j.problems[0].Remedy
		}
		if got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
}

// TestTakeAway: whatever stands in the configuration can be taken away by its name, misspelt or
// not.
func TestTakeAway(t *testing.T) {
	t.Parallel()
	before := map[string]any{"tttl": 5, "slots": map[string]any{
		"a": map[string]any{"type": "physical"},
	}, "postgresql": map[string]any{
		"parametrs": map[string]any{"x": 1},
		"parameters": map[string]any{"max_conections": 200, "Work_Mem": "8MB",
			"pgaudit.lgo": "all"}}}
	for key, want := range map[string]string{
		"max_conections":                       "postgresql|parameters|max_conections",
		"MAX_CONECTIONS":                       "postgresql|parameters|max_conections",
		"postgresql.parameters.max_conections": "postgresql|parameters|max_conections",
		"work_mem":                             "postgresql|parameters|Work_Mem",
		"pgaudit.lgo":                          "postgresql|parameters|pgaudit.lgo",
		"postgresql.parameters.pgaudit.lgo":    "postgresql|parameters|pgaudit.lgo",
		"tttl":                                 "tttl",
		"slots.a":                              "slots|a",
		"postgresql.parametrs":                 "postgresql|parametrs",
		"postgresql.parametrs.x":               "postgresql|parametrs|x",
	} {
		j := judgeOf(before, smallCatalogue())
		j.resolve(map[string]any{key: nil})
		if want := put1(want); len(j.problems) > 0 || !cmp.Equal(want, j.patch) {
			t.Errorf("%s: %v, %v", key, j.patch, j.problems)
		}
	}
	j := judgeOf(before, smallCatalogue())
	if j.resolve(map[string]any{"not_there": nil}); len(j.problems) != 1 {
		t.Errorf("not_there: %v", j.patch)
	}
}

func put1(path string) map[string]any {
	patch := map[string]any{}
	configtree.Put(patch, strings.Split(path, "|"), nil)
	return patch
}

func TestJudgeParameter(t *testing.T) {
	t.Parallel()
	j := judgeOf(nil, smallCatalogue())
	for _, test := range []struct{ name, value, problem string }{
		{"work_mem", "8MB", ""},
		{"work_mem", "8kB", "8kB is outside 64kB to 2147483647kB"},
		{"log_min_messages", "error", ""},
		{"log_min_messages", "loud", `"loud" is none of its values`},
		{"server_version", "1", "PostgreSQL decides it itself"},
		{"fsync", "false", "off loses the database when a host loses power"},
		{"fsync", "on", ""},
		{"work_mm", "8MB", "PostgreSQL has no such setting"},
		{"some.extension", "8MB", ""},
	} {
		if problem, remedy := j.catalogue.Judge(test.name, test.value); problem != test.problem ||
			(problem == "") != (remedy == "") {
			t.Errorf("%s=%s: %q, %q", test.name, test.value, problem, remedy)
		}
	}
}

func TestJudgePatroni(t *testing.T) {
	t.Parallel()
	j := judgeOf(map[string]any{
		"ttl": 30, "loop_wait": 10, "retry_timeout": 10, "maximum_lag_on_failover": "lots",
	}, smallCatalogue())
	j.resolve(map[string]any{"ttl": int64(20), "loop_wait": int64(0)})
	j.patroni()
	var keys []string
	for _, p := range j.problems {
		keys = append(keys, p.Key)
	}
	// What was wrong before, the lag, is no reason against another change.
	if diff := cmp.Diff([]string{"loop_wait"}, keys); diff != "" {
		t.Errorf("-want +got:\n%s\n%v", diff, j.problems)
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	a, b := smallCatalogue(), smallCatalogue()
	a.altered = map[string]string{"work_mem": "64MB"}
	b.name, b.file = "b", map[string]string{configtree.Parameters + "work_mem": "32MB"}
	j := judgeOf(map[string]any{
		"ttl": 30,
		"postgresql": map[string]any{"parameters": map[string]any{"work_mem": "8MB",
			"max_connections": 100}},
	}, a, b)
	j.resolve(map[string]any{
		"ttl": int64(40), "work_mem": nil, "max_connections": int64(50), "log_connections": "on",
		"my.own": "1",
	})
	j.note(map[string]string{
		"ttl": "30", configtree.Parameters + "work_mem": "8MB",
		configtree.Parameters + "max_connections": "50",
	})
	want := []string{
		"log_connections takes effect in new sessions only",
		"max_connections takes effect with a restart of PostgreSQL, the leader first: replicas " +
			"never have less than the leader (`restart --pending`)",
		"PostgreSQL does not know my.own before its extension is loaded, so the value could not " +
			"be checked",
		"the specification says postgresql.parameters.work_mem: 8MB, and the next apply puts " +
			"that back; to keep the change, write there postgresql.parameters.work_mem: null",
		"on a ALTER SYSTEM says 64MB and wins: ALTER SYSTEM RESET work_mem ends that",
		"on b config.yml says 32MB and wins",
		"the specification says patroni.ttl: 30, and the next apply puts that back; to keep the " +
			"change, write there patroni.ttl: 40",
	}
	if diff := cmp.Diff(want, texts(j.notes)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLate(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	m := smallCatalogue()
	m.altered = map[string]string{"log_min_messages": "error"}
	for _, test := range []struct {
		name    string
		want    *string
		pending []string
		late    bool
	}{
		{"work_mem", text("4MB"), nil, false},
		{"work_mem", text("8MB"), nil, true},
		{"work_mem", nil, nil, false},
		{"max_connections", text("120"), []string{"max_connections"}, false},
		{"max_connections", text("120"), nil, true},
		// Patroni still believes that it waits
		{"max_connections", text("100"), []string{"max_connections"}, true},
		{"log_min_messages", text("warning"), nil, false},
		{"unknown.one", text("1"), nil, false},
	} {
		m.pending = test.pending
		if got := m.late(map[string]*string{test.name: test.want}); (len(got) > 0) != test.late {
			t.Errorf("%s: %v, want late: %v", test.name, got, test.late)
		}
	}
	if got := (memberConfig{}).late(map[string]*string{"work_mem": nil}); got != nil {
		t.Errorf("a member that does not answer: %v", got)
	}
}

func TestSpecConfig(t *testing.T) {
	t.Parallel()
	if _, err := site.SpecConfig(patroni.Options{}); errs.KindOf(err) != errs.Refused {
		t.Errorf("without members: %v", err)
	}
	o := patroni.Options{Members: []patroni.Member{{Name: "a", Address: "192.0.2.1"}},
		PostgreSQLVersion: 17,
		SynchronousMode:   patroni.SynchronousQuorum, Parameters: map[string]any{"WORK_MEM": "8MB"}}
	got, err := site.SpecConfig(o)
	if err != nil {
		t.Fatal(err)
	}
	flat := configtree.Flatten(got)
	for key, want := range map[string]string{
		"ttl": "30", "synchronous_mode": "quorum", configtree.Parameters + "work_mem": "8MB",
	} {
		if flat[key] != want {
			t.Errorf("%s is %q, want %q", key, flat[key], want)
		}
	}
}

func TestConfigLeavesRoom(t *testing.T) {
	t.Parallel()
	j := judgeOf(map[string]any{}, smallCatalogue())
	j.patch = map[string]any{"postgresql": map[string]any{"parameters": map[string]any{
		"wal_level": "replica", "Max_Replication_Slots": 1, "max_prepared_transactions": nil,
		"max_connections": 50, "work_mem": "8MB",
	}}}
	j.crowded([]change.MemberInUse{
		{
			Member: "a",
			InUse: change.InUse{
				Prepared: 1, Sessions: 20, Slots: []change.Slot{{Name: "b"},
					{Name: "rec", Logical: true}},
			},
		},
		{Member: "b",
			InUse: change.InUse{Slots: []change.Slot{{Name: "rec", Logical: true, Synced: true}}}},
	})
	found := map[string]string{}
	for _, p := range j.problems {
		found[p.Key] = p.Problem + "; " + p.Remedy
	}
	for key, want := range map[string]string{
		"wal_level":                 "rec on b: a copy of the leader's",
		"Max_Replication_Slots":     "a has 2 replication slots",
		"max_prepared_transactions": "ROLLBACK PREPARED",
	} {
		if !strings.Contains(found[configtree.Parameters+key], want) {
			t.Errorf("%s: %q, want %q", key, found[configtree.Parameters+key], want)
		}
	}
	if len(found) != 3 {
		t.Errorf("found %q", found)
	}
}

// texts are the notes as people read them.
func texts(notes []errs.Next) []string {
	list := make([]string, len(notes))
	for i, n := range notes {
		list[i] = n.String()
	}
	return list
}
