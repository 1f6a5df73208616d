package drill

import (
	"context"
	_ "embed"
	"math/rand/v2"
	"strings"

	"github.com/pgha/toolkit/pgha/layout"
)

var (
	//go:embed faults/agent.sh
	agentScript string
	//go:embed faults/agent_undo.sh
	agentUndoScript string
)

// agentSteps are the words with which an agent of a fast failover says that it has taken a step.
var agentSteps = [...]string{"it is suspected", "is fenced: no packet", "no WAL comes from",
	"etcd knows that"}

// strikeAgent sends a signal to the host's agent as soon as it says the words.
func strikeAgent(signal, words string) hostFault {
	return hostFault{name: "agent", args: []string{signal, words}, cause: agentScript,
		undo: agentUndoScript}
}

// killAgent and freezeAgent strike the agent of one replica at a step that is drawn, and take the
// power of the leader's host.
func killAgent(ctx context.Context, s *experiment) error {
	return s.withoutAgent(ctx, "KILL", "killed")
}

func freezeAgent(ctx context.Context, s *experiment) error {
	return s.withoutAgent(ctx, "STOP", "frozen")
}

func (s *experiment) withoutAgent(ctx context.Context, signal, done string) error {
	replica, words := s.replicas[rand.N(len(s.replicas))], agentSteps[rand.N(len(agentSteps))]
	if err := s.breakOn(ctx, strikeAgent(signal, words), replica); err != nil {
		return err
	}
	s.begin([]string{s.leader, replica}, "power of %s cut; the agent of %s %s when it says %q",
		s.leader, replica, done, words)
	return s.powerOff(ctx, s.leader)
}

// stopAgents takes the agents of all replicas away, and the power of the leader's host.
func stopAgents(ctx context.Context, s *experiment) error {
	unit := strings.TrimSuffix(layout.FailoverUnit, ".service") // the timer is named after it
	if err := s.breakOn(ctx, endUnit(unit), s.replicas...); err != nil {
		return err
	}
	s.begin([]string{s.leader}, "power of %s cut, without an agent on %s", s.leader,
		and(s.replicas))
	return s.powerOff(ctx, s.leader)
}
