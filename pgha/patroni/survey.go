package patroni

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/health"
	"github.com/pgha/toolkit/pgha/patroni/dynamic"
)

// lookTimeout bounds the question to a member that may be dead.
const lookTimeout = 3 * time.Second

// survey is all there is to know before something is changed: what the DCS says, what it
// prescribes, and what every member says of itself.
type survey struct {
	state ClusterState
	rules dynamic.Rules
	nodes map[string]NodeState // of those that answer
	gone  map[string]error     // why the others don't
}

// survey asks the cluster and all its members at the same time.
func (c *operator) survey(ctx context.Context) (survey, error) {
	var s survey
	var config map[string]any
	var stateErr, configErr error
	var wg sync.WaitGroup
	wg.Go(func() { s.state, stateErr = c.Cluster(ctx) })
	wg.Go(func() { config, configErr = c.Config(ctx) })
	wg.Go(func() { s.nodes, s.gone = c.nodes(ctx) })
	wg.Wait()
	if stateErr != nil {
		return s, stateErr
	}
	if configErr != nil {
		return s, configErr
	}
	s.rules = dynamic.ReadRules(config)
	return s, nil
}

// nodes asks every member of the options what it says of itself.
func (c *operator) nodes(ctx context.Context) (map[string]NodeState, map[string]error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	nodes, gone := map[string]NodeState{}, map[string]error{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, m := range c.options.Members {
		wg.Go(func() {
			node, err := c.Patroni(ctx, m.Name)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				gone[m.Name] = err
				return
			}
			nodes[m.Name] = node
		})
	}
	wg.Wait()
	return nodes, gone
}

// lag returns how far a replica is behind the leader now; when one of the two does not say, how far
// it was when the DCS last heard of it; nil when that is not known either.
func (s survey) lag(m MemberState) *int64 {
	leader, ok := s.state.Leader()
	if ok {
		from, to := s.nodes[m.Name], s.nodes[leader.Name]
		if from.Location > 0 && to.Location > 0 {
			lag := from.Location.Behind(to.Location)
			return &lag
		}
	}
	return m.LagBytes
}

// barred says which tag or device keeps a member from leading, or "".
func (s survey) barred(m MemberState) string {
	switch {
	case m.Tag("nofailover"):
		return "is tagged nofailover"
	case !health.PromiseOf(m.Tags).Candidate:
		return "is tagged nofailover (failover_priority 0)"
	case s.nodes[m.Name].WatchdogFailed:
		return "cannot arm its watchdog, which is required"
	}
	return ""
}

// limitation says why a replica must not take over from a healthy leader, or "".
func (s survey) limitation(m MemberState) string {
	if gone := s.gone[m.Name]; gone != nil {
		return "does not answer: " + gone.Error()
	}
	if !s.state.Healthy(m.Name) {
		return fmt.Sprintf("does not stream on the leader's timeline: it is %q on timeline %d",
			m.State, m.Timeline)
	}
	if why := s.barred(m); why != "" {
		return why
	}
	lag := s.lag(m)
	switch {
	case s.rules.Quorum && m.Role != RoleQuorumStandby:
		return "is not one of the quorum's standbys"
	case s.rules.Synchronous && !s.rules.Quorum && m.Role != RoleSyncStandby:
		return "is not the synchronous standby"
	case lag == nil:
		return "does not say how far it is behind"
	case *lag > s.rules.MaximumLag:
		return fmt.Sprintf("is %d bytes behind, more than maximum_lag_on_failover %d", *lag,
			s.rules.MaximumLag)
	}
	return ""
}
