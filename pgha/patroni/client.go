package patroni

import (
	"context"

	"github.com/pgha/toolkit/pgha/patroni/rest"
)

// What operations say of a cluster and its members is package rest's.
type (
	// Role is what a member does in its cluster.
	Role = rest.Role
	// MemberState is what the cluster knows of one member.
	MemberState = rest.MemberState
	// ClusterState is the cluster as one of its members sees it through the DCS.
	ClusterState = rest.ClusterState
	// NodeState is what one member's own REST API says of itself at this moment.
	NodeState = rest.NodeState
	// ScheduledSwitchover is a switchover that waits for its time.
	ScheduledSwitchover = rest.ScheduledSwitchover
	// HistoryEntry is one change of timeline.
	HistoryEntry = rest.HistoryEntry
	// LSN is a position in the WAL.
	LSN = rest.LSN
	// StatusError is an answer of the REST API that is not what was asked for.
	StatusError = rest.StatusError
)

// The roles.
const (
	RoleLeader        = rest.RoleLeader
	RoleStandbyLeader = rest.RoleStandbyLeader
	RoleSyncStandby   = rest.RoleSyncStandby
	RoleQuorumStandby = rest.RoleQuorumStandby
	RoleReplica       = rest.RoleReplica
)

// States of a member that callers ask about; Patroni knows more.
const (
	StateRunning         = rest.StateRunning
	StateStreaming       = rest.StateStreaming
	StateCreatingReplica = rest.StateCreatingReplica
)

// NewClient returns a client of the REST API for o's Members, RESTCA, Operator and RESTPort; no
// other option matters. It connects to nothing yet: the first call reports unusable certificates.
func NewClient(o Options) *rest.Client {
	o = o.WithDefaults()
	c := rest.Options{CA: o.RESTCA, Operator: o.Operator, Port: o.RESTPort}
	for _, m := range o.Members {
		c.Members = append(c.Members, rest.Member{Target: m.Target, Name: m.Name,
			Address: m.Address})
	}
	return rest.New(c)
}

// History returns the cluster's changes of timeline, the oldest first. A new cluster has none.
// Changes nothing. Errors match ErrUnavailable.
func History(ctx context.Context, o Options) ([]HistoryEntry, error) {
	return NewClient(o).History(ctx)
}
