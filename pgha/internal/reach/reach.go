// Package reach asks a host which addresses it can open a TCP connection to.
package reach

import (
	_ "embed"
	"strconv"
	"strings"
	"time"
)

//go:embed reach.pl
var script string

// Answers that are not the reason of an error.
const (
	// OK is the answer of what could be reached.
	OK = "ok"
	// NoAnswer is the answer of what said nothing in time, as if a firewall dropped it.
	NoAnswer = "no answer"
	// Refused is the answer of a host on which nobody listens at the port.
	Refused = "Connection refused"
)

// Question is the command that tries all addresses, each a HOST:PORT without names, at the same
// time and for no longer than within. It needs only perl-base and changes nothing.
func Question(within time.Duration, addresses ...string) []string {
	seconds := strconv.FormatFloat(within.Seconds(), 'f', -1, 64)
	return append([]string{"perl", "-e", script, "--", seconds}, addresses...)
}

// Read reads the answers to Question by address. Lines that are no answer are left out.
func Read(out string) map[string]string {
	answers := map[string]string{}
	for line := range strings.Lines(out) {
		if where, said, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			answers[where] = said
		}
	}
	return answers
}
