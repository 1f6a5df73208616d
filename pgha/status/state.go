package status

import (
	"context"

	"github.com/pgha/toolkit/pgha/internal/site"
)

// StateStatus is where the state of the cluster is kept: its keys and passwords.
type StateStatus struct {
	// Generation is that of the state directory here.
	Generation int `json:"generation"`
	// Shared: the specification has recipients (secrets.age), so etcd and the database hosts keep
	// encrypted copies. Else there is one copy, the directory here.
	Shared bool `json:"shared"`
	// Copies is how many there are of this generation or a newer one, the directory here included.
	Copies int `json:"copies"`
	// Lacking are "etcd" and the hosts that should have one and have not, or an older one.
	Lacking []string `json:"lacking,omitempty"`
}

// stateStatus counts copies. It is no part that can be missing: what does not answer lacks its
// copy.
func stateStatus(ctx context.Context, c *site.Site, s *Status) {
	id, err := c.State.Identity()
	if err != nil || !id.Known() {
		return
	}
	st := &StateStatus{Generation: id.Generation, Shared: site.Shares(c), Copies: 1}
	s.State = st
	if !st.Shared {
		return
	}
	count := func(where string, generation int, bad bool) {
		if bad || generation < id.Generation {
			st.Lacking = append(st.Lacking, where)
			return
		}
		st.Copies++
	}
	etcd := make(chan func(), 1)
	go func() {
		record, _, err := site.InEtcd(ctx, c)
		etcd <- func() { count("etcd", record.Generation, err != nil) }
	}()
	hosts := site.HostCopies(ctx, c)
	(<-etcd)()
	for _, h := range hosts {
		count(h.Host, h.Generation, h.Err != nil || h.Damaged)
	}
}
