package rest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func ptr[T any](v T) *T { return &v }

const cluster40 = `{"members": [
 {"name": "pg1", "role": "leader", "state": "running", "api_url": "https://192.168.0.203:8008/patroni", "host": "192.168.0.203", "port": 5432, "timeline": 3,
  "pending_restart": true, "pending_restart_reason": {"shared_buffers": {"old_value": "256MB", "new_value": "1GB"}, "max_connections": {}}},
 {"name": "pg2", "role": "sync_standby", "state": "streaming", "api_url": "https://192.168.0.204:8008/patroni", "host": "192.168.0.204", "port": 5432, "timeline": 3, "lag": 0,
  "tags": {"nofailover": true, "failover_priority": 2}},
 {"name": "pg3", "role": "replica", "state": "start failed", "api_url": "https://192.168.0.205:8008/patroni", "host": "192.168.0.205", "port": 5432, "lag": "unknown"}
], "scope": "orders", "pause": true, "scheduled_switchover": {"at": "2026-11-24T10:00:00+00:00", "from": "pg1", "to": "pg2"}}`

const cluster41 = `{"members": [
 {"name": "pg1", "role": "master", "state": "running", "host": "192.168.0.203", "port": 5432, "timeline": 1},
 {"name": "pg2", "role": "quorum_standby", "state": "streaming", "timeline": 1, "receive_lag": 16, "receive_lsn": "0/3000060", "replay_lag": 32, "replay_lsn": "0/3000050", "lag": 32, "lsn": "0/3000060"},
 {"name": "pg3", "role": "replica", "state": "streaming", "timeline": 1, "receive_lag": "unknown", "receive_lsn": "unknown", "lag": "unknown", "lsn": "unknown", "scheduled_restart": {"schedule": "2026-11-24T10:00:00+00:00"}}
], "scope": "orders"}`

func TestParseCluster(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body    string
		want    ClusterState
		healthy string
	}{
		"4.0": {cluster40, ClusterState{
			Scope: "orders", Paused: true,
			ScheduledSwitchover: &ScheduledSwitchover{
				At: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC), From: "pg1", To: "pg2",
			},
			Members: []MemberState{
				{
					Name: "pg1", Role: RoleLeader, State: "running", Host: "192.168.0.203",
					Port:   5432,
					APIURL: "https://192.168.0.203:8008/patroni", Timeline: 3, PendingRestart: true,
					PendingReason: []string{"max_connections", "shared_buffers"},
				},
				{
					Name: "pg2", Role: RoleSyncStandby, State: "streaming", Host: "192.168.0.204",
					Port: 5432, APIURL: "https://192.168.0.204:8008/patroni", Timeline: 3,
					LagBytes: ptr(int64(0)),
				},
				{
					Name: "pg3", Role: RoleReplica, State: "start failed", Host: "192.168.0.205",
					Port: 5432, APIURL: "https://192.168.0.205:8008/patroni",
				},
			},
		}, "pg1 pg2"},
		"4.1": {cluster41, ClusterState{
			Scope: "orders",
			Members: []MemberState{
				{Name: "pg1", Role: RoleLeader, State: "running", Host: "192.168.0.203", Port: 5432,
					Timeline: 1},
				{
					Name: "pg2", Role: RoleQuorumStandby, State: "streaming", Timeline: 1,
					LagBytes: ptr(int64(32)), LSN: 0x3000060,
				},
				{
					Name: "pg3", Role: RoleReplica, State: "streaming", Timeline: 1,
					ScheduledRestart: "2026-11-24T10:00:00+00:00",
				},
			},
		}, "pg1 pg2 pg3"},
		"odd types": {`{"members": [1, null, {"name": 7, "role": [], "timeline": "x", "lag": 1.5, "tags": 3, "port": 1e99}], "pause": "yes", "scheduled_switchover": {"at": "soon"}}`,
			ClusterState{Members: []MemberState{{}},
				ScheduledSwitchover: &ScheduledSwitchover{}}, ""},
		"empty": {`{}`, ClusterState{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseCluster([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			healthy := ""
			for i, m := range got.Members {
				if got.Healthy(m.Name) {
					healthy += " " + m.Name
				}
				if name == "4.0" && m.Name == "pg2" && !m.Tag("nofailover") {
					t.Error("the tag nofailover is lost")
				}
				got.Members[i].Tags = nil
			}
			if got.ScheduledSwitchover != nil {
				got.ScheduledSwitchover.At = got.ScheduledSwitchover.At.UTC()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if want := tt.healthy; want != "" && healthy != " "+want || want == "" &&
				healthy != "" {
				t.Errorf("healthy:%s, want %s", healthy, want)
			}
		})
	}
}

func TestReplicaOnOldTimelineIsNotHealthy(t *testing.T) {
	t.Parallel()
	c := ClusterState{Members: []MemberState{
		{Name: "pg1", Role: RoleReplica, State: "running", Timeline: 2},
		{Name: "pg2", Role: RoleLeader, State: "running", Timeline: 2},
		{Name: "pg3", Role: RoleReplica, State: "streaming", Timeline: 1},
		{Name: "pg4", Role: RoleReplica, State: "streaming", Timeline: 2},
	}}
	for name, want := range map[string]bool{"pg1": false, "pg2": true, "pg3": false, "pg4": true,
		"pg5": false} {
		if got := c.Healthy(name); got != want {
			t.Errorf("%s healthy: %v", name, got)
		}
	}
	c.Members[1].Role = RoleReplica
	if c.Healthy("pg4") {
		t.Error("a replica is healthy without a leader")
	}
}

func TestParseNode(t *testing.T) {
	t.Parallel()
	got, err := parseNode(
		[]byte(
			`{"state": "running", "postmaster_start_time": "2026-11-23 11:00:00+00:00", "role": "primary", "server_version": 180006,
 "xlog": {"location": 67108960}, "timeline": 2, "replication": [{"usename": "replicator", "application_name": "pg2", "client_addr": "192.168.0.204", "state": "streaming", "sync_state": "async", "sync_priority": 0}],
 "dcs_last_seen": 1800000000, "watchdog_failed": true, "patroni": {"version": "4.1.5", "scope": "orders", "name": "pg1"}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := NodeState{
		Name: "pg1", Scope: "orders", Version: "4.1.5", Role: RoleLeader, State: "running",
		Timeline:      2,
		ServerVersion: 180006, WatchdogFailed: true,
		LastSeen:  time.Unix(1800000000, 0),
		StartedAt: time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC), Location: 67108960,
		Replication: []ReplicationState{
			{ApplicationName: "pg2", ClientAddress: "192.168.0.204", State: "streaming",
				SyncState: "async"},
		},
	}
	got.StartedAt = got.StartedAt.UTC()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(cluster40))
	f.Add([]byte(cluster41))
	f.Add([]byte(`{"members": [{"lag": "unknown"}]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		state, err := ParseCluster(body)
		if err != nil {
			return
		}
		for _, m := range state.Members {
			if m.Role.Leads() && m.LagBytes != nil {
				t.Error("a leader that is behind itself")
			}
			_ = state.Healthy(m.Name)
		}
		if _, err := parseNode(body); err != nil {
			t.Errorf("one object, two opinions: %v", err)
		}
	})
}
