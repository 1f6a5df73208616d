package preflight

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/pgha/spec"
)

// Place says of each finding that is about a field where the specification has it. A field of a host
// ("hosts[].address") is that of the finding's first host.
func Place(sp *spec.Spec, found []Finding) {
	for i := range found {
		f := &found[i]
		field := cmp.Or(f.Field, f.About)
		if field == "" || strings.Contains(field, " ") { // a rule of the toolkit's own is not in the file
			continue
		}
		if rest, ofHost := strings.CutPrefix(field, "hosts[]"); ofHost {
			first, _, _ := strings.Cut(f.Host, ", ")
			n := slices.IndexFunc(sp.Hosts, func(h spec.Host) bool { return h.Name == first })
			field = "hosts[" + strconv.Itoa(n) + "]" + rest
		}
		f.At = sp.At(field)
	}
}

// Text is the problem, behind its place in the specification where there is one.
func (f Finding) Text() string {
	if f.At == "" {
		return f.Problem
	}
	return f.At + ": " + f.Problem
}
