package preflight

import (
	"fmt"
	"slices"

	"github.com/pgha/toolkit/pgha/errs"
)

// Finding is something that is to be said about a host.
type Finding struct {
	// Host is "" for what concerns the cluster as a whole.
	Host string `json:"host"`
	// Field of the specification that differs from what runs, as in the table of package change; ""
	// for anything else.
	Field string `json:"field,omitempty"`
	// About is the field that the host has something against, where nothing runs yet that differs
	// from it; "" for none.
	About string `json:"about,omitempty"`
	// At is where the specification has either, as "pgha.yaml:12:5"; "" where it was not read from
	// a file. Place sets it.
	At      string `json:"at,omitempty"`
	Problem string `json:"problem"`
	// Remedy is what to do about it.
	Remedy errs.Next `json:"remedy"`
	// Warning is set when apply can go on all the same.
	Warning bool `json:"warning"`
}

// judge gathers the findings of one host.
type judge struct {
	Want
	Host
	found []Finding
}

// stopAt is stop about a field of the specification.
func (j *judge) stopAt(field, problem, remedy string) {
	j.found = append(j.found, Finding{Host: j.Want.Host, About: field, Problem: problem,
		Remedy: errs.Text("%s", remedy)})
}

func (j *judge) stop(problem, remedy string) {
	j.found = append(j.found, Finding{Host: j.Want.Host, Problem: problem,
		Remedy: errs.Text("%s", remedy)})
}

func (j *judge) warn(problem, remedy string) {
	j.found = append(j.found, Finding{Host: j.Want.Host, Problem: problem,
		Remedy:  errs.Text("%s", remedy),
		Warning: true})
}

// Judge says what speaks against making a host what w wants. It judges what one host's answers tell
// by themselves. A host that belongs to another cluster is left to the caller, who says so:
// everything of that cluster would be in the way.
func Judge(w Want, h Host) []Finding {
	j := &judge{Want: w, Host: h}
	if !h.Stranger {
		j.judgePorts()
		j.judgeUnits()
		j.judgeClusters()
		j.judgeData()
		j.judgeFiles()
	}
	j.judgeSpace()
	j.judgeRoutes()
	j.judgeFences()
	j.judgeInterface()
	j.judgeLocales()
	j.judgeZones()
	j.judgeForwarding()
	j.judgeUsers()
	j.judgeLocks()
	j.judgeSites()
	return j.found
}

// bare reports whether the cluster's packages have yet to be installed, all or some.
func (h Host) bare() bool { return len(h.Missing) > 0 }

// ours reports whether the file says that pgha wrote it.
func (j *judge) ours(path string) bool { return slices.Contains(j.Ours, path) }

// process names a process for people.
func (l Listener) process() string {
	if l.Program == "" {
		return "a process that the host does not show"
	}
	text := fmt.Sprintf("%s (process %d", l.Program, l.PID)
	if l.Owner != "" {
		text += " of " + l.Owner
	}
	if l.Unit != "" {
		text += ", " + l.Unit
	}
	text += ")"
	if l.Command != "" && l.Command != l.Program {
		text += ": " + l.Command
	}
	return text
}
