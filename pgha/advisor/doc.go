// Package advisor says what a cluster would survive, and which of its settings contradict each
// other or its hosts.
//
// It is pure computation over a specification, over who works at one moment (Topology) and over
// what was measured (Facts); it contacts no host and is safe for concurrent use. There are four
// questions:
//
//   - Timings: how long does each fault last, by the times of the specification?
//   - Losses: what would the loss of each host do now, and what could not be lost after it?
//   - Removal: why must these hosts not be taken away now?
//   - Remarks: which settings do not go together, with the figures of both sides?
//
// Package pgha measures, asks these questions and refuses by their answers.
package advisor
