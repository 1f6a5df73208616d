package drill

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/probe"
	"github.com/pgha/toolkit/pgha/remote"
)

// Check refuses, without looking at a host, what Run refuses on a cluster of this specification
// whatever its state. The errors match pgha.ErrRefused or patroni.ErrInvalid.
func (o Options) Check(sp *pgha.Spec) error {
	_, err := choose(sp, o.withDefaults(sp))
	return err
}

// choose finds the scenarios by name, and refuses before anything is done what must not be done on
// this cluster.
func choose(sp *pgha.Spec, o Options) ([]Scenario, error) {
	if len(o.Scenarios) == 0 {
		return nil, fmt.Errorf("drill: %w: no scenario is named", patroni.ErrInvalid)
	}
	var chosen []Scenario
	var unsafe []string
	for _, name := range o.Scenarios {
		i := slices.IndexFunc(scenarios[:], func(s Scenario) bool { return s.Name == name })
		if i < 0 {
			return nil, remote.WithHint(fmt.Errorf("drill: %w: there is no scenario %q",
				patroni.ErrInvalid, name),
				"there are "+strings.Join(names(scenarios[:]), ", "))
		}
		if chosen = append(chosen, scenarios[i]); !scenarios[i].Safe {
			unsafe = append(unsafe, name)
		}
		if scenarios[i].FastFailover && !scenarios[i].Fits(sp) {
			return nil, remote.WithHint(fmt.Errorf("drill: %w: %s is about the agents of "+
				"patroni.fast_failover, which this cluster does not have", pgha.ErrRefused, name),
				"set patroni.fast_failover, or leave the scenario out")
		}
		if chosen[len(chosen)-1].Pooled && sp.Pooler == nil {
			return nil, remote.WithHint(fmt.Errorf("drill: %w: %s is about the pooler, which this "+
				"cluster does not have", pgha.ErrRefused, name),
				"set pooler, or leave the scenario out")
		}
	}
	if err := checkThrough(sp, o.Through); err != nil {
		return nil, err
	}
	if o.Runs < 1 || o.Runs > 1000 {
		return nil, fmt.Errorf("drill: %w: %d runs", patroni.ErrInvalid, o.Runs)
	}
	if !slices.Contains(probe.Clients(), o.Client) {
		return nil, remote.WithHint(fmt.Errorf("drill: %w: client %q", patroni.ErrInvalid,
			o.Client), fmt.Sprintf("the clients are %s", strings.Join(clients(), ", ")))
	}
	modes := []patroni.SynchronousMode{"", patroni.SynchronousOff, patroni.SynchronousOn,
		patroni.SynchronousStrict, patroni.SynchronousQuorum}
	if !slices.Contains(modes, o.Synchronous) {
		return nil, remote.WithHint(fmt.Errorf("drill: %w: synchronous mode %q", patroni.ErrInvalid,
			o.Synchronous),
			"the modes are off, on, strict and quorum")
	}
	if sp.VIP == nil || len(sp.Balancers()) < 2 || len(sp.Databases()) < 3 {
		return nil, fmt.Errorf("drill: %w: drills measure through a virtual IP, on three "+
			"databases or more",
			pgha.ErrRefused)
	}
	if o.Lab != nil {
		return chosen, nil
	}
	if o.Consent != sp.Cluster {
		return nil, remote.WithHint(fmt.Errorf("drill: %w: %s is not a lab, and a drill breaks "+
			"it on purpose",
			pgha.ErrRefused, sp.Cluster),
			"whoever answers for it consents by its name: --consent "+sp.Cluster)
	}
	if len(unsafe) > 0 {
		return nil, remote.WithHint(fmt.Errorf("drill: %w: %s: not outside a lab", pgha.ErrRefused,
			strings.Join(unsafe, ", ")),
			"safe there are "+strings.Join(safe(), ", "))
	}
	return chosen, nil
}

// checkThrough refuses a way that there is not.
func checkThrough(sp *pgha.Spec, through Through) error {
	switch {
	case through != ThroughBalancer && through != ThroughPool:
		return remote.WithHint(fmt.Errorf("drill: %w: through %q", patroni.ErrInvalid, through),
			fmt.Sprintf("the ways are %s and %s", ThroughBalancer, ThroughPool))
	case through == ThroughPool && sp.Pooler == nil:
		return remote.WithHint(fmt.Errorf("drill: %w: this cluster has no pooler to go through",
			pgha.ErrRefused), "set pooler and apply it, or drill through the balancers")
	}
	return nil
}

func names(list []Scenario) []string {
	all := make([]string, len(list))
	for i, s := range list {
		all[i] = s.Name
	}
	return all
}

// clients are the names of what a writer can be.
func clients() (all []string) {
	for _, c := range probe.Clients() {
		all = append(all, string(c))
	}
	return all
}

// safe are the scenarios that may run outside a lab.
func safe() []string {
	return names(slices.DeleteFunc(Scenarios(), func(s Scenario) bool { return !s.Safe }))
}
