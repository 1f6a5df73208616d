package patroni

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/pgha/remote"
)

// neverLess are the settings of which a replica may not have less than its leader had last: PostgreSQL does not start it.
// Patroni therefore raises them on a replica at once, and keeps the old value there, whatever is restarted, until the leader
// has been restarted with a lower one. Seen with Patroni 4.1.5 and PostgreSQL 18.6.
var neverLess = []string{
	"max_connections", "max_locks_per_transaction", "max_prepared_transactions", "max_wal_senders", "max_worker_processes",
}

// moves sorts those of a member's pending settings that replicas and their leader get in an order by where they go.
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

// inOrder puts the chosen members into the order in which they are restarted: replicas first, so that a replica that is ready
// can take over, and has more when the leader gets more; the leader first where what waits is lowered alone, for its replicas
// would be restarted for nothing.
func (c *Client) inOrder(s survey, replicas, leaders []MemberState, ro RestartOptions) ([]MemberState, error) {
	leader, ok := s.state.Leader()
	node := s.nodes[leader.Name]
	if !ok || len(node.Lowered) == 0 {
		return append(replicas, leaders...), nil
	}
	lowered := strings.Join(node.Lowered, ", ")
	switch {
	case len(leaders) == 0 && len(replicas) > 0:
		c.options.Progress(fmt.Sprintf("warning: %s is lowered, which takes effect on a replica only after %s has been restarted", lowered, leader.Name))
	case len(leaders) > 0 && ro.LeaderBySwitchover:
		return nil, remote.WithHint(fmt.Errorf("%w: %s is lowered, and a new leader would still have the former value: the leader has to be restarted in place", ErrInvalid, lowered),
			"restart without a switchover, or raise it again")
	case len(leaders) > 0 && len(replicas) > 0 && len(node.Raised) == 0:
		c.options.Progress(lowered + " is lowered: the leader goes first")
		return append(leaders, replicas...), nil
	}
	return append(replicas, leaders...), nil
}
