package doctor

import (
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/remote"
)

// judgeState compares the hosts' notes with the operator's state directory.
func (f *Facts) judgeState(c *pgha.Cluster) {
	notes := map[string][]byte{}
	for _, h := range f.Hosts {
		if h.StateNote != "" {
			notes[h.Name] = []byte(h.StateNote)
		}
	}
	if err := c.JudgeState(notes); err != nil {
		f.StateTrouble, f.StateRemedy = err.Error(), remote.Hint(err)
	}
}

// stateRefused tells of a state directory that must not be applied from.
func stateRefused(f Facts) []Finding {
	if f.StateTrouble == "" {
		return nil
	}
	return []Finding{{ID: "state-directory-refused", Severity: Error, Title: "the state directory here is not the one that the hosts follow",
		Consequence: "apply from here would put other passwords, certificates and authorities on all hosts, after which nobody could log in; it is refused",
		Evidence:    []string{clip(f.StateTrouble)}, Advice: f.StateRemedy}}
}

// resetUnfinished tells of a reset that was killed.
func resetUnfinished(f Facts) []Finding {
	for _, h := range f.Hosts {
		if h.UnfinishedReset != "" {
			return []Finding{{ID: "reset-unfinished", Host: h.Name, Severity: Error, Title: "a reset was begun and not finished",
				Consequence: "data of some hosts may be gone while others still have theirs, so that they do not fit each other",
				Evidence:    []string{clip(h.UnfinishedReset)}, Advice: "pgha-cli reset again finishes it: everything is deleted and the cluster formed anew"}}
		}
	}
	return nil
}

// withoutState leaves out of the drift what comes from a state directory that is refused: keys, certificates, authorities and
// passwords of another copy say nothing of the hosts', nor do the reloads and restarts that would follow them.
func withoutState(drift []pgha.PlannedChange) []pgha.PlannedChange {
	foreign := func(ch pgha.PlannedChange) bool {
		return ch.Name == pgpassFile || strings.HasPrefix(ch.Name, etcdCerts) || strings.HasPrefix(ch.Name, patroniCerts)
	}
	follows := map[string]bool{}
	for _, ch := range drift {
		follows[ch.Host] = follows[ch.Host] || foreign(ch)
	}
	return slices.DeleteFunc(slices.Clone(drift), func(ch pgha.PlannedChange) bool {
		return foreign(ch) || follows[ch.Host] && ch.Kind == "unit" && (ch.Action == "reloaded" || ch.Action == "restarted")
	})
}

// withoutApply takes apply out of the remedies: from this state directory it is refused.
func withoutApply(found []Finding) {
	for i := range found {
		found[i].Remedy = slices.DeleteFunc(found[i].Remedy, func(s Step) bool { return strings.HasPrefix(s.Command, "pgha-cli apply") })
	}
}
