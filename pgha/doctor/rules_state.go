package doctor

import (
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/layout"
)

// stateRefused reports a state directory that must not be applied from.
func stateRefused(f Facts) []Finding {
	if f.StateTrouble == "" {
		return nil
	}
	return []Finding{{ID: "state-directory-refused", Severity: Error,
		Title: "the state directory here is not the one that the hosts follow",
		Consequence: "apply from here would put other passwords, certificates and authorities on " +
			"all hosts, after which nobody could log in; it is refused",
		Evidence: []string{clip(f.StateTrouble)}, Advice: errs.Text(f.StateRemedy)}}
}

// resetUnfinished reports a reset that was killed.
func resetUnfinished(f Facts) []Finding {
	for _, h := range f.Hosts {
		if h.UnfinishedReset != "" {
			return []Finding{{ID: "reset-unfinished", Host: h.Name, Severity: Error,
				Title: "a reset was begun and not finished",
				Consequence: "data of some hosts may be gone while others still have theirs, so " +
					"that they do not fit each other",
				Evidence: []string{clip(h.UnfinishedReset)},
				Advice: errs.Text("%s again finishes it: everything is deleted and the cluster "+
					"formed again",
					errs.Verb("reset"))}}
		}
	}
	return nil
}

// withoutState leaves out of the drift what comes from a state directory that is refused: keys,
// certificates, authorities and passwords of another copy say nothing of the hosts', nor do the
// reloads and restarts that would follow them.
func withoutState(drift []Difference) []Difference {
	foreign := func(ch Difference) bool {
		return ch.Name == layout.PasswordFile || strings.HasPrefix(ch.Name, layout.EtcdCerts+"/") ||
			strings.HasPrefix(ch.Name, layout.PatroniCerts+"/")
	}
	follows := map[string]bool{}
	for _, ch := range drift {
		follows[ch.Host] = follows[ch.Host] || foreign(ch)
	}
	return slices.DeleteFunc(slices.Clone(drift), func(ch Difference) bool {
		return foreign(ch) || follows[ch.Host] && ch.Kind == "unit" && (ch.Action == "reloaded" ||
			ch.Action == "restarted")
	})
}

// withoutApply takes apply out of the remedies: from this state directory it is refused.
func withoutApply(found []Finding) {
	for i := range found {
		found[i].Remedy = slices.DeleteFunc(found[i].Remedy, func(s Step) bool {
			return s.Call.Verb == Apply
		})
	}
}
