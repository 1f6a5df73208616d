package dynamic

import (
	"errors"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/patroni/rest"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		config string
		want   []string // "key: beginning of the problem"
	}{
		"nothing": {`{}`, nil},
		"good": {`{"ttl": 20, "loop_wait": 5, "retry_timeout": "5", "synchronous_mode": "quorum", "synchronous_mode_strict": "off", "member_slots_ttl": "30min", "slots": {"x": {"type": "physical"}},
			"ignore_slots": [], "standby_cluster": null, "postgresql": {"use_slots": true, "pg_hba": [], "parameters": {"max_connections": 100, "work_mem": "4MB", "jit": false, "port": null}, "my_method": {"command": "x"}}}`, nil},
		"too small": {`{"ttl": 19, "loop_wait": 0, "retry_timeout": 2, "maximum_lag_on_failover": -1, "maximum_lag_on_syncnode": -1, "synchronous_node_count": 0}`,
			[]string{
				"loop_wait: 0 is too small", "maximum_lag_on_failover: -1 is too small",
				"retry_timeout: 2 is too small", "synchronous_node_count: 0 is too small",
				"ttl: 19 is too small",
			}},
		"sum": {
			`{"ttl": 30, "retry_timeout": 11}`,
			[]string{"ttl: loop_wait 10 + 2 * retry_timeout 11 = 32 is more than ttl 30; raise " +
				"ttl to 32"},
		},
		"sum, default": {`{"ttl": 20}`, []string{"ttl: loop_wait 10 + 2 * retry_timeout 10 = 30 " +
			"is more"}},
		"types": {`{"ttl": "30s", "failsafe_mode": "maybe", "postgresql": [], "ignore_slots": {}, "slots": 1, "member_slots_ttl": "soon", "loop_wait": 1.5}`,
			[]string{
				"failsafe_mode: maybe is neither", "ignore_slots: map[] is not a list",
				"loop_wait: 1.5 is not a whole", "member_slots_ttl: soon is no length",
				"postgresql: [] is not a section", "slots: 1 is not a section",
				"ttl: 30s is not a whole",
			}},
		"mode": {
			`{"synchronous_mode": "strict"}`,
			[]string{
				"synchronous_mode: Patroni knows no mode strict; write true, false or quorum; " +
					"strict is synchronous_mode_strict: true",
			},
		},
		"misspelt": {`{"tll": 30}`, []string{"tll: Patroni knows no such key; did you mean ttl?"}},
		"parameter": {
			`{"max_connections": 30}`,
			[]string{"max_connections: Patroni knows no such key; parameters of PostgreSQL " +
				"belong under"},
		},
		"local": {
			`{"postgresql": {"listen": "*", "use_slots": 3}}`,
			[]string{"postgresql.listen: Patroni ignores it", "postgresql.use_slots: 3 is neither"},
		},
		"controlled": {`{"postgresql": {"parameters": {"PORT": 1, "primary_conninfo": "x", "max_connections": 20, "wal_level": "minimal", "work_mem": [1]}}}`,
			[]string{"postgresql.parameters.PORT: Patroni sets it",
				"postgresql.parameters.max_connections: 20 is too small",
				"postgresql.parameters.primary_conninfo: Patroni points",
				`postgresql.parameters.wal_level: "minimal" does not`,
				"postgresql.parameters.work_mem: is no single value"}},
		"by role": {
			`{"postgresql": {"parameters_replica": {"port": 1}}}`,
			[]string{"postgresql.parameters_replica.port: Patroni sets it"},
		},
		"synchronous names": {
			`{"synchronous_mode": true, "postgresql": {"parameters": {"synchronous_standby_names": "*"}}}`,
			[]string{"postgresql.parameters.synchronous_standby_names: Patroni sets it in " +
				"synchronous mode"},
		},
		"rules": {`{"postgresql": {"pg_hba": ["local all all peer", "# a comment", "include_if_exists x", "hostssl all all 10.0.0.0/33 scram-sha-256", "hostssl all all 10.0.0.1 md5"]}}`,
			[]string{`postgresql.pg_hba[3]: "10.0.0.0/33"`,
				`postgresql.pg_hba[4]: "10.0.0.1" has no mask`}},
		"line ends": {`{"postgresql": {"parameters": {"log_line_prefix": "a\nb", "search_path": "a\tb"}, "pg_hba": ["local all all peer\nlocal all all trust"]}}`,
			[]string{
				"postgresql.parameters.log_line_prefix: has a line end",
				"postgresql.parameters.search_path: has a control character",
				"postgresql.pg_hba[0]: has a line end", "postgresql.pg_hba[0]: is not one rule",
			}},
		"synchronous names, free": {`{"postgresql": {"parameters": {"synchronous_standby_names": "*"}}}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, err := rest.ParseConfig([]byte(tt.config))
			if err != nil {
				t.Fatal(err)
			}
			err = Validate(config)
			var wrong *Error
			errors.As(err, &wrong)
			if (err != nil) != (len(tt.want) > 0) || err != nil &&
				(wrong == nil || !errors.Is(err, rest.ErrInvalid)) {
				t.Fatalf("got %v", err)
			}
			if wrong == nil {
				return
			}
			if len(wrong.Problems) != len(tt.want) {
				t.Fatalf("got %v", err)
			}
			for i, p := range wrong.Problems {
				if !strings.HasPrefix(p.String(), tt.want[i]) || p.Remedy == "" {
					t.Errorf("got %q, want %q", p, tt.want[i])
				}
			}
		})
	}
}
