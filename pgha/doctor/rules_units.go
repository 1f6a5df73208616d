package doctor

import (
	"fmt"
	"slices"

	"github.com/pgha/toolkit/pgha/layout"
)

// unitConsequence says what a unit that does not run means.
func unitConsequence(unit string) string {
	switch unit {
	case layout.EtcdUnit:
		return "one vote of etcd less: with another one lost nobody takes writes"
	case layout.PatroniUnit:
		return "PostgreSQL of this host is stopped or on its own: one copy of the data less, and " +
			"no failover to it"
	case layout.WatchUnit:
		return "a crash of PostgreSQL is noticed later: up to loop_wait instead of at once"
	case layout.FailoverUnit:
		return "a lost leader is failed over from when its lease ends, and no sooner: every voter " +
			"has to fence it"
	case layout.LiftTimer:
		return "a fence whose agent is gone stays until the host boots"
	case layout.HAProxyUnit:
		return "this balancer leads nowhere; the virtual IP goes to another one"
	}
	return "this balancer cannot hold the virtual IP: one fewer to take over"
}

// units are those that a host needs, those first that others need.
func (f Facts) units(h *Host) []string {
	return f.Layouts[h.Name].Units(layout.Service, layout.Helper)
}

// units reports units that do not run, or will not after the next boot.
func units(f Facts) []Finding {
	var list []Finding
	for _, h := range f.answering() {
		for _, name := range f.units(h) {
			if found, bad := judgeUnit(h, name); bad {
				list = append(list, found)
			}
		}
	}
	return list
}

func judgeUnit(h *Host, name string) (Finding, bool) {
	u, known := h.Units[name]
	found := Finding{Host: h.Name, Subject: name, Severity: Error,
		Consequence: unitConsequence(name),
		explains:    unitSymptoms(h.Name, name),
		Evidence: []string{fmt.Sprintf("systemctl: %s is %s (%s), result %s, at boot: %s", name,
			u.Active, u.Sub, u.Result, u.Enabled)}}
	if slices.Contains([]string{layout.WatchUnit, layout.FailoverUnit, layout.LiftTimer}, name) {
		found.Severity = Warning
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
		found.ID, found.Title = "unit-disabled", name+" does not start at boot"
		found.Consequence = "after the host's next boot: " + found.Consequence
		found.Remedy = on(h.Name, "systemctl enable "+name)
		found.explains = nil
	default:
		return found, false
	}
	return found, true
}

// frozen are programs that somebody has suspended, or that hang in a debugger: they hold what they
// have and do nothing.
func frozen(f Facts) []Finding {
	var list []Finding
	for _, h := range f.answering() {
		told := map[string]bool{}
		for _, p := range h.Stopped {
			if told[p.Program] {
				continue
			}
			told[p.Program] = true
			found := Finding{ID: "process-frozen", Host: h.Name, Subject: p.Program,
				Severity: Error,
				Title:    p.Program + " is suspended",
				Consequence: "systemd sees it run, but it does nothing: " +
					unitConsequence(programUnit(p.Program)),
				Evidence: []string{fmt.Sprintf("/proc/%d/stat: state T (stopped)", p.PID)},
				Remedy:   on(h.Name, thaw(h, p.Program))}
			found.explains = unitSymptoms(h.Name, programUnit(p.Program))
			for _, use := range f.ports(h) {
				// A queue of connections that nobody takes is soon full.
				if slices.Contains(use.Programs, p.Program) {
					found.explains = append(found.explains,
						symptom{"port-blocked", h.Name, fmt.Sprint(use.Number)})
				}
			}
			if p.Program == "keepalived" {
				found.explains = append(found.explains, symptom{"virtual-ip-twice", "", ""})
			}
			if p.Program == "postgres" {
				found.ID, found.Title = "postgres-hung", "PostgreSQL is suspended"
				found.Consequence = "sessions hang; Patroni does not fail over from this by " +
					"itself, because the process lives"
				found.explains = append(found.explains, postgresSymptoms(h.Name)...)
				found.explains = append(found.explains,
					symptom{"patroni-not-answering", h.Name, ""},
					symptom{"unit-failed", h.Name, layout.WatchUnit})
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
		return layout.EtcdUnit
	case "haproxy":
		return layout.HAProxyUnit
	case "keepalived":
		return layout.KeepalivedUnit
	case "watch-postgresq":
		return layout.WatchUnit
	}
	return layout.PatroniUnit
}
