package preflight

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Place says of each finding that is about a field where the specification has it, which at knows.
// A field of a host ("hosts[].address") is that of the finding's first host; hosts are all their
// names, in the specification's order.
func Place(found []Finding, hosts []string, at func(field string) string) {
	for i := range found {
		f := &found[i]
		field := cmp.Or(f.Field, f.About)
		// a rule of the toolkit's own is not in the file
		if field == "" || strings.Contains(field, " ") {
			continue
		}
		if rest, ofHost := strings.CutPrefix(field, "hosts[]"); ofHost {
			first, _, _ := strings.Cut(f.Host, ", ")
			field = "hosts[" + strconv.Itoa(slices.Index(hosts, first)) + "]" + rest
		}
		f.At = at(field)
	}
}

// Text is the problem, behind its place in the specification where there is one.
func (f Finding) Text() string {
	if f.At == "" {
		return f.Problem
	}
	return f.At + ": " + f.Problem
}
