// Package errs says three things about an error that its text alone cannot: what kind of failure it
// is ([KindOf]), what to do next ([NextOf]), and which failures it is made of ([Split]).
//
// A kind answers what a program decides on: try again later, ask somebody, or give up. A package's
// sentinel carries its kind, see [New], and so does everything that wraps it.
//
// What to do next is data, see [Next]: a text that refers to verbs of this library as values. A
// command line renders them as its own commands, a web page as links, and no package below them
// needs to know how.
//
// All functions take a nil error, and are safe for concurrent use. The package imports nothing of
// this module.
package errs
