package rest

import (
	"slices"
	"time"

	"github.com/pgha/toolkit/pgha/health"
)

// Role is what a member does in its cluster.
type Role string

// The roles. Older and newer Patroni releases call the first one "master", "primary" and "leader";
// here it is always RoleLeader.
const (
	RoleLeader        Role = "leader"
	RoleStandbyLeader Role = "standby_leader"
	RoleSyncStandby   Role = "sync_standby"
	RoleQuorumStandby Role = "quorum_standby"
	RoleReplica       Role = "replica"
)

// Leads reports whether the member holds the leader lock.
func (r Role) Leads() bool { return r == RoleLeader || r == RoleStandbyLeader }

// Synchronous reports whether Patroni has noted the member as a synchronous replica.
func (r Role) Synchronous() bool { return r == RoleSyncStandby || r == RoleQuorumStandby }

// States of a member that callers ask about; Patroni knows more.
const (
	// StateRunning is a PostgreSQL that runs. It is what a healthy leader says, but not enough of a
	// replica.
	StateRunning = "running"
	// StateStreaming is a replica that receives the leader's WAL.
	StateStreaming = "streaming"
	// StateCreatingReplica is a member whose data directory is being copied from another one.
	StateCreatingReplica = "creating replica"
)

// MemberState is what the cluster knows of one member.
type MemberState struct {
	Name string `json:"name"`
	Role Role   `json:"role"`
	// State is StateRunning, StateStreaming or another of Patroni's words: "starting", "stopped",
	// "start failed", ...
	State  string `json:"state"`
	Host   string `json:"host"`
	Port   int    `json:"port"`
	APIURL string `json:"-"`
	// Timeline is 0 when it is unknown.
	Timeline int64 `json:"timeline"`
	// LagBytes is how far the replica is behind the leader; nil for the leader and when it is
	// unknown.
	LagBytes *int64 `json:"lag_bytes"`
	// LSN is the last position that the replica reported. 0 for the leader, and before Patroni 4.1.
	LSN LSN `json:"lsn,omitempty"`
	// PendingRestart says that a changed setting waits for a restart of PostgreSQL; PendingReason
	// names the settings.
	PendingRestart bool     `json:"pending_restart"`
	PendingReason  []string `json:"pending_reason,omitempty"`
	// ScheduledRestart is the time of a planned restart as Patroni gives it, or "".
	ScheduledRestart string         `json:"scheduled_restart,omitempty"`
	Tags             map[string]any `json:"tags,omitempty"`
}

// Tag reports whether the named tag is set to true.
func (m MemberState) Tag(name string) bool {
	b, ok := m.Tags[name].(bool)
	return ok && b
}

// ScheduledSwitchover is a switchover that waits for its time.
type ScheduledSwitchover struct {
	// At is zero when Patroni's answer could not be read.
	At   time.Time `json:"at"`
	From string    `json:"from"`
	// To is "" when Patroni picks the candidate at that time.
	To string `json:"to,omitempty"`
}

// String says it in words.
func (s ScheduledSwitchover) String() string {
	text := "switchover"
	if s.From != "" {
		text += " from " + s.From
	}
	if s.To != "" {
		text += " to " + s.To
	}
	if s.At.IsZero() {
		return text
	}
	return text + " at " + s.At.Format(time.RFC3339)
}

// Equal compares to the second: Patroni writes the time its own way.
func (s ScheduledSwitchover) Equal(other ScheduledSwitchover) bool {
	return s.From == other.From && s.To == other.To && s.At.Sub(other.At).Abs() < time.Second
}

// ClusterState is the cluster as one of its members sees it through the DCS. It can be up to
// LoopWait old.
type ClusterState struct {
	// Scope is "" when the answering Patroni doesn't say.
	Scope               string               `json:"scope"`
	Members             []MemberState        `json:"members"`
	Paused              bool                 `json:"paused"`
	ScheduledSwitchover *ScheduledSwitchover `json:"scheduled_switchover,omitempty"`
}

// Names lists the members.
func (c ClusterState) Names() []string {
	names := make([]string, 0, len(c.Members))
	for _, m := range c.Members {
		names = append(names, m.Name)
	}
	return names
}

// Leader returns the member that holds the leader lock.
func (c ClusterState) Leader() (MemberState, bool) {
	for _, m := range c.Members {
		if m.Role.Leads() {
			return m, true
		}
	}
	return MemberState{}, false
}

// Member returns the member with this name.
func (c ClusterState) Member(name string) (MemberState, bool) {
	for _, m := range c.Members {
		if m.Name == name {
			return m, true
		}
	}
	return MemberState{}, false
}

// Healthy reports whether the member is known and does what its tags promise.
func (c ClusterState) Healthy(name string) bool { return c.Fault(name) == "" }

// Fault says what keeps the member from what its tags promise (health.Promise), or "".
func (c ClusterState) Fault(name string) string {
	m, ok := c.Member(name)
	if !ok {
		return "has not reported"
	}
	leader, ok := c.Leader()
	if !ok {
		return "has no leader to follow"
	}
	return health.PromiseOf(m.Tags).Fault(health.Seen{Leads: m.Role.Leads(), State: m.State,
		Timeline: m.Timeline, LeaderTimeline: leader.Timeline})
}

// Noted are the members that Patroni has noted as synchronous replicas: in a synchronous mode it
// lets no other take over from a lost leader.
func (c ClusterState) Noted() []string {
	var names []string
	for _, m := range c.Members {
		if m.Role.Synchronous() {
			names = append(names, m.Name)
		}
	}
	return names
}

// NoneNoted tells that in a synchronous mode nobody would take over from a lost leader although a
// replica streams that could: Patroni notes it in the next round of its loop or the one after
// (4.1.5: up to 14 s after a start with the usual loop_wait). False where no replica could be
// synchronous: their own faults or tags say why. In asynchronous mode it has no meaning.
func (c ClusterState) NoneNoted() bool {
	leader, known := c.Leader()
	return known && leader.Role == RoleLeader && len(c.Noted()) == 0 &&
		slices.ContainsFunc(c.Members, func(m MemberState) bool {
			return m.Name != leader.Name && m.State == StateStreaming && c.Healthy(m.Name) &&
				health.PromiseOf(m.Tags).Synchronous
		})
}

// NodeState is what one member's own REST API says of itself at this moment.
type NodeState struct {
	Name    string
	Scope   string
	Version string // Patroni's
	// Role is RoleLeader for a PostgreSQL that is out of recovery, RoleReplica otherwise.
	Role Role
	// State is PostgreSQL's: StateRunning, "starting", ...
	State string
	// ReplicationState is StateStreaming for a replica that receives WAL now, "" when not.
	ReplicationState string
	Timeline         int64
	ServerVersion    int
	// StartedAt is when PostgreSQL's postmaster was started; zero while it does not run. A restart
	// changes it.
	StartedAt time.Time
	// Location is how far the WAL has been written: by a primary, or received by a replica. 0 when
	// it is unknown.
	Location LSN
	// Replayed is how far a replica has applied the WAL. 0 for a primary and when it is unknown.
	Replayed       LSN
	Paused         bool
	PendingRestart bool
	PendingReason  []string
	// Raised and Lowered are those of them that members get in an order, by whether they become
	// more or less: a replica has at least what its leader has.
	Raised, Lowered []string
	// ClusterUnlocked says that nobody holds the leader lock.
	ClusterUnlocked bool
	// FailsafeActive says that the DCS is out of reach and the primary continues by consent of all
	// members.
	FailsafeActive bool
	// LastSeen is when the member last read the DCS, by its host's clock in whole seconds; zero
	// where Patroni does not tell.
	LastSeen time.Time
	// WatchdogFailed says that a required watchdog could not be armed.
	WatchdogFailed bool
	// Replication lists the connections of replicas to this member.
	Replication []ReplicationState
}

// ReplicationState is one replica as the member that feeds it sees it.
type ReplicationState struct {
	ApplicationName, ClientAddress, State, SyncState string
}

// Follows reports whether the member itself says that it leads, or streams if it promises to, as
// the DCS says of it. The DCS may still show how it was before a restart.
func (n NodeState) Follows(state ClusterState) bool {
	if leader, ok := state.Leader(); ok && leader.Name == n.Name {
		return n.State == StateRunning
	}
	if m, ok := state.Member(n.Name); ok && !health.PromiseOf(m.Tags).Streams {
		return n.State == StateRunning
	}
	return n.State == StateRunning && n.ReplicationState == StateStreaming
}
