package patroni

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/remote"
)

// restartOrder returns the chosen members in the order of inOrder.
func (c *operator) restartOrder(s survey, ro RestartOptions) ([]MemberState, error) {
	for _, name := range ro.Members {
		if _, ok := s.state.Member(name); !ok {
			return nil, unknownMember(s.state, name, ErrInvalid)
		}
	}
	roles := []Role{"", RoleLeader, RoleStandbyLeader, RoleSyncStandby, RoleQuorumStandby,
		RoleReplica}
	if !slices.Contains(roles, ro.Role) {
		return nil, remote.WithHint(fmt.Errorf("%w: no role is called %q", ErrInvalid, ro.Role),
			"the roles are leader, replica, sync_standby, quorum_standby and standby_leader")
	}
	var replicas, leaders []MemberState
	for _, m := range s.state.Members {
		leads := m.Role.Leads()
		switch {
		case len(ro.Members) > 0 && !slices.Contains(ro.Members, m.Name),
			ro.PendingOnly && !m.PendingRestart && !s.nodes[m.Name].PendingRestart,
			ro.SkipLeader && leads,
			ro.Role == RoleReplica && leads,
			ro.Role != "" && ro.Role != RoleReplica && ro.Role != m.Role:
		case leads:
			leaders = append(leaders, m)
		default:
			replicas = append(replicas, m)
		}
	}
	order, err := c.inOrder(s, replicas, leaders, ro)
	if err != nil {
		return nil, err
	}
	for _, m := range order {
		if _, err := c.member(m.Name); err != nil {
			return nil, err
		}
		if gone := s.gone[m.Name]; gone != nil {
			return nil, remote.WithHint(fmt.Errorf("%w: %s does not answer: %w", ErrUnhealthy,
				m.Name, gone),
				"see `systemctl status patroni` there, or leave it out")
		}
	}
	return order, nil
}

// checkRestart refuses what would be an outage.
func (c *operator) checkRestart(s survey, order []MemberState, ro RestartOptions) error {
	leader, ok := s.state.Leader()
	if !ok {
		return remote.WithHint(ErrNoLeader, "wait until there is one, or make one with a failover")
	}
	leads := slices.ContainsFunc(order, func(m MemberState) bool { return m.Name == leader.Name })
	if s.state.Paused {
		if ro.LeaderBySwitchover && leads {
			return remote.WithHint(ErrPaused, "resume the cluster first, or restart the leader "+
				"in place")
		}
		c.options.Progress("warning: the cluster is paused: if PostgreSQL does not start again, " +
			"nobody takes over")
	}
	var sick []string
	for _, m := range c.options.Members {
		other := len(order) > 1 || order[0].Name != m.Name
		if other && (!s.state.Healthy(m.Name) || s.gone[m.Name] != nil) {
			sick = append(sick, m.Name)
		}
	}
	if len(sick) == 0 {
		return nil
	}
	err := fmt.Errorf("%w: %s is not healthy", ErrUnhealthy, strings.Join(sick, ", "))
	if healthy := s.healthy(); leads && !slices.ContainsFunc(healthy,
		func(name string) bool { return name != leader.Name }) {
		err = fmt.Errorf("%w, so restarting %s is an outage that no replica can cover", err,
			leader.Name)
	}
	if ro.Force {
		c.options.Progress("warning: " + err.Error())
		return nil
	}
	return remote.WithHint(err, "bring it back first, or force the restart")
}
