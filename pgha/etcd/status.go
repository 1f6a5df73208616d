package etcd

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// MemberStatus is what `etcdctl endpoint status` says of a member.
type MemberStatus struct {
	Name, Endpoint string
	// ID is the member's in hexadecimal, as etcdctl shows it.
	ID      string
	Version string
	Leader  bool
	// Learner is a member that does not vote yet.
	Learner bool
	// DBSize and DBSizeInUse are bytes on disk and of live data.
	DBSize, DBSizeInUse int64
	RaftTerm, RaftIndex uint64
	// Errors are what the member complains of: no leader; alarms of any member's, which all members
	// report.
	Errors []string
	// Alarm is one that is raised, "NOSPACE" or "CORRUPT": etcd takes no writes.
	Alarm string
	// Err is why it could not be asked. All but Name and Endpoint are zero then.
	Err string
}

// Status asks every member at the same time, each for at most 4 s, what it knows by itself: it
// takes no quorum. Members that do not answer are in the result, which is in the members' order;
// the error is ctx's.
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
			s.ID, s.Version, s.Errors = fmt.Sprintf("%x", r.Header.MemberId), r.Version,
				complaints(r.Errors)
			s.Alarm = firstAlarm(r.Errors)
			s.Leader, s.Learner = r.Leader == r.Header.MemberId, r.IsLearner
			s.DBSize, s.DBSizeInUse, s.RaftTerm, s.RaftIndex = r.DbSize, r.DbSizeInUse, r.RaftTerm,
				r.RaftIndex
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
