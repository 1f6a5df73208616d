package report

import (
	"github.com/pgha/toolkit/pgha/drill"
)

// status is what a run, a scenario or the whole drill came to. Its values are also classes of the
// page's style.
type status string

const (
	kept       status = "kept"
	broken     status = "broken"
	unfinished status = "unfinished"
)

// Word is how the page says it.
func (s status) Word() string { return string(s) }

// statusOf judges a run. A promise that was broken stays broken, whatever kept the run from its
// end.
func statusOf(run drill.RunResult) status {
	switch {
	case len(run.Outcome.Verdict.Broken) > 0:
		return broken
	case run.Error != "":
		return unfinished
	case !run.Outcome.Verdict.Kept:
		return broken
	}
	return kept
}

// worst returns the status of several: one that is broken breaks the whole.
func worst(all ...status) status {
	w := kept
	for _, s := range all {
		if s == broken || w == kept {
			w = s
		}
	}
	return w
}

// promised is how many seconds a run may go without writes. Zero: there is no such bound, as writes
// have to wait until the fault is mended.
func promised(p drill.Promise, run drill.RunResult) float64 {
	switch run.Recording.Expect.Writes {
	case drill.UntilMended, drill.MustStop:
		return 0
	case drill.WithinSwitchover:
		return p.SwitchoverSeconds
	}
	return p.FailoverSeconds
}
