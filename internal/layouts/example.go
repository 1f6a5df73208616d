package layouts

import (
	"fmt"
	"strings"
)

// Example turns the commented specification of the default layout into one of this layout. Each
// replacement that does not find its place is an error: the two texts belong together.
func (l Layout) Example(text string) (string, error) {
	if l.Name == Default {
		return text, nil
	}
	edits := []struct{ from, to, with string }{
		{"# A PostgreSQL", "\n", "# A PostgreSQL high-availability cluster: " + l.Summary + ".\n"},
		{"hosts:\n", "vip:\n", l.hosts() + "\nvip:\n"},
	}
	if l.Balancers() < 2 {
		edits = append(edits, struct{ from, to, with string }{"vip:\n", "postgresql:\n",
			"# A virtual IP (section vip) needs two balancers.\n\npostgresql:\n"})
	}
	if l.Shared() {
		edits = append(edits, struct{ from, to, with string }{"  write_port: ", "  # read_fallback",
			fmt.Sprintf("  write_port: %-19d# to the primary; PostgreSQL itself has 5432 there\n"+
				"  read_port: %-20d# to the replicas\n  # read_fallback", SharedWritePort,
				SharedReadPort)})
	}
	for _, e := range edits {
		before, rest, found := strings.Cut(text, e.from)
		_, after, ended := strings.Cut(rest, e.to)
		if !found || !ended {
			return "", fmt.Errorf("the example has no %q before %q", strings.TrimSpace(e.from),
				strings.TrimSpace(e.to))
		}
		text = before + e.with + after
	}
	return text, nil
}

// hosts is the section of the hosts.
func (l Layout) hosts() string {
	var b strings.Builder
	b.WriteString("hosts:\n  # The first database starts as the leader. See docs/layouts.md for " +
		"what each role runs.\n")
	for i, h := range l.Hosts {
		fmt.Fprintf(&b, "  - {name: %s, address: 192.168.0.%d, %s", h.Name, 200+i, h.Field())
		if h.Member != "" {
			fmt.Fprintf(&b, ", member: %s", h.Member)
		}
		b.WriteString("}\n")
	}
	return b.String()
}
