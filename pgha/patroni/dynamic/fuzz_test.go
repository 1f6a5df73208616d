package dynamic

import (
	"testing"

	"github.com/pgha/toolkit/pgha/patroni/rest"
)

// FuzzParseConfig reads what Patroni answers to /config, looks for what is wrong in it and compares
// it with what is wanted.
func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(
		`{"ttl": 30, "loop_wait": "10", "postgresql": {"parameters": {"work_mem": "8MB", "jit": false, "x": null}, "pg_hba": ["local all all peer"]}}`))
	f.Add([]byte(
		`{"ttl": {"a": []}, "postgresql": 1, "slots": [], "synchronous_mode": "quorum", "pause": 0.5e99, "standby_cluster": {"host": 7}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		config, err := rest.ParseConfig(body)
		if err != nil {
			if config != nil {
				t.Error("a configuration together with an error")
			}
			return
		}
		_ = ReadRules(config)
		if err := Validate(config); err != nil && err.Error() == "" {
			t.Error("an error without a word")
		}
	})
}
