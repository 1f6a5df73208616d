// Package preflight finds out what lies where a cluster is to be, before anything is changed: who
// listens on its ports, what is in its data directories, which file systems are full, which
// addresses, routes, locales and time zones a host has, whether the sources of packages can be
// reached, and what of it belongs to somebody else.
//
// A host answers all of it in one script (Question, Read). Judge turns the answers of one host into
// findings, each with a remedy that works; JudgeNetwork judges what only the answers of all hosts
// tell. Both are pure functions. The package changes nothing and contacts nobody; the facade asks.
package preflight
