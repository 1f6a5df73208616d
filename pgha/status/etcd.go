package status

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/site"
)

// EtcdStatus is one etcd member.
type EtcdStatus struct {
	Name    string `json:"name"`
	Healthy bool   `json:"healthy"`
	Leader  bool   `json:"leader"`
	Version string `json:"version"`
	DBSize  int64  `json:"db_size_bytes"`
	// Alarm is what keeps etcd from taking writes: "NOSPACE" or "CORRUPT".
	Alarm string `json:"alarm,omitempty"`
	// Error is why the member is not healthy: no answer, no leader, the alarm.
	Error string `json:"error,omitempty"`
}

// OperationStatus is an operation that is going on: who does what since when.
type OperationStatus struct {
	Holder  string    `json:"holder"`
	Purpose string    `json:"purpose"`
	Since   time.Time `json:"since"`
}

// etcdStatus looks at the members as `etcdctl endpoint status` does.
func etcdStatus(ctx context.Context, c *site.Site, s *Status) error {
	opts, err := c.EtcdOptions()
	if err != nil {
		return err
	}
	members, err := etcd.Status(ctx, opts)
	for _, m := range members {
		s.Etcd = append(s.Etcd, EtcdStatus{Name: m.Name, Healthy: m.Err == "" && len(m.Errors) == 0,
			Leader: m.Leader, Version: m.Version, DBSize: m.DBSize, Alarm: m.Alarm,
			Error: cmp.Or(m.Err, strings.Join(m.Errors, ", "))})
	}
	return err
}

func etcdProblems(s Status) []string {
	var found []string
	leaders := 0
	for _, e := range s.Etcd {
		if e.Leader {
			leaders++
		}
		if !e.Healthy {
			found = append(found,
				fmt.Sprintf("etcd on %s is not healthy: %s", e.Name,
					cmp.Or(e.Error, "it does not answer")))
		}
	}
	if leaders != 1 {
		found = append(found, fmt.Sprintf("etcd has %d leaders", leaders))
	}
	return found
}

// operationStatus looks who holds the cluster's lock.
func operationStatus(ctx context.Context, c *site.Site, s *Status) error {
	opts, err := c.EtcdOptions()
	if err != nil {
		return err
	}
	holder, taken, err := etcd.LockHolder(ctx, opts, c.LockKey())
	if err == nil && taken {
		s.Operation = &OperationStatus{Holder: holder.Name, Purpose: holder.Purpose,
			Since: holder.Since}
	}
	return nil // without a quorum nobody can be at work; the etcd part says so
}
