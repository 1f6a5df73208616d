package status

import (
	"fmt"
	"time"

	"github.com/pgha/toolkit/internal/failover"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/spec"
)

// FenceStatus is a host that lets no packet out to a leader that was lost, so that it acknowledges
// nothing to it; see patroni.fast_failover. A failover leaves it for a second or two.
type FenceStatus struct {
	Host string `json:"host"`
	// Against is the member that is fenced, Address that of its host.
	Against string `json:"against"`
	Address string `json:"address"`
	// Since is when, and Until when the host's timer removes it at the latest, both by the host's
	// clock.
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
}

// fenceOf reads the file in which a host remembers its fence.
func fenceOf(host string, files map[string][]byte) []FenceStatus {
	f, there := failover.ReadFence(files[failover.FencePath])
	if !there {
		return nil
	}
	return []FenceStatus{{Host: host, Against: f.Leader, Address: f.Address, Since: f.At,
		Until: f.Ends()}}
}

// judgedUnits are the units of a host that are judged: its services, and what a fast failover
// needs.
func judgedUnits(c *site.Site, h spec.Host) []string {
	units := c.UnitsOf(h)
	if h.Has(spec.RoleDatabase) && c.Spec.Patroni.FastFailover.SuspectAfter > 0 {
		units = append(units, layout.FailoverUnit, layout.LiftTimer)
	}
	return units
}

func fenceProblems(s Status) []string {
	var found []string
	for _, f := range s.Fences {
		found = append(found, fmt.Sprintf("%s has fenced %s since %s: no packet goes out to %s until "+
			"its own PostgreSQL is on a newer timeline, until %s at the latest", f.Host, f.Against,
			f.Since.Local().Format(time.TimeOnly), f.Address, f.Until.Local().Format(time.TimeOnly)))
	}
	return found
}
