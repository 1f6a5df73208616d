package patroni

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
)

// FailoverOptions say who takes over from a leader that is gone, and what may be lost.
type FailoverOptions struct {
	// Candidate is the member that should lead. "" picks the most advanced one that may.
	Candidate string
	// AcceptLoss accepts whatever may be lost, an unknown amount included.
	AcceptLoss bool
	// MaxLossBytes accepts a known loss of so many bytes of WAL. 0 accepts none.
	MaxLossBytes int64
	// Timeout bounds the whole operation. 0 means the Options' Wait and TTL together: the lock of a
	// leader that died just now must run out first.
	Timeout time.Duration
}

// FailoverResult is what a failover did.
type FailoverResult struct {
	// OldLeader is "" when the lock was free already.
	OldLeader string `json:"old_leader"`
	NewLeader string `json:"new_leader"`
	// Automatic says that Patroni made a leader by itself before the request took effect.
	Automatic bool `json:"automatic"`
	// LossBytes is how much WAL the candidate lacked of what is known to have been written; nil
	// when that is not known. What the leader wrote after its last report to anybody is in no
	// figure.
	LossBytes *int64 `json:"loss_bytes"`
	// Timeline is the new leader's; 0 when the run only planned.
	Timeline int64 `json:"timeline"`
	// Promoted is how long it took until the new leader ran, Complete until the replicas that
	// answered streamed from it.
	Promoted Elapsed `json:"promoted_seconds"`
	Complete Elapsed `json:"complete_seconds"`
	// Before and After are the cluster at the beginning and at the end. After is empty when the run
	// only planned.
	Before ClusterState `json:"before"`
	After  ClusterState `json:"after"`
}

// Failover makes a replica the leader of a cluster whose leader is gone, and waits until it runs
// and the replicas that answer stream from it. It is for the cases in which Patroni does not do so
// by itself: the cluster is paused, or no replica is good enough by the rules. The former leader
// joins as a replica when it comes back.
//
// Nothing is changed when the error matches ErrLeaderHealthy (use Switchover), ErrNoCandidate,
// ErrInvalid or ErrLossNotAccepted (a *LossError, unless FailoverOptions accept the loss). In
// synchronous mode only a synchronous standby loses nothing; any other has to be accepted with
// AcceptLoss. A cluster that is paused does not prevent it. When Patroni fails over by itself in
// the meantime, that is a success, and the result says so. Other errors match ErrUnavailable or
// ErrTimeout; after one of these, and when ctx is cancelled, the request stands: Patroni carries it
// out, at the latest, when the lock of the old leader has run out. When the targets only plan, the
// change is reported and nothing happens.
func Failover(ctx context.Context, o Options, fo FailoverOptions) (FailoverResult, error) {
	o = o.WithDefaults()
	fo.Timeout = cmp.Or(fo.Timeout, o.Wait+o.TTL)
	o.Wait = fo.Timeout
	var result FailoverResult
	err := within(ctx, fo.Timeout, "failover", func(ctx context.Context) (err error) {
		result, err = newOperator(o).failover(ctx, fo)
		return err
	})
	return result, err
}

func (c *operator) failover(ctx context.Context, fo FailoverOptions) (FailoverResult, error) {
	s, err := c.survey(ctx)
	if err != nil {
		return FailoverResult{}, err
	}
	result := FailoverResult{Before: s.state}
	if err := s.refuseHealthy(); err != nil {
		return result, err
	}
	old, _ := s.state.Leader()
	old.Timeline = s.timeline()
	candidate, err := s.successor(old.Name, fo.Candidate)
	if err != nil {
		return result, err
	}
	result.OldLeader, result.NewLeader, result.LossBytes = old.Name, candidate.Name,
		s.loss(candidate)
	if err := s.checkLoss(candidate, old.Name, fo); err != nil {
		return result, err
	}
	asked, err := c.member(candidate.Name)
	if err != nil {
		return result, err
	}
	change := remote.Change{Kind: "leader", Name: c.options.Scope,
		Action: "given to " + candidate.Name + ", " + lossText(result.LossBytes)}
	if c.options.Planning() {
		c.changed(asked, change)
		return result, nil
	}
	c.options.Progress("failover to " + candidate.Name)
	if old.Name != "" {
		c.options.Progress("waiting for the lock of " + old.Name + " to run out")
	}
	start := time.Now()
	request := c.Background(ctx, asked.Name, http.MethodPost, "/failover",
		map[string]string{"candidate": candidate.Name})
	promoted, err := c.waitPromoted(ctx, request, old, candidate.Name)
	if err != nil {
		return result, err
	}
	result.Timeline, result.Promoted = promoted.Timeline, since(start)
	if promoted.Name != candidate.Name {
		result.NewLeader, result.Automatic = promoted.Name, true
		chosen, _ := s.state.Member(promoted.Name)
		result.LossBytes = s.loss(chosen)
		c.options.Progress("Patroni made " + promoted.Name + " the leader by itself")
	} else {
		change.Duration = result.Promoted.Duration()
		c.changed(asked, change)
	}
	result.After, err = c.waitFollowers(ctx, s, old.Name, promoted.Timeline)
	if err != nil {
		return result, fmt.Errorf("%s leads, but: %w", promoted.Name, err)
	}
	result.Complete = since(start)
	return result, nil
}

// waitFollowers waits until those that answered at the beginning stream. A paused cluster does not
// repair its replicas, so there nothing is waited for.
func (c *operator) waitFollowers(ctx context.Context, s survey, old string,
	timeline int64) (ClusterState, error) {
	if s.state.Paused {
		c.options.Progress(
			"warning: the cluster is paused: replicas that cannot follow by themselves stay as " +
				"they are until it is resumed")
		return c.Cluster(ctx)
	}
	var answering []string
	for name := range s.nodes {
		if _, known := s.state.Member(name); known && name != old {
			answering = append(answering, name)
		}
	}
	return c.waitFollowing(ctx, c.options.Wait, timeline, answering)
}

// refuseHealthy refuses a failover while somebody runs as primary.
func (s survey) refuseHealthy() error {
	const hint = "use a switchover: it loses nothing"
	if leader, ok := s.state.Leader(); ok {
		node, answers := s.nodes[leader.Name]
		if answers && node.State == StateRunning &&
			(node.Role == RoleLeader || leader.Role == RoleStandbyLeader) {
			return remote.WithHint(fmt.Errorf("%w: %s holds the lock and runs", ErrLeaderHealthy,
				leader.Name), hint)
		}
		return nil
	}
	for name, node := range s.nodes {
		if node.Role == RoleLeader && node.State == StateRunning {
			return remote.WithHint(fmt.Errorf("%w: %s runs as primary, although it does not hold "+
				"the lock",
				ErrLeaderHealthy, name),
				"wait until it has taken the lock again; if the cluster is paused, see "+
					"`journalctl -u patroni -n 50` there")
		}
	}
	return nil
}

// timeline is the newest one that anybody knows.
func (s survey) timeline() int64 {
	newest := int64(0)
	for _, m := range s.state.Members {
		newest = max(newest, m.Timeline)
	}
	for _, n := range s.nodes {
		newest = max(newest, n.Timeline)
	}
	return newest
}

// successor picks the candidate: the named one, or the one that would lose the least.
func (s survey) successor(old, name string) (MemberState, error) {
	if name != "" {
		found, ok := s.state.Member(name)
		if !ok {
			return found, unknownMember(s.state, name, ErrNoCandidate)
		}
		if name == old {
			return found, fmt.Errorf("%w: %s is the leader that is gone", ErrNoCandidate, name)
		}
		if why := s.unfit(found); why != "" {
			return found, fmt.Errorf("%w: %s %s", ErrNoCandidate, name, why)
		}
		return found, nil
	}
	fit, reasons := s.sift(old, s.unfit)
	if len(fit) == 0 {
		return MemberState{}, remote.WithHint(fmt.Errorf("%w: %s", ErrNoCandidate,
			strings.Join(reasons, ", ")),
			"bring one of the hosts back; a member that never comes back is made again with "+
				"reinitialize once there is a leader")
	}
	return slices.MinFunc(fit, func(a, b MemberState) int {
		return cmp.Or(
			cmp.Compare(s.rank(a), s.rank(b)),
			cmp.Compare(s.nodes[b.Name].Location, s.nodes[a.Name].Location),
		)
	}), nil
}

// rank puts members that have all acknowledged transactions first.
func (s survey) rank(m MemberState) int {
	if s.rules.Synchronous && m.Role == RoleReplica {
		return 1
	}
	return 0
}

// unfit says why a replica cannot be promoted at all, or "". Being behind is no reason here: that
// is what is accepted.
func (s survey) unfit(m MemberState) string {
	if gone := s.gone[m.Name]; gone != nil {
		return "does not answer: " + gone.Error()
	}
	node, answers := s.nodes[m.Name]
	timeline := max(m.Timeline, node.Timeline)
	switch {
	case !answers:
		return "is not one of the members that can be asked"
	case node.State != StateRunning:
		return fmt.Sprintf("does not run: it is %q", node.State)
	case timeline < s.timeline():
		return fmt.Sprintf("is on timeline %d, the cluster on %d", timeline, s.timeline())
	}
	return s.barred(m)
}
