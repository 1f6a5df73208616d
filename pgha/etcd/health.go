package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// MemberHealth is what `etcdctl endpoint health` says of a member.
type MemberHealth struct {
	Name, Endpoint string
	Healthy        bool
	// Took is how long a read took that the whole quorum had to agree to.
	Took time.Duration
	Err  string
}

// Health asks every member at the same time for a read that takes a quorum. Members that fail are in the result, not in
// the error.
func Health(ctx context.Context, o Options) ([]MemberHealth, error) {
	o = o.withDefaults()
	health := make([]MemberHealth, len(o.Members))
	err := o.each(ctx, func(ctx context.Context, i int, m Member) error {
		h := MemberHealth{Name: m.Name, Endpoint: o.clientURL(m)}
		err := o.ask(ctx, m, func(ctx context.Context, c *clientv3.Client) error {
			start := time.Now()
			_, err := c.Get(ctx, "health")
			h.Took = time.Since(start)
			if errors.Is(err, rpctypes.ErrPermissionDenied) {
				err = nil // refused by the quorum, which therefore is there
			}
			return err
		})
		if h.Healthy = err == nil; err != nil {
			h.Err = err.Error()
		}
		health[i] = h
		return ctx.Err()
	})
	return health, err
}

// MemberStatus is what `etcdctl endpoint status` says of a member.
type MemberStatus struct {
	Name, Endpoint string
	ID             string // hexadecimal
	Version        string
	Leader         bool
	Learner        bool
	// DBSize and DBSizeInUse are bytes on disk and of live data.
	DBSize, DBSizeInUse int64
	RaftTerm, RaftIndex uint64
	// Errors are alarms that the member raises; Err is why it could not be asked.
	Errors []string
	Err    string
}

// Status asks every member at the same time. Members that do not answer are in the result, not in the error.
func Status(ctx context.Context, o Options) ([]MemberStatus, error) {
	o = o.withDefaults()
	status := make([]MemberStatus, len(o.Members))
	err := o.each(ctx, func(ctx context.Context, i int, m Member) error {
		s := MemberStatus{Name: m.Name, Endpoint: o.clientURL(m)}
		err := o.ask(ctx, m, func(ctx context.Context, c *clientv3.Client) error {
			r, err := c.Status(ctx, o.clientURL(m))
			if err != nil {
				return err
			}
			s.ID, s.Version, s.Leader, s.Learner = fmt.Sprintf("%x", r.Header.MemberId), r.Version, r.Leader == r.Header.MemberId, r.IsLearner
			s.DBSize, s.DBSizeInUse, s.RaftTerm, s.RaftIndex, s.Errors = r.DbSize, r.DbSizeInUse, r.RaftTerm, r.RaftIndex, r.Errors
			return nil
		})
		if err != nil {
			s.Err = err.Error()
		}
		status[i] = s
		return ctx.Err()
	})
	return status, err
}

// Leader returns the name of the member that leads; ErrNoLeader if none does.
func Leader(ctx context.Context, o Options) (string, error) {
	members, err := Status(ctx, o)
	if err != nil {
		return "", err
	}
	for _, m := range members {
		if m.Leader {
			return m.Name, nil
		}
	}
	return "", ErrNoLeader
}

// MoveLeader hands etcd's leadership to the member of that name. Nothing happens if it leads already.
func MoveLeader(ctx context.Context, o Options, to string) error {
	o = o.withDefaults()
	members, err := Status(ctx, o)
	if err != nil {
		return err
	}
	leader, target := -1, uint64(0)
	for i, m := range members {
		if m.Leader {
			leader = i
		}
		if m.Name == to && m.Err == "" {
			if _, err := fmt.Sscanf(m.ID, "%x", &target); err != nil {
				return fmt.Errorf("move etcd's leadership to %s: %w", to, err)
			}
		}
	}
	switch {
	case leader < 0:
		return fmt.Errorf("move etcd's leadership to %s: %w", to, ErrNoLeader)
	case members[leader].Name == to:
		return nil
	case target == 0:
		return fmt.Errorf("move etcd's leadership to %s: %w: that member does not answer", to, ErrUnhealthy)
	}
	return o.ask(ctx, o.Members[leader], func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.MoveLeader(ctx, target)
		return err
	})
}
