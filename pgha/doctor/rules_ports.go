package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/spec"
)

// ports are those of a host.
func (f Facts) ports(h *Host) []layout.Port {
	return slices.DeleteFunc(f.Layouts[h.Name].Ports(),
		func(p layout.Port) bool { return p.Number == 0 })
}

// portsTaken are ports of the cluster on which another program listens.
func portsTaken(f Facts) []Finding {
	var list []Finding
	for _, h := range f.answering() {
		for _, use := range f.ports(h) {
			i := slices.IndexFunc(h.Listeners, func(l Listener) bool {
				return l.Port == use.Number && l.Program != "" &&
					!slices.Contains(use.Programs, l.Program)
			})
			if i < 0 {
				continue
			}
			l := h.Listeners[i]
			found := Finding{ID: "port-taken", Host: h.Name, Subject: fmt.Sprint(l.Port),
				Severity: Error,
				Title:    fmt.Sprintf("port %d is taken by %s", l.Port, l.Program),
				Consequence: fmt.Sprintf("%s cannot listen there: %s",
					strings.TrimSuffix(use.Unit, ".service"),
					unitConsequence(use.Unit)),
				Evidence: append(
					[]string{fmt.Sprintf("ss -ltnp: %s, process %d, listens on port %d",
						l.Program, l.PID, l.Port)}, h.journal(use.Unit, 2)...),
				Remedy: on(h.Name, fmt.Sprintf("grep -qx '%s' /proc/%d/comm && kill %d", l.Program,
					l.PID, l.PID), "systemctl reset-failed "+use.Unit,
					"systemctl restart "+use.Unit),
				Advice: errs.Text("see first what the program is, and whether something starts " +
					"it again"),
				explains: append(unitSymptoms(h.Name, use.Unit),
					symptom{"unit-stopped", h.Name, use.Unit})}
			list = append(list, found)
		}
	}
	return list
}

// portsBlocked are ports on which a program listens and that others cannot reach. Those that the
// same rules keep from others are one cause: the first explains the others.
func portsBlocked(f Facts) []Finding {
	var list []Finding
	first := map[string]int{} // by the rules
	for _, h := range f.members() {
		for _, use := range f.ports(h) {
			if !slices.ContainsFunc(h.Listeners, func(l Listener) bool {
				return l.Port == use.Number
			}) {
				continue
			}
			found := Finding{ID: "port-blocked", Host: h.Name, Subject: fmt.Sprint(use.Number),
				Severity:    Error,
				Title:       fmt.Sprintf("port %d of %s cannot be reached", use.Number, h.Name),
				Consequence: blockedConsequence(f.Spec, use.Number)}
			var kept []*Host
			for _, from := range f.answering() {
				if said, tried := from.Reach[h.at(use.Number)]; tried && said != "ok" {
					found.Evidence = append(found.Evidence,
						fmt.Sprintf("from %s: %s", from.Name, said))
					kept = append(kept, from)
				}
			}
			if len(found.Evidence) == 0 {
				continue
			}
			rules := blocking(f, h, use.Number, kept)
			found.Remedy, found.Advice = unblock(rules, h, use.Number)
			for _, r := range rules {
				found.Evidence = append(found.Evidence,
					fmt.Sprintf("nftables of %s: %s", r.host, r.Text))
			}
			found.explains = blockedSymptoms(f, h, use.Number)
			if key := fmt.Sprint(rules); len(rules) > 0 {
				if i, seen := first[key]; seen {
					list[i].explains = append(list[i].explains,
						symptom{found.ID, h.Name, found.Subject})
				} else {
					first[key] = len(list)
				}
			}
			list = append(list, found)
		}
	}
	return list
}

func blockedConsequence(sp *spec.Spec, port int) string {
	switch port {
	case sp.Patroni.RESTPort:
		return "balancers hold this PostgreSQL dead and send it no sessions; a failover cannot " +
			"ask it how far it is"
	case sp.PostgreSQL.Port:
		return "applications and replicas cannot connect to this PostgreSQL"
	case sp.Etcd.PeerPort:
		return "this etcd member is cut from the others: one vote less"
	}
	return "Patroni on the other hosts cannot use this etcd member"
}

func blockedSymptoms(f Facts, h *Host, port int) []symptom {
	switch port {
	case f.Spec.Patroni.RESTPort:
		return append(patroniSymptoms(h.Name), symptom{"backend-down", h.Name, ""})
	case f.Spec.PostgreSQL.Port:
		return append(postgresSymptoms(h.Name), symptom{"replica-not-streaming", "", ""},
			symptom{"slot-inactive", "", ""}, symptom{"replica-lags", "", ""})
	}
	return append(etcdSymptoms(h.Name), symptom{"patroni-cut-from-etcd", "", ""})
}

// barrier is a rule of nftables on a host that keeps others from a port.
type barrier struct {
	host string
	FirewallRule
}

// blocking finds the rules that name the port, on any host, or the addresses of those that cannot
// reach it: on the host itself, or on theirs.
func blocking(f Facts, h *Host, port int, kept []*Host) []barrier {
	var list []barrier
	for _, on := range f.answering() {
		for _, r := range on.Firewall {
			words := strings.FieldsFunc(r.Text,
				func(c rune) bool { return strings.ContainsRune(" ,{}", c) })
			matches := slices.Contains(words, fmt.Sprint(port))
			if !slices.ContainsFunc(words, func(w string) bool {
				return w == "dport" || w == "sport" || w == "!=" // it is about something narrower
			}) {
				for _, from := range kept {
					matches = matches || on == h && names(words, from.Address) ||
						on == from && names(words, h.Address)
				}
			}
			if matches {
				list = append(list, barrier{on.Name, r})
			}
		}
	}
	return list
}

// names tells whether an address is among the words of a rule, or in a network that is.
func names(words []string, address string) bool {
	at, err := netip.ParseAddr(address)
	return err == nil && slices.ContainsFunc(words, func(word string) bool {
		if one, err := netip.ParseAddr(word); err == nil {
			return one == at
		}
		network, err := netip.ParsePrefix(word)
		return err == nil && network.Contains(at)
	})
}

// deleteRule is the command that takes a rule out.
func deleteRule(r FirewallRule) string {
	return fmt.Sprintf("nft delete rule %s %s %s handle %s", r.Family, r.Table, r.Chain, r.Handle)
}

func unblock(rules []barrier, h *Host, port int) (steps []Step, advice errs.Next) {
	for _, r := range rules {
		steps = append(steps, on(r.host, deleteRule(r.FirewallRule))...)
	}
	if len(steps) > 0 {
		return steps, errs.Text("put the rule out of the firewall's own configuration too, " +
			"or it returns at the next boot")
	}
	return nil, errs.Text("no rule of nftables on the hosts names the port or their addresses: "+
		"look for a firewall between them; "+
		"TCP %d of %s has to be open to the other hosts of the cluster", port, h.Name)
}
