package settings

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/configtree"
	"github.com/pgha/toolkit/internal/pgsetting"
)

func TestCompareConfigs(t *testing.T) {
	t.Parallel()
	const restart, auto = "postmaster", "/data/postgresql.auto.conf"
	conf := "/data/postgresql.conf"
	memory := func(value, file string) pgsetting.Setting {
		return pgsetting.Setting{
			Name: "work_mem", Type: "integer", Unit: "kB", Min: "64", Max: "2147483647",
			Context: "user",
			Value:   value, Shown: value + "kB", Source: "configuration file", SourceFile: file,
		}
	}
	connections := func(value string) pgsetting.Setting {
		return pgsetting.Setting{
			Name: "max_connections", Type: "integer", Min: "1", Max: "262143", Context: restart,
			Value: value, Shown: value, Source: "command line",
		}
	}
	level := pgsetting.Setting{
		Name: "log_min_messages", Type: "enum", Enum: []string{"warning", "error"},
		Context: "superuser",
		Value:   "warning", Shown: "warning", Source: "default",
	}
	style := pgsetting.Setting{
		Name: "DateStyle", Type: "string", Context: "user", Value: "ISO, MDY", Shown: "ISO, MDY",
		Source: "configuration file", SourceFile: conf,
	}
	member := func(name string, change func(*memberConfig),
		settings ...pgsetting.Setting) memberConfig {
		m := memberConfig{name: name, file: map[string]string{},
			settings: map[string]pgsetting.Setting{}}
		for _, s := range settings {
			m.settings[strings.ToLower(s.Name)] = s
		}
		if change != nil {
			change(&m)
		}
		return m
	}
	const work, most = configtree.Parameters + "work_mem", configtree.Parameters + "max_connections"
	for name, test := range map[string]struct {
		spec, dcs, problems map[string]string
		members             []memberConfig
		key                 string
		why                 []string
	}{
		"agrees in other units": {
			spec: map[string]string{work: "8MB"}, dcs: map[string]string{work: "8192"}, key: work,
			members: []memberConfig{member("a", nil, memory("8192", conf))},
		},
		"in neither": {
			key: work,
			members: []memberConfig{member("a", nil, memory("4096", conf)),
				member("b", nil, memory("4096", conf))},
		},
		"the DCS differs from the specification": {
			spec: map[string]string{"ttl": "30"}, dcs: map[string]string{"ttl": "40"}, key: "ttl",
			why: []string{"the next apply puts the specification's value back"},
		},
		"only in the DCS": {
			dcs: map[string]string{work: "8MB"}, key: work,
			members: []memberConfig{member("a", nil, memory("8192", conf))},
			why:     []string{"set in the DCS, not in the specification: apply leaves it alone"},
		},
		"only in the specification": {
			spec: map[string]string{work: "4MB"}, key: work,
			members: []memberConfig{member("a", nil, memory("4096", ""))},
			why:     []string{"not in the DCS: the next apply sets it"},
		},
		"Patroni refuses it": {
			spec: map[string]string{"ttl": "10"}, dcs: map[string]string{"ttl": "10"},
			problems: map[string]string{"ttl": "too short"}, key: "ttl",
			why: []string{"Patroni does not take it: too short"},
		},
		"ALTER SYSTEM on one": {
			spec: map[string]string{work: "8MB"}, dcs: map[string]string{work: "8MB"}, key: work,
			members: []memberConfig{
				member("a", nil, memory("8192", conf)),
				member("b", func(m *memberConfig) {
					m.altered = map[string]string{"work_mem": "64MB"}
				},
					memory("65536", auto)),
				member("c", func(m *memberConfig) {
					m.altered = map[string]string{"work_mem": "64MB"}
				},
					memory("65536", auto)),
			},
			why: []string{"ALTER SYSTEM on b, c (ALTER SYSTEM RESET ends it)"},
		},
		"ALTER SYSTEM sets the same": {
			spec: map[string]string{work: "8MB"}, dcs: map[string]string{work: "8MB"}, key: work,
			members: []memberConfig{
				member("a", func(m *memberConfig) {
					m.altered = map[string]string{"work_mem": "8MB"}
				},
					memory("8192", auto)),
			},
			why: []string{
				"ALTER SYSTEM on a sets the same, and hides every change in the DCS (ALTER " +
					"SYSTEM RESET ends it)",
			},
		},
		"ALTER SYSTEM of what nobody declares": {
			key: work, members: []memberConfig{
				member("a", nil, memory("4096", "")),
				member("b", func(m *memberConfig) {
					m.altered = map[string]string{"work_mem": "64MB"}
				},
					memory("65536", auto)),
			},
			why: []string{"ALTER SYSTEM on b (ALTER SYSTEM RESET ends it)"},
		},
		"waits for a restart, and ALTER SYSTEM without effect": {
			spec: map[string]string{most: "120"}, dcs: map[string]string{most: "120"}, key: most,
			members: []memberConfig{
				member("a", func(m *memberConfig) { m.pending = []string{"max_connections"} },
					connections("100")),
				member("b", nil, connections("120")),
				member("c", func(m *memberConfig) {
					m.pending, m.altered = []string{"Max_Connections"},
						map[string]string{"max_connections": "7"}
				}, connections("100")),
			},
			why: []string{
				"waits for a restart on a, c", "ALTER SYSTEM on c says 7, without effect: " +
					"Patroni's command line wins",
			},
		},
		"the local file overrides": {
			spec: map[string]string{work: "8MB"}, dcs: map[string]string{work: "8MB"}, key: work,
			members: []memberConfig{
				member("a", func(m *memberConfig) { m.file[work] = "16MB" }, memory("16384", conf)),
			},
			why: []string{"config.yml of a overrides the DCS with 16MB: apply takes that out"},
		},
		"the local file without effect": {
			spec: map[string]string{most: "100"}, dcs: map[string]string{most: "100"}, key: most,
			members: []memberConfig{member("a", func(m *memberConfig) { m.file[most] = "200" },
				connections("100"))},
			why: []string{"config.yml of a sets it, without effect: Patroni takes it from the " +
				"DCS alone"},
		},
		"the local file was edited": {
			key: work, members: []memberConfig{
				member("a", func(m *memberConfig) {
					m.file[work], m.wanted = "16MB", map[string]string{work: "8MB"}
				},
					memory("16384", conf)),
				member("b", func(m *memberConfig) { m.wanted = map[string]string{work: "8MB"} },
					memory("4096", "")),
			},
			why: []string{
				"config.yml of a says 16MB: apply puts 8MB back",
				"config.yml of b lacks it: apply puts it there",
			},
		},
		"a value that is none": {
			spec:    map[string]string{configtree.Parameters + "log_min_messages": "loud"},
			dcs:     map[string]string{configtree.Parameters + "log_min_messages": "loud"},
			key:     configtree.Parameters + "log_min_messages",
			members: []memberConfig{member("a", nil, level)},
			why:     []string{"PostgreSQL on a does not take this value, and keeps the one it had"},
		},
		"a name that is none": {
			spec:    map[string]string{configtree.Parameters + "work_mm": "1"},
			dcs:     map[string]string{configtree.Parameters + "work_mm": "1"},
			key:     configtree.Parameters + "work_mm",
			members: []memberConfig{member("a", nil, level)},
			why:     []string{"PostgreSQL has no such setting on a"},
		},
		"a text that PostgreSQL writes in its own way": {
			spec: map[string]string{configtree.Parameters + "datestyle": "iso, mdy"},
			dcs:  map[string]string{configtree.Parameters + "datestyle": "iso, mdy"},
			key:  configtree.Parameters + "datestyle",
			members: []memberConfig{
				member("a", func(m *memberConfig) {
					m.lines = map[string]string{"datestyle": "iso, mdy"}
				}, style),
			},
		},
		"members differ": {
			key: work,
			members: []memberConfig{member("a", nil, memory("4096", conf)),
				member("b", nil, memory("8192", conf))},
			why: []string{"members use different values, and neither the specification nor the " +
				"DCS names one"},
		},
		"PostgreSQL does not answer": {
			spec: map[string]string{work: "8MB"}, dcs: map[string]string{work: "8MB"}, key: work,
			members: []memberConfig{{name: "a"}, member("b", nil, memory("8192", conf))},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, row := range compareConfigs(test.spec, test.dcs, test.problems, test.members) {
				if row.Key != test.key {
					continue
				}
				if diff := cmp.Diff(test.why, row.Why); diff != "" ||
					row.Differs != (len(test.why) > 0) {
					t.Errorf("differs: %v (-want +got):\n%s", row.Differs, diff)
				}
				return
			}
			t.Errorf("no row %s", test.key)
		})
	}
}

func TestFlatten(t *testing.T) {
	t.Parallel()
	got := configtree.Flatten(map[string]any{
		"ttl": 30, "gone": nil, "ignore_slots": []any{map[string]any{"name": "a"}},
		"postgresql": map[string]any{"use_slots": true, "parameters": map[string]any{
			"Work_Mem": "8MB", "auto_explain.log_min_duration": 100,
			"primary_conninfo": "host=a password='se cret' user=b",
			"url":              "postgresql://u:secret@h/db",
		}},
	})
	want := map[string]string{
		"ttl": "30", "ignore_slots": `[{"name":"a"}]`, "postgresql.use_slots": "true",
		configtree.Parameters + "work_mem":                      "8MB",
		configtree.Parameters + "auto_explain.log_min_duration": "100",
		configtree.Parameters +
			"primary_conninfo": "host=a password=[redacted] user=b",
		configtree.Parameters + "url": "postgresql://u:[redacted]@h/db",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
