package doctor

import (
	"slices"

	"github.com/pgha/toolkit/pgha/errs"
)

// Step is one step of a remedy: a command on a host, or a verb of the cluster.
type Step struct {
	// Host is where Command runs, as root; "" for a verb.
	Host    string `json:"host,omitempty"`
	Command string `json:"command,omitempty"`
	// Call is the verb; zero for a command.
	Call errs.Call `json:"call,omitzero"`
	// Deletes is the member whose data the step deletes; "" for none.
	Deletes string `json:"deletes,omitempty"`
}

// Verbs of remedies.
const (
	Apply         = "apply"
	Resume        = "resume"
	Restart       = "restart"
	Reinitialize  = "reinit"
	RotateSecrets = "secrets"
	Config        = "config"
)

// Pending is the argument of Restart that stands for all members that wait for one.
const Pending = "--pending"

// fixable tells whether a program may run a remedy. Settings are the operator's decision.
func fixable(steps []Step) bool {
	return len(steps) > 0 &&
		!slices.ContainsFunc(steps, func(s Step) bool { return s.Call.Verb == Config })
}

// on returns the steps of a remedy on one host.
func on(host string, commands ...string) []Step {
	var steps []Step
	for _, c := range commands {
		steps = append(steps, Step{Host: host, Command: c})
	}
	return steps
}

// apply is the remedy for whatever differs from the specification.
func apply() []Step { return []Step{{Call: errs.Verb(Apply)}} }

func restart(h *Host) []Step { return []Step{{Call: errs.Verb(Restart, h.Member)}} }

func reinitialize(h *Host) []Step {
	return []Step{{Call: errs.Verb(Reinitialize, h.Member), Deletes: h.Member}}
}
