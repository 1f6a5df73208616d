// Package accept turns drift into a specification: it offers the changes on hosts and in the DCS
// that the specification could say, edits the file, and plans again to show what is left.
package accept
