package pgsetting

import "testing"

func TestSettingSame(t *testing.T) {
	t.Parallel()
	buffers := Setting{Name: "shared_buffers", Type: "integer", Unit: "8kB"}
	memory := Setting{Name: "work_mem", Type: "integer", Unit: "kB"}
	delay := Setting{Name: "vacuum_cost_delay", Type: "real", Unit: "ms"}
	timeout := Setting{Name: "statement_timeout", Type: "integer", Unit: "ms"}
	wal := Setting{Name: "max_wal_size", Type: "integer", Unit: "MB"}
	hints := Setting{Name: "wal_log_hints", Type: "bool"}
	commit := Setting{
		Name: "synchronous_commit", Type: "enum", Enum: []string{"local", "remote_write",
			"remote_apply", "on", "off"},
	}
	level := Setting{Name: "wal_level", Type: "enum",
		Enum: []string{"minimal", "replica", "logical"}}
	path := Setting{Name: "ssl_key_file", Type: "string"}
	for _, test := range []struct {
		s    Setting
		a, b string
		want bool
	}{
		{buffers, "256MB", "32768", true},
		{buffers, "256 MB", "262144kB", true},
		{buffers, "0.25GB", "256MB", true},
		{buffers, "256MB", "256kB", false},
		{buffers, "256mb", "32768", false}, // PostgreSQL does not take mb
		{memory, "8MB", "8192", true},
		{memory, "0x2000", "8MB", true},
		{wal, "1GB", "1024", true},
		{wal, "-1", "-1", true},
		{timeout, "1min", "60000", true},
		{timeout, "1min", "60", false},
		{timeout, "1d", "24h", true},
		{delay, "2", "2ms", true},
		{delay, "0.5ms", "500us", true},
		{hints, "on", "1", true},
		{hints, "True", "yes", true},
		{hints, "off", "f", true},
		{hints, "on", "off", false},
		{hints, "o", "on", false},
		{commit, "true", "on", true},
		{commit, "Remote_Write", "remote_write", true},
		{commit, "0", "on", false},
		{level, "hot_standby", "replica", true},
		{level, "logical", "replica", false},
		{path, "/A", "/a", false},
		{path, "", "", true},
	} {
		if got := test.s.Same(test.a, test.b); got != test.want {
			t.Errorf("%s: %q and %q: %v", test.s.Name, test.a, test.b, got)
		}
	}
}

func TestSettingCheck(t *testing.T) {
	t.Parallel()
	memory := Setting{Name: "work_mem", Type: "integer", Unit: "kB", Min: "64", Max: "2147483647"}
	slots := Setting{Name: "max_slot_wal_keep_size", Type: "integer", Unit: "MB", Min: "-1",
		Max: "2147483647"}
	plain := Setting{Name: "max_connections", Type: "integer", Min: "1", Max: "262143"}
	factor := Setting{Name: "hash_mem_multiplier", Type: "real", Min: "1", Max: "1000"}
	timeout := Setting{Name: "statement_timeout", Type: "integer", Unit: "ms", Min: "0",
		Max: "2147483647"}
	for _, test := range []struct {
		s           Setting
		value, want string
	}{
		{memory, "8MB", ""},
		{memory, "64", ""},
		{memory, "63kB", "63kB is outside 64kB to 2147483647kB"},
		{memory, "3TB", "3TB is outside 64kB to 2147483647kB"},
		{memory, "8mb", `"8mb": the units are B, kB, MB, GB, TB, written exactly so`},
		{memory, "8 apples", `"8 apples": the units are B, kB, MB, GB, TB, written exactly so`},
		{memory, "lots", `"lots" is not a number`},
		{memory, "", `"" is not a number`},
		{slots, "-1", ""},
		{slots, "-2", "-2 is outside -1 to 2147483647MB"},
		{plain, "100", ""},
		{plain, "0", "0 is outside 1 to 262143"},
		{plain, "100MB", `"100MB" has a unit, and this setting takes none`},
		{factor, "1.5", ""},
		{factor, "1e3", ""},
		{factor, "0.5", "0.5 is outside 1 to 1000"},
		{timeout, "1min", ""},
		{timeout, "30 days", `"30 days": the units are us, ms, s, min, h, d, written exactly so`},
		{Setting{Type: "bool"}, "maybe", `"maybe" is neither on nor off`},
		{Setting{Type: "string"}, "", ""},
	} {
		got := ""
		if err := test.s.Check(test.value); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s=%s: %q, want %q", test.s.Name, test.value, got, test.want)
		}
	}
}
