package status

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/procedure"
	"github.com/pgha/toolkit/pgha/vip"
)

// Status is the cluster at one moment. Its JSON form is stable: fields are added, never renamed.
type Status struct {
	Cluster string    `json:"cluster"`
	Time    time.Time `json:"time"`
	// NoWrites is why applications cannot write now; "" when they can.
	NoWrites string `json:"no_writes,omitempty"`
	// NoSuccessor is why nobody would take over from a lost leader, although a replica streams that
	// could; "" when somebody would, and where no replica could.
	NoSuccessor string `json:"no_successor,omitempty"`
	// Paused means that Patroni promotes nobody by itself.
	Paused  bool           `json:"paused"`
	Members []MemberStatus `json:"members"`
	// Strangers are members that the cluster has and the specification does not name.
	Strangers []string         `json:"strangers,omitempty"`
	Etcd      []EtcdStatus     `json:"etcd"`
	Balancers []BalancerStatus `json:"balancers"`
	// Poolers are those on the balancers; none without pooler in the specification.
	Poolers      []PoolerStatus      `json:"poolers,omitempty"`
	VIP          *VIPStatus          `json:"vip,omitempty"`
	Services     []ServiceStatus     `json:"services"`
	Disks        []DiskStatus        `json:"disks"`
	Certificates []CertificateStatus `json:"certificates"`
	// Operation is what somebody is doing to the cluster at this moment.
	Operation *OperationStatus `json:"operation,omitempty"`
	// Interrupted is the last operation, if it was not brought to its end and nobody is at it; nil
	// otherwise. It is no problem by itself.
	Interrupted *Interrupted `json:"interrupted,omitempty"`
	// ScheduledSwitchover is one that waits for its time.
	ScheduledSwitchover *ScheduledSwitchover `json:"scheduled_switchover,omitempty"`
	// Fences are hosts that have fenced a leader that was lost.
	Fences []FenceStatus `json:"fences,omitempty"`
	// Stranded members do not come back by themselves.
	Stranded []StrandedMember `json:"stranded,omitempty"`
	// UnfinishedReset reports a reset that was begun and not finished.
	UnfinishedReset string `json:"unfinished_reset,omitempty"`
	// Change is a change of many steps that was begun and is not finished.
	Change *procedure.Record `json:"change,omitempty"`
	// State is where the cluster's keys and passwords are kept; nil before the first apply.
	State *StateStatus `json:"state,omitempty"`
	// Backup is nil where the specification has none.
	Backup *BackupStatus `json:"backup,omitempty"`
	// Unreachable holds hosts that cannot be asked, with the reason.
	Unreachable map[string]string `json:"unreachable,omitempty"`
	// Errors holds parts of the status that could not be had, with the reason.
	Errors map[string]string `json:"errors,omitempty"`
}

// Look asks all components at the same time. What does not answer is reported in the Status rather
// than as an error, so the status of a half-dead cluster is still a status. A ctx that ends while
// they are asked is an error.
func Look(ctx context.Context, c *site.Site) (Status, error) {
	s := Status{Cluster: c.Spec.Cluster, Time: time.Now(), Services: []ServiceStatus{},
		Disks:       []DiskStatus{},
		Unreachable: map[string]string{}, Errors: map[string]string{}}
	for host, err := range c.Unreachable {
		s.Unreachable[host] = err.Error()
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	part := func(name Part, f func() error) {
		wg.Go(func() {
			if err := f(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				s.Errors[string(name)] = err.Error()
			}
		})
	}
	var holdings []vip.Holding
	var said map[string]hostSaid
	part(PartMembers, func() error { return memberStatus(ctx, c, &s) })
	part(PartEtcd, func() error { return etcdStatus(ctx, c, &s) })
	part(PartBalancers, func() error { return balancerStatus(ctx, c, &s) })
	part(PartPoolers, func() error { return poolerStatus(ctx, c, &s) })
	part(PartEtcd, func() error { return operationStatus(ctx, c, &s) })
	part(PartChange, func() error { return changeStatus(ctx, c, &s) })
	part(PartAddress, func() (err error) { holdings, err = c.Holdings(ctx); return err })
	wg.Go(func() { said = lookAtHosts(ctx, c) })
	wg.Go(func() { stateStatus(ctx, c, &s) })
	wg.Go(func() { s.Backup = Backup(ctx, c, s.Time) })
	wg.Go(func() { s.NoWrites = noWrites(ctx, c) })
	wg.Wait()
	s.holders(c, holdings)
	s.heard(c, said)
	s.interrupted(said)
	if s.Interrupted != nil {
		s.Interrupted.promoted(ctx, c)
	}
	s.Certificates = certificateStatus(c, said, s.Time)
	if err := ctx.Err(); err != nil {
		return s, fmt.Errorf("look at the cluster: %w", err)
	}
	return s, nil
}

// oneLine makes one line of an error that may have several.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
