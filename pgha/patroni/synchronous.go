package patroni

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/remote"
)

// SynchronousResult is what SetSynchronous did.
type SynchronousResult struct {
	Mode SynchronousMode `json:"mode"`
	// Nodes is how many replicas a commit waits for; 0 when the mode is off.
	Nodes int `json:"nodes"`
	// Standbys are the members that commits wait for: all of the named ones, or Nodes of them in
	// quorum mode.
	Standbys []string `json:"standbys"`
	// Changes is empty when the configuration was so already.
	Changes []ConfigChange `json:"changes"`
	Took    Elapsed        `json:"took_seconds"`
}

// SetSynchronous says which commits wait for replicas, and for how many, and waits until it holds:
// the cluster shows the synchronous standbys, and the leader's PostgreSQL waits for them. nodes 0
// means 1; with SynchronousOff it must be 0.
//
// Nothing is changed when the error matches ErrInvalid, ErrNoLeader, ErrUnhealthy (fewer healthy
// replicas than nodes: strict mode would stop all writes) or ErrVersion (quorum needs Patroni 4.0).
// Other errors match ErrUnavailable or ErrTimeout. When ctx ends or time (the Options' Wait) runs
// out before a mode other than SynchronousOff holds, the former settings are put back. Safe to
// repeat. When the targets only plan, the changes are reported and nothing happens.
func SetSynchronous(ctx context.Context, o Options, mode SynchronousMode,
	nodes int) (SynchronousResult, error) {
	o = o.WithDefaults()
	var result SynchronousResult
	err := within(ctx, o.Wait, "set synchronous mode", func(ctx context.Context) (err error) {
		result, err = newOperator(o).setSynchronous(ctx, mode, nodes)
		return err
	})
	return result, err
}

func (c *operator) setSynchronous(ctx context.Context, mode SynchronousMode,
	nodes int) (SynchronousResult, error) {
	start := time.Now()
	if mode != SynchronousOff {
		nodes = cmp.Or(nodes, 1)
	}
	result := SynchronousResult{Mode: mode, Nodes: nodes}
	patch, err := synchronousPatch(mode, nodes)
	if err != nil {
		return result, err
	}
	s, err := c.survey(ctx)
	if err != nil {
		return result, err
	}
	if err := s.checkSynchronous(mode, nodes); err != nil {
		return result, err
	}
	set, err := c.setConfig(ctx, SetConfigOptions{Patch: patch, Timeout: c.options.Wait})
	result.Changes = set.Changes
	if err == nil && !c.options.Planning() {
		result.Standbys, err = c.waitSynchronous(ctx, mode, nodes)
	}
	result.Took = since(start)
	if err != nil && mode != SynchronousOff && len(set.Changes) > 0 && !c.options.Planning() {
		return result, c.restore(ctx, set.Changes, err)
	}
	return result, err
}

// synchronousPatch is the mode in Patroni's words.
func synchronousPatch(mode SynchronousMode, nodes int) (map[string]any, error) {
	patch := map[string]any{"synchronous_mode": true,
		"synchronous_mode_strict": mode == SynchronousStrict,
		"synchronous_node_count":  nodes}
	switch mode {
	case SynchronousOff:
		if nodes != 0 {
			return nil, remote.WithHint(fmt.Errorf("%w: %d nodes without synchronous mode",
				ErrInvalid, nodes),
				"leave the number out")
		}
		patch["synchronous_mode"], patch["synchronous_node_count"] = false, nil
	case SynchronousOn, SynchronousStrict:
	case SynchronousQuorum:
		patch["synchronous_mode"] = "quorum"
	default:
		return nil, remote.WithHint(fmt.Errorf("%w: synchronous mode %q", ErrInvalid, mode),
			"the modes are off, on, strict and quorum")
	}
	if nodes < 0 {
		return nil, fmt.Errorf("%w: %d nodes", ErrInvalid, nodes)
	}
	return patch, nil
}

// SynchronousOf reads the mode of a dynamic configuration, and for how many replicas a commit
// waits: 0 where the configuration doesn't say, and where the mode is off. A strict setting without
// a mode is off, as Patroni takes it.
func SynchronousOf(config map[string]any) (mode SynchronousMode, nodes int) {
	switch on := fmt.Sprint(config["synchronous_mode"]); {
	case on == string(SynchronousQuorum):
		mode = SynchronousQuorum
	case on == "true" && config["synchronous_mode_strict"] == true:
		mode = SynchronousStrict
	case on == "true" || on == "on":
		mode = SynchronousOn
	default:
		return SynchronousOff, 0
	}
	n, _ := config["synchronous_node_count"].(int64)
	return mode, int(n)
}

// checkSynchronous refuses a mode that could not hold.
func (s survey) checkSynchronous(mode SynchronousMode, nodes int) error {
	leader, ok := s.state.Leader()
	if !ok {
		return remote.WithHint(ErrNoLeader, "it is the leader that chooses the standbys; wait "+
			"until there is one")
	}
	if mode == SynchronousOff {
		return nil
	}
	able := slices.DeleteFunc(s.healthy(), func(name string) bool {
		m, _ := s.state.Member(name)
		return name == leader.Name || m.Tag("nosync")
	})
	if nodes > len(able) {
		hint := "bring more replicas back, or ask for fewer"
		if mode == SynchronousStrict {
			hint += "; in strict mode all writes would stop"
		}
		return remote.WithHint(
			fmt.Errorf("%w: commits are to wait for %d replicas, but only %d are healthy and not "+
				"tagged nosync",
				ErrUnhealthy, nodes, len(able)), hint)
	}
	if mode == SynchronousQuorum {
		for name, node := range s.nodes {
			if !atLeast(node.Version, 4, 0) {
				return remote.WithHint(fmt.Errorf("%w %s on %s: quorum needs 4.0", ErrVersion,
					node.Version, name),
					"upgrade Patroni, or use on or strict")
			}
		}
	}
	return nil
}

// waitSynchronous waits until the DCS and the leader's PostgreSQL agree that the mode holds, and
// returns the standbys.
func (c *operator) waitSynchronous(ctx context.Context, mode SynchronousMode,
	nodes int) ([]string, error) {
	var standbys []string
	wake := c.waker()
	what := poll.Options{What: fmt.Sprintf("synchronous mode %s to hold", mode),
		Bound: c.options.Wait}
	err := poll.Until(ctx, what, func(ctx context.Context) (string, error) {
		wake(ctx)
		state, err := c.Cluster(ctx)
		if err != nil {
			return "", err
		}
		leader, ok := state.Leader()
		if !ok {
			return describe(state), nil
		}
		node, err := c.Patroni(ctx, leader.Name)
		if err != nil {
			return "", err
		}
		var holds bool
		if standbys, holds = synchronousHolds(state, node, mode, nodes); holds {
			return "", nil
		}
		return describe(state), nil
	})
	return standbys, err
}

// notedWithin is many times what Patroni takes to note a replica when it is woken.
const notedWithin = 30 * time.Second

// AwaitNoted waits until somebody may take over from the leader, where commits wait for replicas:
// Patroni notes a replica later than it streams (ClusterState.NoneNoted), and is woken meanwhile.
// It waits for half a minute at most. That nobody is noted then is no error, nor is a cluster that
// cannot be asked, for what was done before is done: status tells it. Only a ctx that ends is one.
// When the targets only plan nothing happens. Safe to repeat.
func AwaitNoted(ctx context.Context, o Options) error {
	o = o.WithDefaults()
	if o.Planning() {
		return nil
	}
	return newOperator(o).awaitNoted(ctx)
}

func (c *operator) awaitNoted(ctx context.Context) error {
	wake, asked := c.waker(), false
	err := poll.Until(ctx, poll.Options{What: "a synchronous replica", Bound: notedWithin,
		Progress: c.options.Progress}, func(ctx context.Context) (string, error) {
		state, err := c.Cluster(ctx)
		if err != nil || state.Paused || !state.NoneNoted() {
			return "", poll.Stop(err)
		}
		if !asked {
			config, err := c.Config(ctx)
			if mode, _ := SynchronousOf(config); err != nil || mode == SynchronousOff {
				return "", poll.Stop(err)
			}
			asked = true
		}
		wake(ctx)
		return "waiting for Patroni to note a synchronous replica", nil
	})
	if ctx.Err() != nil {
		return err
	}
	return nil
}

// synchronousHolds compares what is wished with the roles in the DCS and with what the leader's
// PostgreSQL waits for.
func synchronousHolds(state ClusterState, leader NodeState, mode SynchronousMode,
	nodes int) (standbys []string,
	holds bool) {
	role, word := RoleSyncStandby, "sync"
	if mode == SynchronousQuorum {
		role, word = RoleQuorumStandby, "quorum"
	}
	others := 0
	for _, m := range state.Members {
		switch m.Role {
		case role:
			standbys = append(standbys, m.Name)
		case RoleSyncStandby, RoleQuorumStandby:
			others++
		}
	}
	waitsFor, waitsAtAll := 0, 0
	for _, r := range leader.Replication {
		if r.SyncState == word {
			waitsFor++
		}
		if r.SyncState != "async" && r.SyncState != "" {
			waitsAtAll++
		}
	}
	if mode == SynchronousOff {
		return nil, len(standbys) == 0 && others == 0 && waitsAtAll == 0
	}
	enough := len(standbys) == nodes || mode == SynchronousQuorum && len(standbys) > nodes
	return standbys, others == 0 && enough && waitsFor >= nodes
}

// restore puts the former values back, because a mode that does not hold may keep writes waiting.
func (c *operator) restore(ctx context.Context, changes []ConfigChange, cause error) error {
	former := map[string]any{}
	var keys []string
	for _, change := range changes {
		former[change.Key] = change.Old
		keys = append(keys, change.Key)
	}
	err := retract(ctx, func(ctx context.Context) error {
		_, err := c.PatchConfig(ctx, former)
		return err
	})
	if err != nil {
		return remote.WithHint(fmt.Errorf("%w; the former settings could not be put back: %w",
			cause, err),
			"set the synchronous mode again")
	}
	c.changed(c.options.Members[0], remote.Change{Kind: "setting", Name: strings.Join(keys, ", "),
		Action: "put back"})
	return fmt.Errorf("%w; the former settings were put back", cause)
}
