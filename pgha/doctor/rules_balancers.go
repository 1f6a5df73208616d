package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/layout"
)

func haproxyNotAnswering(f Facts) []Finding {
	var list []Finding
	for _, h := range f.balancers() {
		if h.HAProxy.Error == "" {
			continue
		}
		list = append(list, Finding{ID: "haproxy-not-answering", Host: h.Name, Severity: Error,
			Title:       "HAProxy does not answer on its socket",
			Consequence: unitConsequence(layout.HAProxyUnit),
			Evidence: append([]string{layout.AdminSocket + ": " + h.HAProxy.Error},
				h.journal(layout.HAProxyUnit, 3)...),
			Remedy: on(h.Name, "systemctl restart "+layout.HAProxyUnit)})
	}
	return list
}

// haproxyReload is a reload whose new worker could not start, most often because it lacks an
// address or a port.
func haproxyReload(f Facts) []Finding {
	var list []Finding
	for _, h := range f.balancers() {
		if h.HAProxy.ReloadFailed == "" {
			continue
		}
		list = append(list, Finding{ID: "haproxy-reload-failed", Host: h.Name, Severity: Error,
			Title: "HAProxy could not load its newest configuration",
			Consequence: "the former one is served, and HAProxy does not come up after its next " +
				"restart",
			Evidence: []string{"its last worker ended: " + clip(h.HAProxy.ReloadFailed)},
			Advice: errs.Text("free what it could not bind (ss -ltnp there says who has it), "+
				"then %s: it reloads again",
				errs.Verb(Apply)),
			explains: []symptom{{"configuration-not-loaded", h.Name, layout.HAProxyUnit}}})
	}
	return list
}

// backends are members that do their work and to which a balancer sends no sessions.
func backends(f Facts) []Finding {
	var list []Finding
	primary := f.primary()
	for _, h := range f.sqlHosts() {
		proxy := "postgres_read"
		if h == primary {
			proxy = "postgres_write"
		} else if !f.promise(h).Reads || !h.SQL.Recovery || h.SQL.ReceiverState != "streaming" {
			continue
		}
		var seen []string
		for _, b := range f.balancers() {
			status, known := b.HAProxy.Servers[proxy+"/"+h.Member]
			if known && !strings.HasPrefix(status, "UP") && !strings.HasPrefix(status, "no check") {
				seen = append(seen, fmt.Sprintf("%s: %s/%s is %s", b.Name, proxy, h.Member, status))
			}
		}
		if len(seen) == 0 {
			continue
		}
		list = append(list, Finding{ID: "backend-down", Host: h.Name, Severity: Error,
			Title: "HAProxy sends no sessions to a member that is well",
			Consequence: "applications get no connection, or the other members have to bear " +
				"its share",
			Evidence: seen, Advice: errs.Text("try from the balancer: openssl s_client -connect %s",
				h.at(f.Spec.Patroni.RESTPort))})
	}
	return list
}

// checkScripts is keepalived's question whether HAProxy answers, which must be a program.
func checkScripts(f Facts) []Finding {
	var list []Finding
	for _, h := range f.balancers() {
		file, ok := h.Files[layout.CheckScript]
		if !ok || file.Mode == "755" && file.Owner == "root" {
			continue
		}
		list = append(list, Finding{ID: "check-script-not-executable", Host: h.Name,
			Subject: layout.CheckScript, Severity: Error,
			Title: "keepalived cannot run its check of HAProxy",
			Consequence: "it holds HAProxy dead, or drops the check when it starts: the address " +
				"stays away from here, or stays with a dead HAProxy",
			Evidence: append([]string{fmt.Sprintf("%s: mode %s, owner %s; right is 755, root",
				layout.CheckScript, file.Mode, file.Owner)},
				h.journal(layout.KeepalivedUnit, 2)...),
			Remedy: apply(),
			explains: append(keepalivedSymptoms(h.Name),
				symptom{"file-differs", h.Name, layout.CheckScript})})
	}
	return list
}

// holders are the balancers that have the virtual IP.
func (f Facts) holders() []*Host {
	return slices.DeleteFunc(f.balancers(), func(h *Host) bool {
		return h.Addresses[f.Spec.VIP.Address] == ""
	})
}

// vrrp looks for firewalls that keep balancers from hearing each other.
func vrrp(f Facts) []Finding {
	var list []Finding
	if f.Spec.VIP == nil {
		return nil
	}
	for _, h := range f.balancers() {
		for _, r := range h.Firewall {
			words := strings.Fields(r.Text)
			if !slices.Contains(words, "vrrp") && !slices.Contains(words, "112") {
				continue
			}
			list = append(list, Finding{ID: "vrrp-blocked", Host: h.Name, Severity: Error,
				Title: "a firewall drops VRRP",
				Consequence: "the balancers do not hear each other: several hold the virtual IP " +
					"at once, and connections end here or there",
				Evidence: []string{"nftables: " + r.Text}, Remedy: on(h.Name, deleteRule(r)),
				Advice: errs.Text(
					"put the rule out of the firewall's own configuration too, or it returns at " +
						"the next boot"),
				explains: []symptom{{"virtual-ip-twice", "", ""}, {"virtual-ip-missing", "", ""}}})
			break
		}
	}
	return list
}

func virtualIP(f Facts) []Finding {
	if f.Spec.VIP == nil || len(f.balancers()) == 0 {
		return nil
	}
	holders, address := f.holders(), f.Spec.VIP.Address
	if len(holders) == 0 && len(f.balancers()) == len(f.Spec.Balancers()) {
		return []Finding{{ID: "virtual-ip-missing", Severity: Error,
			Title:       "no balancer holds " + address,
			Consequence: "applications reach nothing",
			Evidence:    []string{"ip addr on every balancer"},
			Advice: errs.Text(
				"journalctl -u keepalived on the balancers says why; it needs HAProxy to answer " +
					"on the same host")}}
	}
	if len(holders) < 2 {
		return nil
	}
	// The one with the highest priority whose keepalived runs is right: keepalived elects it. The
	// others have it by hand, or do not hear.
	keep := holders[0]
	for _, h := range holders {
		if h.active(layout.KeepalivedUnit) && (f.priority(h) > f.priority(keep) ||
			!keep.active(layout.KeepalivedUnit)) {
			keep = h
		}
	}
	found := Finding{ID: "virtual-ip-twice", Severity: Error,
		Title:       "several balancers hold " + address,
		Consequence: "the neighbours' ARP tables decide who is reached: connections break at random"}
	for _, h := range holders {
		found.Evidence = append(found.Evidence, fmt.Sprintf("%s on %s of %s, keepalived is %s",
			address,
			h.Addresses[address], h.Name, h.Units[layout.KeepalivedUnit].Active))
		if h != keep {
			found.Remedy = append(found.Remedy,
				on(h.Name, fmt.Sprintf("ip addr del %s dev %s", address, h.Addresses[address]))...)
		}
	}
	found.Advice = errs.Text(
		"if it comes back the balancers do not hear each other: look for a firewall that drops " +
			"IP protocol 112")
	return []Finding{found}
}

func (f Facts) priority(h *Host) int {
	for _, b := range f.Spec.Balancers() {
		if b.Name == h.Name {
			return b.Priority
		}
	}
	return 0
}
