// Package spec reads and checks the description of a cluster: its hosts and what runs on them.
//
// A spec is a YAML file. Parse is strict: it reports everything that is wrong at once, each problem
// with its line, column and field and with what to write instead, before any host is contacted.
// What a file leaves out is filled in with the defaults that stand at each field below. A program
// that has no file starts from New, fills in the hosts and calls Complete.
//
// The package only reads; it changes nothing and reaches no host. A Spec may be read by several
// goroutines at once, but not changed meanwhile. It holds the paths of secret files, never their
// contents.
package spec
