package inspect

import (
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/change"
)

// TestJudgeAlarms: an alarm is reported with its remedy and stops nothing.
func TestJudgeAlarms(t *testing.T) {
	t.Parallel()
	if found := judgeAlarms(nil); found != nil {
		t.Errorf("without etcd: %v", found)
	}
	for name, remedy := range map[string]string{"NOSPACE": "doctor --fix etcd-no-space",
		"CORRUPT": "`doctor` says"} {
		found := judgeAlarms(&change.Store{
			Alarms: []change.StoreAlarm{{Member: "m2", Name: name}, {Member: "m3", Name: name}},
		})
		if len(found) != 1 || !found[0].Warning || !strings.Contains(found[0].Problem,
			"takes no writes: alarm "+name+" of m2, m3") ||
			!strings.Contains(found[0].Remedy.String(), remedy) {
			t.Errorf("%s: %+v", name, found)
		}
	}
}
