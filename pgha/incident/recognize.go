package incident

import (
	"regexp"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/record"
)

// recognizer turns a line of one component into an event.
type recognizer struct {
	// needs is text that every such line has: most lines are dismissed with it, without a regular
	// expression.
	needs string
	// pattern finds the details; nil where needs says it all. Its named groups fill Text.
	pattern *regexp.Regexp
	kind    Kind
	// text is the event's, with the groups in braces.
	text string
	// versions says where the wording is known from, when it is not the same in all that pgha
	// supports.
	versions string
}

// tables are the recognizers of each component. The first that fits a line wins.
var tables = map[Component][]recognizer{
	Patroni:    patroniTable,
	PostgreSQL: postgresqlTable,
	Etcd:       etcdTable,
	HAProxy:    haproxyTable,
	Keepalived: keepalivedTable,
	Host:       hostTable,
}

// longestEvidence bounds a line that is kept.
const longestEvidence = 400

// memberFields are the groups that name members or addresses, which events call by their hosts.
var memberFields = []string{"member", "leader", "candidate", "from", "to", "server", "address"}

// recognize returns the event that a line reports; false for most lines. hosts has each member's
// and address's host.
func recognize(line record.LogEntry, hosts map[string]string) (Event, bool) {
	for _, c := range componentsOf(line) {
		for i := range tables[c] {
			r := &tables[c][i]
			if !strings.Contains(line.Message, r.needs) {
				continue
			}
			e := Event{Time: line.Time, Last: line.Time, Host: line.Host,
				Component: shownAs(c, line),
				Kind:      r.kind, Text: r.text, Count: 1}
			e.fields = map[string]string{"unit": unitName(line.Unit)}
			if r.pattern != nil {
				groups := r.pattern.FindStringSubmatch(line.Message)
				if groups == nil {
					continue
				}
				for i, name := range r.pattern.SubexpNames() {
					if name != "" {
						e.fields[name] = groups[i]
					}
				}
			}
			if e.fields["candidate"] == "None" {
				e.fields["candidate"] = "any replica"
			}
			for name, value := range e.fields {
				if host, known := hosts[value]; known && slices.Contains(memberFields, name) {
					e.fields[name], value = host, host
				}
				e.Text = strings.ReplaceAll(e.Text, "{"+name+"}", value)
			}
			e.Text = shortened(e.Text)
			e.Evidence = shortened(line.Message)
			return e, true
		}
	}
	return Event{}, false
}

// shownAs is the component that an event counts to: systemd's lines about a unit are its
// component's.
func shownAs(c Component, line record.LogEntry) Component {
	if c != Host {
		return c
	}
	switch unitName(line.Unit) {
	case "patroni":
		return Patroni
	case "etcd":
		return Etcd
	case "haproxy":
		return HAProxy
	case "keepalived":
		return Keepalived
	}
	return Host
}

func componentsOf(line record.LogEntry) []Component {
	switch program := line.Program; {
	case program == "systemd", program == "kernel", program == "sudo", strings.HasPrefix(program,
		"systemd-"), program == "NetworkManager":
		return []Component{Host}
	case slices.Contains(record.ServerPrograms(), program):
		return []Component{PostgreSQL}
	case program == "etcd":
		return []Component{Etcd}
	case program == "haproxy":
		return []Component{HAProxy}
	case strings.HasPrefix(program, "Keepalived"):
		return []Component{Keepalived}
	}
	switch unitName(line.Unit) {
	case "patroni", "pgha-watch", "pgha-failover", "pgha-failover-lift":
		// A line of a PostgreSQL process that ended early counts as Patroni's in the journal.
		return []Component{Patroni, PostgreSQL}
	}
	return nil
}

// unitName is a unit's name without its type.
func unitName(unit string) string { return strings.TrimSuffix(unit, ".service") }

func shortened(line string) string {
	line = strings.TrimSpace(line)
	if len(line) > longestEvidence {
		line = strings.ToValidUTF8(line[:longestEvidence], "") + "…"
	}
	return line
}

func re(pattern string) *regexp.Regexp { return regexp.MustCompile(pattern) }
