package status

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/spec"
)

// MemberStatus is one PostgreSQL with its Patroni.
type MemberStatus struct {
	Name string `json:"name"`
	Host string `json:"host"`
	// Role is leader, replica, sync_standby, quorum_standby, standby_leader, or "" when Patroni
	// does not know the member.
	Role string `json:"role"`
	// State as Patroni gives it: running, streaming, starting, stopped, ...
	State    string `json:"state"`
	Timeline int64  `json:"timeline"`
	// LagBytes is WAL that the replica has not received; null for the leader and when unknown.
	LagBytes       *int64 `json:"lag_bytes"`
	PendingRestart bool   `json:"pending_restart"`
	// PendingReason names the settings that wait for the restart.
	PendingReason []string `json:"pending_restart_reason,omitempty"`
	// ScheduledRestart is the time of a planned restart as Patroni gives it.
	ScheduledRestart string `json:"scheduled_restart,omitempty"`
	// Endpoints are the HTTP status codes of Patroni's health endpoints; 0 when one did not answer.
	// Who says yes to /primary or /replica is healthy, and isn't asked /health.
	Endpoints map[string]int `json:"endpoints"`
	// Healthy: the leader, or a replica that streams on the leader's timeline; one tagged nostream
	// replays the archive instead. Its Patroni answers, too: balancers go by that.
	Healthy bool `json:"healthy"`
	// Fault is why the member is not Healthy, to be read after its name.
	Fault string `json:"fault,omitempty"`
	// Believes is the leader that this member alone remembers, where most members name another.
	Believes string `json:"believes,omitempty"`
}

// ScheduledSwitchover is a switchover that waits for its time.
type ScheduledSwitchover struct {
	At   time.Time `json:"at"`
	From string    `json:"from"`
	// To is "" when Patroni will choose.
	To string `json:"to,omitempty"`
}

// StrandedMember is a member that does not come back by itself, with what to do about it.
type StrandedMember struct {
	Member string `json:"member"`
	Reason string `json:"reason"`
	Remedy string `json:"remedy"`
}

// endpoints are the REST endpoints that Look tries.
var endpoints = []string{"/primary", "/replica", "/health"}

// answer is what one member says: the cluster as it sees it, and whether it does its own work.
type answer struct {
	member string
	codes  map[string]int
	// state is the cluster as the member sees it, unless err is set.
	state patroni.ClusterState
	err   error
}

// memberStatus asks every member's Patroni. How the cluster is most members decide.
func memberStatus(ctx context.Context, c *site.Site, s *Status) error {
	opts, err := c.PatroniOptions()
	if err != nil {
		return err
	}
	client := patroni.NewClient(opts)
	answers := make([]answer, len(opts.Members))
	var wg sync.WaitGroup
	for i, m := range opts.Members {
		a := &answers[i]
		a.member = m.Name
		wg.Go(func() { a.state, a.err = client.ClusterOf(ctx, m.Name) })
		wg.Go(func() {
			a.codes = codesOf(func(path string) (int, error) {
				return client.Endpoint(ctx, m.Name, path)
			})
		})
	}
	wg.Wait()
	state, err := agreed(answers)
	for i, m := range opts.Members {
		s.Members = append(s.Members, memberOf(state, answers[i], m.Target.Name))
	}
	s.describe(state)
	if c.Spec.Patroni.SynchronousMode != spec.SynchronousOff {
		s.NoSuccessor = noSuccessor(state, func(member string) (map[string]any, error) {
			return client.ConfigOf(ctx, member)
		})
	}
	return err
}

// codesOf asks the endpoints. Each question is a handshake of its own: one that is silent is asked
// nothing more, and yes to /primary or /replica is yes to /health.
func codesOf(ask func(path string) (int, error)) map[string]int {
	codes := map[string]int{}
	for _, path := range endpoints {
		codes[path] = 0
	}
	for _, path := range endpoints {
		if path == "/health" && (codes["/primary"] == http.StatusOK ||
			codes["/replica"] == http.StatusOK) {
			codes[path] = http.StatusOK
			continue
		}
		code, err := ask(path)
		if err != nil {
			break
		}
		codes[path] = code
	}
	return codes
}

// describe takes over what the cluster says of itself as a whole.
func (s *Status) describe(state patroni.ClusterState) {
	s.Paused = state.Paused
	if at := state.ScheduledSwitchover; at != nil {
		s.ScheduledSwitchover = &ScheduledSwitchover{At: at.At, From: at.From, To: at.To}
	}
	answering := map[string]bool{}
	for _, m := range s.Members {
		answering[m.Name] = answered(m.Endpoints)
	}
	for _, m := range state.Members {
		if _, ours := answering[m.Name]; !ours {
			s.Strangers = append(s.Strangers, m.Name)
		}
	}
	for _, m := range patroni.Stranded(state) {
		// One whose Patroni is away, as after a stop, comes back with it.
		if answering[m.Name] {
			s.Stranded = append(s.Stranded, StrandedMember{Member: m.Name, Reason: m.Reason,
				Remedy: m.Hint})
		}
	}
}

// memberOf joins what the cluster knows of a member and what its own Patroni answers.
func memberOf(state patroni.ClusterState, a answer, host string) MemberStatus {
	ms := MemberStatus{Name: a.member, Host: host, Endpoints: a.codes}
	seen, known := state.Member(a.member)
	if known {
		ms.Role, ms.State, ms.Timeline = string(seen.Role), seen.State, seen.Timeline
		ms.LagBytes, ms.Fault = seen.LagBytes, state.Fault(a.member)
		ms.PendingRestart, ms.PendingReason, ms.ScheduledRestart = seen.PendingRestart,
			seen.PendingReason, seen.ScheduledRestart
		ms.Fault = cmp.Or(silence(seen, a.codes), ms.Fault)
	}
	ms.Healthy = known && ms.Fault == ""
	if leader := leaderIn(state); a.err == nil && leaderIn(a.state) != leader {
		ms.Believes = cmp.Or(leaderIn(a.state), "nobody")
	}
	return ms
}

// silence says why balancers would not take the member for what it is.
func silence(m patroni.MemberState, codes map[string]int) string {
	switch primary := codes["/primary"]; {
	case !answered(codes):
		return "has a Patroni whose REST API doesn't answer"
	case m.Role == patroni.RoleLeader && primary != http.StatusOK:
		return fmt.Sprintf("leads, and Patroni answers /primary with %d", primary)
	}
	return ""
}

// answered tells whether any of the endpoints did.
func answered(codes map[string]int) bool {
	return slices.ContainsFunc(endpoints, func(path string) bool { return codes[path] != 0 })
}

// agreed is the cluster as most of those who answer see it: first by whom they hold for the leader,
// for a member that is cut off from etcd remembers a former one, then by what they say of each
// member. Of equals those count whose leader is on the newer timeline.
func agreed(answers []answer) (patroni.ClusterState, error) {
	var views []patroni.ClusterState
	var silent []string
	for _, a := range answers {
		if a.err == nil {
			views = append(views, a.state)
		} else {
			silent = append(silent, oneLine(a.err))
		}
	}
	if len(views) == 0 {
		return patroni.ClusterState{}, fmt.Errorf("no member of the cluster answers: %s",
			strings.Join(silent, "; "))
	}
	timeline := func(v patroni.ClusterState) int64 {
		leader, _ := v.Leader()
		return leader.Timeline
	}
	slices.SortStableFunc(views, func(a, b patroni.ClusterState) int {
		return cmp.Compare(timeline(b), timeline(a))
	})
	views = most(most(views, leaderIn), standing)
	if votes := votesFor(leaderIn(views[0]), answers); 2*votes <= len(answers) {
		return views[0], fmt.Errorf("only %d of %d members say who leads", votes, len(answers))
	}
	return views[0], nil
}

func votesFor(leader string, answers []answer) int {
	votes := 0
	for _, a := range answers {
		if a.err == nil && leaderIn(a.state) == leader {
			votes++
		}
	}
	return votes
}

// most are the views that agree in what key says of them: the largest group, the first of equals.
func most(views []patroni.ClusterState,
	key func(patroni.ClusterState) string) []patroni.ClusterState {
	groups := map[string][]patroni.ClusterState{}
	var best string
	for _, v := range views {
		groups[key(v)] = append(groups[key(v)], v)
	}
	for _, v := range slices.Backward(views) {
		if k := key(v); len(groups[k]) >= len(groups[best]) {
			best = k
		}
	}
	return groups[best]
}

// leaderIn is the member that a view holds for the leader, or "".
func leaderIn(state patroni.ClusterState) string {
	leader, _ := state.Leader()
	return leader.Name
}

// standing is who does what in a view, without what changes all the time.
func standing(state patroni.ClusterState) string {
	var text strings.Builder
	for _, m := range state.Members {
		fmt.Fprintf(&text, "%s %s %s %d %v\n", m.Name, m.Role, m.State, m.Timeline,
			m.PendingRestart)
	}
	return text.String()
}

func memberProblems(s Status) []string {
	var found []string
	leaders := 0
	believers := map[string][]string{}
	for _, m := range s.Members {
		if m.Role == string(patroni.RoleLeader) {
			leaders++
		}
		if m.Believes != "" {
			believers[m.Believes] = append(believers[m.Believes], m.Name)
		}
		if !m.Healthy {
			found = append(found, m.problem())
		}
	}
	if leaders != 1 {
		found = append(found, fmt.Sprintf("the cluster has %d leaders", leaders))
	}
	for _, leader := range slices.Sorted(maps.Keys(believers)) {
		found = append(found, fmt.Sprintf("%s holds %s for the leader; most members name %s",
			strings.Join(believers[leader], ", "), leader, cmp.Or(s.Leader(), "nobody")))
	}
	for _, name := range s.Strangers {
		found = append(found,
			fmt.Sprintf("member %s is in the cluster and not in the specification", name))
	}
	if s.NoSuccessor != "" {
		found = append(found, s.NoSuccessor)
	}
	if s.Paused {
		found = append(found, "the cluster is paused: nobody is promoted if the leader fails")
	}
	return append(found, fenceProblems(s)...)
}

// problem says what is wrong with a member that is not healthy.
func (m MemberStatus) problem() string {
	state := strings.TrimSpace(m.Role + " " + m.State)
	switch {
	case m.Fault != "":
		return fmt.Sprintf("member %s %s", m.Name, m.Fault)
	case state == "":
		return fmt.Sprintf("nothing is known about member %s", m.Name)
	}
	return fmt.Sprintf("member %s is %s on timeline %d", m.Name, state, m.Timeline)
}

// Leader is the member that holds the leader lock, or "".
func (s Status) Leader() string {
	for _, m := range s.Members {
		if patroni.Role(m.Role).Leads() {
			return m.Name
		}
	}
	return ""
}
