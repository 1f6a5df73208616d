package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/layout"
)

// timerLate is by how much a fence may outlive its time: the timer looks every 15 seconds, and
// clocks differ.
const timerLate = 45 * time.Second

// Fence is what a host says of fences against other members' hosts; see patroni.fast_failover.
type Fence struct {
	// Leader is the member that the host remembers to have fenced, "" for none; Since is when, and
	// Until when its timer removes the fence, by the host's clock.
	Leader string    `json:"leader,omitempty"`
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"`
	// Aside are the addresses of balancers to which a leader that is cut off lets nothing out.
	Aside []string `json:"aside,omitempty"`
	// Prohibited are the addresses to which the host's routes let nothing out.
	Prohibited []string `json:"prohibited,omitempty"`
}

// fences reports hosts that let nothing out to another member's.
func fences(f Facts) []Finding {
	var list []Finding
	for _, h := range f.answering() {
		if h.Fence == nil {
			continue
		}
		if len(h.Fence.Aside) > 0 {
			list = append(list, standsAside(h))
		}
		if h.Fence.Leader != "" {
			list = append(list, remembered(f, h))
			continue
		}
		for _, other := range f.Hosts {
			if other != h && slices.Contains(h.Fence.Prohibited, other.Address) &&
				!slices.Contains(h.Fence.Aside, other.Address) {
				list = append(list, forgotten(h, other))
			}
		}
	}
	return list
}

// standsAside is a leader that has cut itself off from the balancers.
func standsAside(h *Host) Finding {
	return Finding{ID: "stands-aside", Host: h.Name, Severity: Warning,
		Title: h.Name + " lets nothing out to the balancers",
		Consequence: "they take its member for lost: it led, and heard neither of etcd nor of any " +
			"other member",
		Evidence: append([]string{"no packet goes to " + strings.Join(h.Fence.Aside, ", ")},
			h.journal(layout.FailoverUnit, 2)...),
		Advice: errs.Text("it ends by itself when etcd or another member answers it; look for what " +
			"cuts it off")}
}

// remembered is a fence that the host knows of.
func remembered(f Facts, h *Host) Finding {
	now := f.Time.Add(time.Duration(h.Clock.OffsetSeconds * float64(time.Second)))
	found := Finding{ID: "fence", Host: h.Name, Subject: h.Fence.Leader, Severity: Warning,
		Title: h.Name + " has fenced " + h.Fence.Leader,
		Consequence: "no packet goes out from it to the host of " + h.Fence.Leader +
			", which cannot replicate with it",
		Evidence: []string{fmt.Sprintf("set at %s, to be removed by %s at the latest",
			h.Fence.Since.Format(time.RFC3339), h.Fence.Until.Format(time.RFC3339))},
		Advice: errs.Text("a failover is under way, or was a moment ago: the fence goes when this "+
			"member is on a newer timeline; %s tells what happened", errs.Verb("why"))}
	if now.After(h.Fence.Until.Add(timerLate)) {
		found.ID, found.Severity = "fence-stays", Error
		found.Title = "a fence against " + h.Fence.Leader + " was not removed"
		found.Evidence = append(found.Evidence, h.journal(layout.FailoverUnit, 4)...)
		found.Remedy = on(h.Name, "systemctl start "+layout.LiftTimer,
			"systemctl start "+layout.LiftService)
		found.Advice = errs.Next{}
		found.explains = []symptom{{"unit-stopped", h.Name, layout.LiftTimer},
			{"replica-not-streaming", h.Name, ""}}
	}
	return found
}

// forgotten is a route that no agent has made, or that outlived its memory.
func forgotten(h, other *Host) Finding {
	bits := "/32"
	if a, err := netip.ParseAddr(other.Address); err == nil && a.Is6() {
		bits = "/128"
	}
	return Finding{ID: "fence-stays", Host: h.Name, Subject: other.Name, Severity: Error,
		Title:       "a route of this host lets nothing out to " + other.Name,
		Consequence: "the two cannot replicate with each other, nor agree on a leader",
		Evidence:    []string{"ip route: prohibit " + other.Address},
		Remedy:      on(h.Name, "ip route del prohibit "+other.Address+bits),
		explains: []symptom{{"replica-not-streaming", h.Name, ""},
			{"replica-not-streaming", other.Name, ""}}}
}
