package hostlook

import (
	"testing"

	"github.com/pgha/toolkit/pgha/internal/sitetest"
)

func TestMostAdvanced(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		db1, db2, db3 ControlData
		want          string
	}{
		"no data": {want: ""},
		"the primary that shut down": {
			data("shut down in recovery", 3, 99), data("shut down", 3, 99),
			data("shut down in recovery", 3, 99), "db2",
		},
		"a primary that lost power": {
			data("shut down in recovery", 3, 99), data("in archive recovery", 3, 99),
			data("in production", 3, 50), "db3",
		},
		"a former primary on an old line": {
			data("in production", 2, 999), data("shut down in recovery", 3, 5),
			data("shut down in recovery", 3, 7), "db3",
		},
		"one has data": {db3: data("shut down in recovery", 1, 1), want: "db3"},
		"equals": {
			data("shut down in recovery", 1, 1), data("shut down in recovery", 1, 1),
			ControlData{}, "db1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			looks := map[string]Look{"db1": {Control: c.db1}, "db2": {Control: c.db2},
				"db3": {Control: c.db3}}
			if got := MostAdvanced(sitetest.PowerSpec().Databases(), looks); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func data(state string, timeline int64, checkpoint uint64) ControlData {
	return ControlData{Identifier: "1", State: state, Timeline: timeline, Checkpoint: checkpoint}
}
