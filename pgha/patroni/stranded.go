package patroni

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/health"
)

// StrandedMember is a member that will not stream again by itself.
type StrandedMember struct {
	Name  string `json:"name"`
	State string `json:"state"`
	// Timeline is the member's, LeaderTimeline the cluster's.
	Timeline       int64 `json:"timeline"`
	LeaderTimeline int64 `json:"leader_timeline"`
	// Reason says what is wrong, Hint what to do about it.
	Reason string `json:"reason"`
	Hint   string `json:"hint"`
}

// strandedAfter is the default time for which a member must have been of no use: returning takes
// less, loop_wait included.
const strandedAfter = 30 * time.Second

// strandedEvery is the pause between two looks for them.
const strandedEvery = time.Second

// FindStranded watches the cluster for so long and returns the members that Stranded reports the
// whole time. 0 means 30 s. It returns early when there are none. Changes nothing. Errors match
// ErrUnavailable, or are ctx's.
func FindStranded(ctx context.Context, o Options, during time.Duration) ([]StrandedMember, error) {
	during = cmp.Or(during, strandedAfter)
	c := newOperator(o)
	start := time.Now()
	var stranded []StrandedMember
	for {
		state, err := c.Cluster(ctx)
		if err != nil {
			return nil, fmt.Errorf("find stranded members: %w", err)
		}
		now := Stranded(state)
		if stranded == nil {
			stranded = now
		}
		stranded = slices.DeleteFunc(stranded, func(s StrandedMember) bool {
			return !slices.ContainsFunc(now, func(n StrandedMember) bool {
				return n.Name == s.Name
			})
		})
		if len(stranded) == 0 || time.Since(start) >= during {
			return stranded, nil
		}
		if err := poll.Pause(ctx, min(strandedEvery, during)); err != nil {
			return nil, fmt.Errorf("find stranded members: %w", err)
		}
	}
}

// failedStates are those in which Patroni leaves a PostgreSQL that it cannot bring up.
var failedStates = []string{"start failed", "restart failed", "stop failed", "crashed",
	"initdb failed",
	"custom bootstrap failed"}

// Stranded returns the members of a cluster with a leader that are neither streaming nor on their
// way: a former leader that could not come back as a replica, a replica left behind on an old
// timeline, a PostgreSQL that does not start. It looks at one moment: a member that is just
// returning can look the same, so ask twice, half a minute apart, and believe what is there both
// times, as FindStranded does. Pure computation.
func Stranded(state ClusterState) []StrandedMember {
	leader, ok := state.Leader()
	if !ok {
		return nil
	}
	var stranded []StrandedMember
	for _, m := range state.Members {
		reason := strandedReason(m, leader)
		if m.Name == leader.Name || reason == "" {
			continue
		}
		stranded = append(stranded, StrandedMember{
			Name: m.Name, State: m.State, Timeline: m.Timeline, LeaderTimeline: leader.Timeline,
			Reason: reason,
			Hint: "see `journalctl -u patroni -n 50` on " + m.Name +
				"; if it cannot be mended, copy the data again: reinit " + m.Name,
		})
	}
	return stranded
}

func strandedReason(m, leader MemberState) string {
	old := m.Timeline > 0 && leader.Timeline > 0 && m.Timeline < leader.Timeline
	switch {
	case slices.Contains(failedStates, m.State):
		return fmt.Sprintf("PostgreSQL is %q", m.State)
	case m.State == "stopped":
		return "PostgreSQL is stopped although Patroni runs"
	case old && (m.State == StateRunning || m.State == StateStreaming):
		return fmt.Sprintf("it stays on timeline %d, the leader is on %d", m.Timeline,
			leader.Timeline)
	case m.State == StateRunning && health.PromiseOf(m.Tags).Streams:
		return "it runs but does not stream from the leader"
	}
	return ""
}
