package patroni

import (
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/patroni/dynamic"
	"github.com/pgha/toolkit/pgha/patroni/rest"
)

// FuzzChoose looks for a candidate in what Patroni answers to /cluster, or anything else.
func FuzzChoose(f *testing.F) {
	f.Add([]byte(cluster41))
	f.Add([]byte(`{"members": [{"lag": "unknown"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		state, err := rest.ParseCluster(body)
		if err != nil {
			return
		}
		_, _, err = survey{state: state, rules: dynamic.ReadRules(nil)}.choose(SwitchoverOptions{},
			time.Now())
		if _, ok := state.Leader(); !ok && err == nil {
			t.Error("a candidate without a leader")
		}
	})
}
