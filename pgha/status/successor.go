package status

import (
	"fmt"

	"github.com/pgha/toolkit/pgha/patroni"
)

// Synchronous are the members that Patroni has noted as synchronous replicas.
func (s Status) Synchronous() []string {
	var names []string
	for _, m := range s.Members {
		if patroni.Role(m.Role).Synchronous() {
			names = append(names, m.Name)
		}
	}
	return names
}

// noSuccessor says why the leader has none although one could be, or "". What counts is the mode
// that is set, which the leader is asked for: a drill sets another for a while.
func noSuccessor(state patroni.ClusterState,
	configOf func(member string) (map[string]any, error)) string {
	if !state.NoneNoted() {
		return ""
	}
	leader, _ := state.Leader()
	config, err := configOf(leader.Name)
	if err != nil {
		return ""
	}
	mode, _ := patroni.SynchronousOf(config)
	if mode == patroni.SynchronousOff {
		return ""
	}
	return fmt.Sprintf("Patroni has noted no synchronous replica (synchronous_mode is %s): nobody "+
		"would take over if %s were lost now", mode, leader.Name)
}
