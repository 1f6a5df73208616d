package spec

import (
	"net/netip"
	"slices"

	"github.com/pgha/toolkit/internal/hba"
)

// hbaMethods are the ways of logging in that show the password to nobody and let nobody in without proof.
var hbaMethods = []string{"scram-sha-256", "cert", "peer", "reject", "gss", "ldap", "radius", "pam",
	"oauth"}

func (c *checker) hba() {
	for i, rule := range c.PostgreSQL.PgHBA {
		c.hbaRule(element("postgresql.pg_hba", i), rule)
	}
}

func (c *checker) hbaRule(field, rule string) {
	problem, remedy := hbaFault(rule)
	if problem == "" {
		problem, remedy = hba.Fault(rule, c.PostgreSQL.Version)
	}
	if problem != "" {
		c.bad(field, problem, remedy)
	}
}

// hbaFault says what is wrong with a line of pg_hba.conf, or "".
func hbaFault(rule string) (problem, remedy string) {
	const form = "write: hostssl <database> <user> <network> scram-sha-256"
	words, ok := hba.Fields(rule)
	if !ok {
		return quoted(redactText(rule)) + " is not one rule", form
	}
	method := 4
	switch words[0] {
	case "local":
		method = 3
	case "host", "hostssl", "hostnossl":
		if len(words) > 5 && isMask(words[4]) {
			method = 5
		}
	default:
		return quoted(words[0]) + " is not a kind of rule",
			didYouMean(words[0], []string{"local", "hostssl"})
	}
	if len(words) <= method {
		return quoted(redactText(rule)) + " has too few words for a rule", form
	}
	switch m := words[method]; {
	case slices.Contains([]string{"md5", "password", "trust"}, m):
		return m + " is refused: it needs no password or gives it away", "write scram-sha-256, cert, peer (local only) or reject"
	case !slices.Contains(hbaMethods, m):
		return quoted(m) + " is not a way to log in", didYouMean(m, hbaMethods)
	case m == "peer" && words[0] != "local":
		return "peer works for local rules only", "write scram-sha-256 or cert"
	case m != "reject" && (words[0] == "host" || words[0] == "hostnossl"):
		return words[0] + " lets sessions in without TLS", "write hostssl"
	}
	return "", ""
}

func isMask(word string) bool {
	_, err := netip.ParseAddr(word)
	return err == nil
}
