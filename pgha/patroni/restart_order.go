package patroni

import (
	"fmt"
	"strings"

	"github.com/pgha/toolkit/pgha/remote"
)

// inOrder puts the chosen members into the order in which they are restarted: replicas first, so
// that a replica that is ready can take over, and has more when the leader gets more; the leader
// first where what waits is lowered alone, for its replicas would be restarted for nothing.
func (c *operator) inOrder(s survey, replicas, leaders []MemberState,
	ro RestartOptions) ([]MemberState, error) {
	leader, ok := s.state.Leader()
	node := s.nodes[leader.Name]
	if !ok || len(node.Lowered) == 0 {
		return append(replicas, leaders...), nil
	}
	lowered := strings.Join(node.Lowered, ", ")
	switch {
	case len(leaders) == 0 && len(replicas) > 0:
		c.options.Progress(
			fmt.Sprintf("warning: %s is lowered, which takes effect on a replica only after %s "+
				"has been restarted",
				lowered, leader.Name))
	case len(leaders) > 0 && ro.LeaderBySwitchover:
		return nil, remote.WithHint(
			fmt.Errorf("%w: %s is lowered, and a new leader would still have the former value: "+
				"the leader has to be restarted in place", ErrInvalid, lowered),
			"restart without a switchover, or raise it again")
	case len(leaders) > 0 && len(replicas) > 0 && len(node.Raised) == 0:
		c.options.Progress(lowered + " is lowered: the leader goes first")
		return append(leaders, replicas...), nil
	}
	return append(replicas, leaders...), nil
}
