package etcd

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Leader returns the name of the member that leads. ErrNoLeader if none of the members that answer
// does.
func Leader(ctx context.Context, o Options) (string, error) {
	members, err := Status(ctx, o)
	if err != nil {
		return "", err
	}
	leader := leaderOf(members)
	if leader == "" {
		return "", ErrNoLeader
	}
	return leader, nil
}

// leaderOf picks the leader with the highest term: a former one that is cut off does not know yet
// that it is none.
func leaderOf(members []MemberStatus) string {
	var leader MemberStatus
	for _, m := range members {
		if m.Leader && m.RaftTerm > leader.RaftTerm {
			leader = m
		}
	}
	return leader.Name
}

// MoveLeader hands etcd's leadership to the member called to, and returns once that member leads.
// Nothing happens if it leads already, so it is safe to repeat. Clients notice nothing: unlike an
// election it takes no time-out, and leases only gain time. ErrNoLeader if there is nobody to hand
// it over, ErrUnhealthy if that member does not answer.
func MoveLeader(ctx context.Context, o Options, to string) error {
	if err := moveLeader(ctx, o.withDefaults(), to); err != nil {
		return fmt.Errorf("move etcd's leadership to %s: %w", to, err)
	}
	return nil
}

func moveLeader(ctx context.Context, o Options, to string) error {
	members, err := Status(ctx, o)
	if err != nil {
		return err
	}
	leader := leaderOf(members)
	target := slices.IndexFunc(members, func(m MemberStatus) bool { return m.Name == to })
	switch {
	case target < 0:
		return fmt.Errorf("there is no such member")
	case leader == to:
		return nil
	case leader == "":
		return ErrNoLeader
	case members[target].Err != "":
		return fmt.Errorf("%w: %s", ErrUnhealthy, members[target].Err)
	}
	id, err := strconv.ParseUint(members[target].ID, 16, 64)
	if err != nil {
		return err
	}
	from := o.Members[slices.IndexFunc(o.Members, func(m Member) bool { return m.Name == leader })]
	err = o.ask(ctx, from, func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.MoveLeader(ctx, id)
		return err
	})
	if err != nil {
		return err
	}
	// The former leader has answered; that the new one knows takes it another message.
	return o.await(ctx, to+" to lead etcd", func(ctx context.Context) error {
		leader, err := Leader(ctx, o)
		if err == nil && leader != to {
			err = fmt.Errorf("%s leads", leader)
		}
		return err
	})
}
