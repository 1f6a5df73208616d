package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/spec"
)

// unitConsequence says what a unit that does not run means.
func unitConsequence(unit string) string {
	switch unit {
	case etcdUnit:
		return "one vote of etcd less: with another one lost nobody takes writes"
	case patroniUnit:
		return "PostgreSQL of this host is stopped or on its own: one copy of the data less, and no failover to it"
	case watchUnit:
		return "a crash of PostgreSQL is noticed later: up to loop_wait instead of at once"
	case haproxyUnit:
		return "this balancer leads nowhere; the virtual IP goes to another one"
	}
	return "this balancer cannot hold the virtual IP: one fewer to take over"
}

// units tells of units that do not run, or will not after the next boot.
func units(f Facts) []Finding {
	var list []Finding
	for _, h := range f.answering() {
		for _, name := range unitsOf(f.Spec, h.Role) {
			if found, bad := judgeUnit(h, name); bad {
				list = append(list, found)
			}
		}
	}
	return list
}

func judgeUnit(h *Host, name string) (Finding, bool) {
	u, known := h.Units[name]
	found := Finding{Host: h.Name, Subject: name, Severity: Error, Consequence: unitConsequence(name), explains: unitSymptoms(h.Name, name),
		Evidence: []string{fmt.Sprintf("systemctl: %s is %s (%s), result %s, at boot: %s", name, u.Active, u.Sub, u.Result, u.Enabled)}}
	if name == watchUnit {
		found.Severity = Warning
	}
	if name == keepalivedUnit {
		// It takes its address away when it ends: a second holder has another reason.
		found.explains = slices.DeleteFunc(found.explains, func(s symptom) bool { return s.id == "virtual-ip-twice" })
	}
	switch {
	case !known || u.Load == "not-found":
		found.ID, found.Title, found.Remedy = "unit-stopped", name+" does not exist", apply()
	case u.Load == "masked":
		found.ID, found.Title = "unit-masked", name+" is masked"
		found.Consequence = "it cannot be started by anybody: " + found.Consequence
		found.Remedy = on(h.Name, "systemctl unmask "+name, "systemctl enable --now "+name)
	case u.Active == "failed", u.Active == "activating" && u.Sub == "auto-restart":
		found.ID, found.Title = "unit-failed", name+" fails"
		if u.Result == "start-limit-hit" {
			found.Title += " and systemd has given up starting it"
		}
		found.Evidence = append(found.Evidence, h.journal(name, 4)...)
		found.Remedy = on(h.Name, "systemctl reset-failed "+name, "systemctl restart "+name)
	case u.Active == "inactive":
		found.ID, found.Title = "unit-stopped", name+" is stopped"
		found.Remedy = on(h.Name, "systemctl start "+name)
	case u.Enabled != "enabled":
		found.ID, found.Title, found.Severity = "unit-disabled", name+" does not start at boot", Warning
		found.Consequence = "after the host's next boot: " + found.Consequence
		found.Remedy = on(h.Name, "systemctl enable "+name)
		found.explains = nil
	default:
		return found, false
	}
	return found, true
}

// frozen are programs that somebody has suspended, or that hang in a debugger: they hold what they have and do nothing.
func frozen(f Facts) []Finding {
	var list []Finding
	for _, h := range f.answering() {
		told := map[string]bool{}
		for _, p := range h.Stopped {
			if told[p.Program] {
				continue
			}
			told[p.Program] = true
			found := Finding{ID: "process-frozen", Host: h.Name, Subject: p.Program, Severity: Error, Title: p.Program + " is suspended",
				Consequence: "systemd sees it run, but it does nothing: " + unitConsequence(programUnit(p.Program)),
				Evidence:    []string{fmt.Sprintf("/proc/%d/stat: state T (stopped)", p.PID)}, Remedy: on(h.Name, thaw(h, p.Program))}
			found.explains = unitSymptoms(h.Name, programUnit(p.Program))
			for _, use := range portUses(f.Spec, h.Role) {
				// A queue of connections that nobody takes is soon full.
				if slices.Contains(use.programs, p.Program) {
					found.explains = append(found.explains, symptom{"port-blocked", h.Name, fmt.Sprint(use.port)})
				}
			}
			if p.Program == "postgres" {
				found.ID, found.Title = "postgres-hung", "PostgreSQL is suspended"
				found.Consequence = "sessions hang; Patroni does not fail over from this by itself, because the process lives"
				found.explains = append(found.explains, postgresSymptoms(h.Name)...)
				found.explains = append(found.explains, symptom{"patroni-not-answering", h.Name, ""}, symptom{"unit-failed", h.Name, watchUnit})
			}
			list = append(list, found)
		}
	}
	return list
}

// thaw names every suspended process of a program.
func thaw(h *Host, program string) string {
	command := "kill -CONT"
	for _, p := range h.Stopped {
		if p.Program == program {
			command += fmt.Sprintf(" %d", p.PID)
		}
	}
	return command
}

func programUnit(program string) string {
	switch program {
	case "etcd":
		return etcdUnit
	case "haproxy":
		return haproxyUnit
	case "keepalived":
		return keepalivedUnit
	case "watch-postgresq":
		return watchUnit
	}
	return patroniUnit
}

// portUse is a port that belongs to a program of the cluster.
type portUse struct {
	port     int
	programs []string
	unit     string
}

func portUses(sp *spec.Spec, role spec.Role) []portUse {
	if role == spec.RoleBalancer {
		return []portUse{{sp.Balancer.WritePort, []string{"haproxy"}, haproxyUnit}, {sp.Balancer.ReadPort, []string{"haproxy"}, haproxyUnit}, {sp.Balancer.StatsPort, []string{"haproxy"}, haproxyUnit}}
	}
	return []portUse{{sp.Etcd.ClientPort, []string{"etcd"}, etcdUnit}, {sp.Etcd.PeerPort, []string{"etcd"}, etcdUnit},
		{sp.Patroni.RESTPort, []string{"patroni", "python3"}, patroniUnit}, {sp.PostgreSQL.Port, []string{"postgres"}, patroniUnit}}
}

// portsTaken are ports of the cluster on which another program listens.
func portsTaken(f Facts) []Finding {
	var list []Finding
	for _, h := range f.answering() {
		for _, use := range portUses(f.Spec, h.Role) {
			i := slices.IndexFunc(h.Listeners, func(l Listener) bool {
				return l.Port == use.port && l.Program != "" && !slices.Contains(use.programs, l.Program)
			})
			if i < 0 {
				continue
			}
			l := h.Listeners[i]
			found := Finding{ID: "port-taken", Host: h.Name, Subject: fmt.Sprint(l.Port), Severity: Error,
				Title:       fmt.Sprintf("port %d is taken by %s", l.Port, l.Program),
				Consequence: fmt.Sprintf("%s cannot listen there: %s", strings.TrimSuffix(use.unit, ".service"), unitConsequence(use.unit)),
				Evidence:    append([]string{fmt.Sprintf("ss -ltnp: %s, process %d, listens on port %d", l.Program, l.PID, l.Port)}, h.journal(use.unit, 2)...),
				Remedy:      on(h.Name, fmt.Sprintf("kill %d", l.PID), "systemctl reset-failed "+use.unit, "systemctl restart "+use.unit),
				Advice:      "see first what the program is, and whether something starts it again",
				explains:    append(unitSymptoms(h.Name, use.unit), symptom{"unit-stopped", h.Name, use.unit})}
			list = append(list, found)
		}
	}
	return list
}

// portsBlocked are ports on which a program listens and that others cannot reach.
func portsBlocked(f Facts) []Finding {
	var list []Finding
	for _, h := range f.databases() {
		for _, use := range portUses(f.Spec, h.Role) {
			if !slices.ContainsFunc(h.Listeners, func(l Listener) bool { return l.Port == use.port }) {
				continue
			}
			found := Finding{ID: "port-blocked", Host: h.Name, Subject: fmt.Sprint(use.port), Severity: Error,
				Title: fmt.Sprintf("port %d of %s cannot be reached", use.port, h.Name), Consequence: blockedConsequence(f.Spec, use.port)}
			for _, from := range f.answering() {
				if said, tried := from.Reach[hostPort(h.Address, use.port)]; tried && said != "ok" {
					found.Evidence = append(found.Evidence, fmt.Sprintf("from %s: %s", from.Name, said))
				}
			}
			if len(found.Evidence) == 0 {
				continue
			}
			found.Remedy, found.Advice = unblock(f, h, use.port)
			found.Evidence = append(found.Evidence, ruleEvidence(f, use.port)...)
			found.explains = blockedSymptoms(f, h, use.port)
			list = append(list, found)
		}
	}
	return list
}

func blockedConsequence(sp *spec.Spec, port int) string {
	switch port {
	case sp.Patroni.RESTPort:
		return "balancers hold this PostgreSQL dead and send it no sessions; a failover cannot ask it how far it is"
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
		return append(postgresSymptoms(h.Name), symptom{"replica-not-streaming", "", ""}, symptom{"slot-inactive", "", ""}, symptom{"replica-lags", "", ""})
	}
	return append(etcdSymptoms(h.Name), symptom{"patroni-cut-from-etcd", "", ""})
}

// blocking finds the rules of nftables, on any host, that name the port and refuse.
func blocking(f Facts, port int) (hosts []string, rules []FirewallRule) {
	for _, h := range f.answering() {
		for _, r := range h.Firewall {
			if slices.ContainsFunc(strings.FieldsFunc(r.Text, func(c rune) bool { return strings.ContainsRune(" ,{}", c) }), func(w string) bool { return w == fmt.Sprint(port) }) {
				hosts, rules = append(hosts, h.Name), append(rules, r)
			}
		}
	}
	return hosts, rules
}

func ruleEvidence(f Facts, port int) []string {
	var list []string
	hosts, rules := blocking(f, port)
	for i, r := range rules {
		list = append(list, fmt.Sprintf("nftables of %s: %s", hosts[i], r.Text))
	}
	return list
}

// deleteRule is the command that takes a rule out.
func deleteRule(r FirewallRule) string {
	return fmt.Sprintf("nft delete rule %s %s %s handle %s", r.Family, r.Table, r.Chain, r.Handle)
}

func unblock(f Facts, h *Host, port int) (steps []Step, advice string) {
	hosts, rules := blocking(f, port)
	for i, r := range rules {
		steps = append(steps, on(hosts[i], deleteRule(r))...)
	}
	if len(steps) > 0 {
		return steps, "put the rule out of the firewall's own configuration too, or it returns at the next boot"
	}
	return nil, fmt.Sprintf("no rule of nftables on the hosts names the port: look for a firewall between them; TCP %d of %s has to be open to the other hosts of the cluster", port, h.Name)
}
