package output

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnits(t *testing.T) {
	t.Parallel()
	const text = "Id=etcd.service\nActiveState=active\nMainPID=7\n\nId=gone.service\n" +
		"ActiveState=\n\nActiveState=x\n\nId=cut.service\nAct"
	want := map[string]map[string]string{
		"etcd.service": {"Id": "etcd.service", "ActiveState": "active", "MainPID": "7"},
		"gone.service": {"Id": "gone.service", "ActiveState": ""},
		"cut.service":  {"Id": "cut.service"},
	}
	if diff := cmp.Diff(want, Units(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := Units("Failed to connect to bus: No such file or directory\n"); len(got) > 0 {
		t.Errorf("of an error: %v", got)
	}
}

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
	want := Control{
		Identifier: "7711352684321083151", State: "shut down in recovery", Timeline: 12,
		Checkpoint: 0x1F02000150,
	}
	if diff := cmp.Diff(want, ControlData(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, bad := range []string{
		"", "pg_controldata: error: could not open file", "Latest checkpoint location: nowhere\n",
	} {
		if got := ControlData(bad); got != (Control{}) {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}

func TestListeners(t *testing.T) {
	t.Parallel()
	const text = `LISTEN 0 4096 [::]:2379 [::]:* users:(("etcd",pid=7,fd=3),("etcd",pid=7,fd=4))
LISTEN 0 128 0.0.0.0:22 0.0.0.0:*
LISTEN 0
LISTEN 0 128 127.0.0.1:ssh *:*
`
	want := []Listener{{2379, "etcd", 7}, {22, "", 0}}
	if diff := cmp.Diff(want, Listeners(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPort(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]int{
		"0.0.0.0:5432": 5432, "[::]:8008": 8008, "*:65535": 65535, "22": 22, "*:65536": -1,
		"80085": -1, "*:x": -1,
		"*:-1": -1, "": -1, "*:": -1,
	} {
		if got, ok := Port(address); ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %d, %v", address, got, ok)
		}
	}
}
