package pgsetting

import (
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"work_mem": "64MB", "WORK_MEM": "0x2000", "timezone": "Europe/Madrid",
		"DateStyle":   "ISO, DMY",
		"pgaudit.log": "all",
		"wal_level":   "hot_standby", "autovacuum": "of", "effective_cache_size": "10TB",
		"random_page_cost":              "1e0",
		"default_transaction_isolation": "repeatable read", "unix_socket_permissions": "0770",
		"sort_mem":       "8MB",
		"ssl_ecdh_curve": "prime256v1", "vacuum_cost_delay": "500us", "log_connections": "on",
	} {
		if problem, _ := Of(18).Judge(name, value); problem != "" {
			t.Errorf("%s = %s: %s", name, value, problem)
		}
	}
	for _, test := range []struct{ name, value, problem, remedy string }{
		{"work_mem", "64mb", "units", "write 64MB"},
		{"checkpoint_timeout", "5MIN", "units", "write 5min"},
		{"max_conections", "200", "no such setting", "did you mean max_connections?"},
		{"shared_bufers", "1GB", "no such setting", "did you mean shared_buffers?"},
		{"block_size", "8192", "decides it itself", "leave it out"},
		{"fsync", "0", "loses the database", "leave it on"},
		{"full_page_writes", "fa", "loses the database", "leave it on"},
		{"default_transaction_isolation", "Serializable", "Patroni", "ALTER DATABASE"},
		{"unix_socket_permissions", "0", "socket", "0700"},
		{"unix_socket_permissions", "0555", "socket", "0700"},
		{"recovery_target_xid", "7", "replication", "delete"},
		{"recovery_target_action", "promote", "replication", "delete"},
		{"transaction_isolation", "serializable", "session", "delete"},
		{"max_wal_senders", "ten", "not a number", ""},
		{"max_wal_senders", "10GB", "takes none", ""},
		{"max_wal_senders", "1000000", "outside", ""},
		{"jit", "o", "neither on nor off", ""},
		{"archive_mode", "sometimes", "none of its values", "give one of"},
		{"io_method", "aio", "none of its values", "io_uring"},
		{"seq_page_cost", "-1", "1.798e+308", ""},
	} {
		problem, remedy := Of(18).Judge(test.name, test.value)
		if !strings.Contains(problem, test.problem) || !strings.Contains(remedy, test.remedy) ||
			remedy == "" {
			t.Errorf("%s = %s: %q; %q", test.name, test.value, problem, remedy)
		}
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for name, versions := range map[string][2]int{
		"io_method": {16, 18}, "transaction_timeout": {16, 18}, "db_user_namespace": {14, 17},
		"stats_temp_directory": {14, 14}, "work_mem": {14, 18},
	} {
		for v := 14; v <= 18; v++ {
			_, known := Of(v)[name]
			if want := v >= versions[0] && v <= versions[1]; known != want {
				t.Errorf("%s in %d: %v", name, v, known)
			}
		}
	}
	if len(Of(18)) < 390 || len(Of(15)) < 350 || len(Of(99)) != len(Of(18)) {
		t.Errorf("%d, %d, %d settings", len(Of(18)), len(Of(15)), len(Of(99)))
	}
}
