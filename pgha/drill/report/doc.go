// Package report shows a drill to people: one HTML page to read and the raw data as CSV files to
// compute with.
//
// The page needs nothing but itself. It loads no font, script, style or picture from anywhere, and
// its content security policy forbids it to. It is drawn whole in Go: without JavaScript only the
// readout under the pointer is missing. It follows the reader's light or dark scheme, and prints in
// light colours with whatever was unfolded.
//
// # What is drawn
//
// All times of a timeline are in seconds relative to the fault. A picture begins a little before it
// and ends a little after the last thing worth seeing; where redundancy took much longer than the
// gap, it ends earlier and says so. Writes and reads are counted per 100 ms, in longer pictures per
// 200 ms or more, which the page says as well.
//
// A member's role is drawn from the question of the first answer that had it until the question of
// the first that had another: the change itself lies within one interval of asking before the edge.
// Times with two writable members are taken from the outcome, which bounds them more carefully.
//
// Of many runs only some are drawn, so that the page stays small: see MaxTimelines. Every run is in
// the tables and in the CSV files.
//
// # What becomes of hostile data
//
// Every name and text of the result is escaped by html/template. The page's policy names the
// digests of its one style and its one script, so that nothing else would run even if something
// slipped through.
package report
