package hostlook

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/internal/sitetest"
)

func TestControlData(t *testing.T) {
	t.Parallel()
	const text = `pg_control version number:            1800
Database system identifier:           7711352684321083151
Database cluster state:               shut down in recovery
Latest checkpoint location:           1F/2000150
Latest checkpoint's REDO location:    0/2000028
Latest checkpoint's TimeLineID:       12
Latest checkpoint's PrevTimeLineID:   11
`
	want := ControlData{Identifier: "7711352684321083151", State: "shut down in recovery", Timeline: 12, Checkpoint: 0x1F02000150}
	if diff := cmp.Diff(want, parseControlData(text), cmp.AllowUnexported(ControlData{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := parseControlData("pg_controldata: error: could not open file"); got != (ControlData{}) {
		t.Errorf("of an error: %+v", got)
	}
}

func TestMostAdvanced(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		db1, db2, db3 ControlData
		want          string
	}{
		"no data":                         {want: ""},
		"the primary that shut down":      {ControlData{"1", "shut down in recovery", 3, 99}, ControlData{"1", "shut down", 3, 99}, ControlData{"1", "shut down in recovery", 3, 99}, "db2"},
		"a primary that lost power":       {ControlData{"1", "shut down in recovery", 3, 99}, ControlData{"1", "in archive recovery", 3, 99}, ControlData{"1", "in production", 3, 50}, "db3"},
		"a former primary on an old line": {ControlData{"1", "in production", 2, 999}, ControlData{"1", "shut down in recovery", 3, 5}, ControlData{"1", "shut down in recovery", 3, 7}, "db3"},
		"one has data":                    {db3: ControlData{"1", "shut down in recovery", 1, 1}, want: "db3"},
		"equals":                          {ControlData{"1", "shut down in recovery", 1, 1}, ControlData{"1", "shut down in recovery", 1, 1}, ControlData{}, "db1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			looks := map[string]Look{"db1": {Control: c.db1}, "db2": {Control: c.db2}, "db3": {Control: c.db3}}
			if got := MostAdvanced(sitetest.PowerSpec().Databases(), looks); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
