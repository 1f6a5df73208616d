package failover

import _ "embed"

//go:embed agent.py
var agent string

//go:embed steps.py
var steps string

// Agent is the program that runs beside each member. It looks for Steps in its own folder, as
// fast_failover_steps.py.
func Agent() []byte { return []byte(agent) }

// Steps is what the agent decides by.
func Steps() []byte { return []byte(steps) }
