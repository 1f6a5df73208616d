package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// The REST API's JSON differs between releases and says "unknown" where a number is expected, so
// nothing here relies on a type: a value of another type than expected counts as missing.

// object is a JSON object read with tolerance.
type object map[string]any

func parseObject(body []byte) (object, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var o object
	if err := dec.Decode(&o); err != nil {
		return nil, fmt.Errorf("parse Patroni's answer: %w", err)
	}
	if o == nil {
		return nil, fmt.Errorf("parse Patroni's answer: %q is no object", excerpt(body))
	}
	return o, nil
}

func (o object) text(key string) string {
	s, _ := o[key].(string)
	return s
}

func (o object) flag(key string) bool {
	b, _ := o[key].(bool)
	return b
}

func (o object) object(key string) object {
	m, _ := o[key].(map[string]any)
	return m
}

func (o object) objects(key string) []object {
	list, _ := o[key].([]any)
	var found []object
	for _, item := range list {
		if m, ok := item.(map[string]any); ok {
			found = append(found, m)
		}
	}
	return found
}

// number returns nil for what is missing, "unknown" or not a whole number.
func (o object) number(key string) *int64 {
	var n int64
	var err error
	switch v := o[key].(type) {
	case json.Number:
		n, err = v.Int64()
	case string:
		n, err = strconv.ParseInt(v, 10, 64)
	default:
		return nil
	}
	if err != nil {
		return nil
	}
	return &n
}

func (o object) integer(key string) int64 {
	if n := o.number(key); n != nil {
		return *n
	}
	return 0
}

// position reads a number of bytes.
func (o object) position(key string) LSN {
	n := o.integer(key)
	if n < 0 {
		return 0
	}
	return LSN(n)
}

// ParseTime reads a time as PostgreSQL writes it in text, or as JSON has it; zero when it is
// neither.
func ParseTime(text string) time.Time {
	for _, layout := range []string{"2006-01-02 15:04:05.999999-07:00",
		"2006-01-02 15:04:05.999999-07",
		time.RFC3339Nano} {
		if at, err := time.Parse(layout, text); err == nil {
			return at
		}
	}
	return time.Time{}
}

func parseRole(role string) Role {
	switch role {
	case "leader", "master", "primary", "promoted":
		return RoleLeader
	}
	return Role(role)
}

// ParseCluster reads the answer of /cluster.
func ParseCluster(body []byte) (ClusterState, error) {
	o, err := parseObject(body)
	if err != nil {
		return ClusterState{}, err
	}
	c := ClusterState{Scope: o.text("scope"), Paused: o.flag("pause")}
	for _, m := range o.objects("members") {
		c.Members = append(c.Members, parseMember(m))
	}
	if s := o.object("scheduled_switchover"); s != nil {
		at, err := time.Parse(time.RFC3339, s.text("at"))
		if err != nil {
			at = time.Time{}
		}
		c.ScheduledSwitchover = &ScheduledSwitchover{At: at, From: s.text("from"), To: s.text("to")}
	}
	return c, nil
}

func parseMember(m object) MemberState {
	state := MemberState{
		Name: m.text("name"), Role: parseRole(m.text("role")), State: m.text("state"),
		Host: m.text("host"), Port: int(m.integer("port")), APIURL: m.text("api_url"),
		Timeline: m.integer("timeline"), PendingRestart: m.flag("pending_restart"),
		PendingReason:    reasons(m),
		ScheduledRestart: m.object("scheduled_restart").text("schedule"), Tags: m.object("tags"),
	}
	if !state.Role.Leads() {
		// Since 4.1 there are also receive_lag and replay_lag; lag stays what failover decides on.
		state.LagBytes = m.number("lag")
		state.LSN, _ = ParseLSN(m.text("lsn"))
	}
	return state
}

// parseNode reads the answer of /patroni.
func parseNode(body []byte) (NodeState, error) {
	o, err := parseObject(body)
	if err != nil {
		return NodeState{}, err
	}
	patroni := o.object("patroni")
	n := NodeState{
		Name: patroni.text("name"), Scope: patroni.text("scope"), Version: patroni.text("version"),
		Role: parseRole(o.text("role")), State: o.text("state"),
		ReplicationState: o.text("replication_state"),
		Timeline:         o.integer("timeline"), ServerVersion: int(o.integer("server_version")),
		Paused: o.flag("pause"), PendingRestart: o.flag("pending_restart"),
		PendingReason:   reasons(o),
		ClusterUnlocked: o.flag("cluster_unlocked"),
		FailsafeActive:  o.flag("failsafe_mode_is_active"),
		WatchdogFailed:  o.flag("watchdog_failed"),
		StartedAt:       ParseTime(o.text("postmaster_start_time")),
	}
	n.Raised, n.Lowered = moves(o)
	if seen := o.integer("dcs_last_seen"); seen > 0 {
		n.LastSeen = time.Unix(seen, 0)
	}
	wal := o.object("xlog")
	n.Location, n.Replayed = wal.position("location"), wal.position("replayed_location")
	if n.Location == 0 {
		n.Location = max(wal.position("received_location"), n.Replayed)
	}
	for _, r := range o.objects("replication") {
		n.Replication = append(n.Replication, ReplicationState{
			ApplicationName: r.text("application_name"), ClientAddress: r.text("client_addr"),
			State: r.text("state"), SyncState: r.text("sync_state"),
		})
	}
	return n, nil
}

// reasons are the settings that wait for a restart.
func reasons(o object) []string {
	return slices.Sorted(maps.Keys(o.object("pending_restart_reason")))
}

func ParseConfig(body []byte) (map[string]any, error) {
	o, err := parseObject(body)
	return o, err
}

// neverLess are the settings of which a replica may not have less than its leader had last:
// PostgreSQL does not start it. Patroni therefore raises them on a replica at once, and keeps the
// old value there, whatever is restarted, until the leader has been restarted with a lower one.
// Seen with Patroni 4.1.5 and PostgreSQL 18.6.
var neverLess = []string{
	"max_connections", "max_locks_per_transaction", "max_prepared_transactions", "max_wal_senders",
	"max_worker_processes",
}

// moves sorts those of a member's pending settings that replicas and their leader get in an order
// by where they go.
func moves(o object) (raised, lowered []string) {
	pending := o.object("pending_restart_reason")
	for _, name := range slices.Sorted(maps.Keys(pending)) {
		if !slices.Contains(neverLess, name) {
			continue
		}
		was, errWas := strconv.Atoi(pending.object(name).text("old_value"))
		next, errNext := strconv.Atoi(pending.object(name).text("new_value"))
		switch {
		case errWas != nil || errNext != nil || was == next:
		case next < was:
			lowered = append(lowered, name)
		default:
			raised = append(raised, name)
		}
	}
	return raised, lowered
}
