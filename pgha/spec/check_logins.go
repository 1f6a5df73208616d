package spec

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/hba"
)

// hbaMethods are the ways of logging in that show the password to nobody and let nobody in without
// proof.
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
		return m + " is refused: it needs no password or gives it away",
			"write scram-sha-256, cert, peer (local only) or reject"
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

// candidates checks that the cluster can have a leader at all.
func (c hostChecker) candidates() {
	first, may := -1, 0
	for i, h := range c.Hosts {
		if !h.Has(RoleDatabase) {
			continue
		}
		if first < 0 {
			first = i
		}
		if leads(h) {
			may++
		} else if i == first {
			c.bad(element("hosts", i)+".tags",
				"the first database host starts the cluster as its leader, but its tags keep it "+
					"from leading",
				"list another database host first")
		}
	}
	if databases := len(c.Databases()); databases > 1 && may == 1 {
		c.bad("hosts", fmt.Sprintf("only one of %d database hosts may lead: there is nobody to "+
			"fail over to",
			databases), "take the tag nofailover from another one")
	}
}

// noStream checks a member that gets its WAL from the archive alone: it follows nobody without a
// command that fetches it.
func (c hostChecker) noStream(field string, h Host) {
	if !c.restores() {
		c.bad(join(field, "nostream"),
			"takes WAL from the archive alone, and there is no restore_command: the member would "+
				"stand still for ever",
			"set postgresql.parameters.restore_command, or delete the tag")
	}
	if h.Tags["replicatefrom"] != nil {
		c.bad(join(field, "replicatefrom"), "has no effect beside nostream: true, which connects "+
			"to nobody",
			"keep one of the two")
	}
}

// restores tells whether a restore_command is given, for the whole cluster or in Patroni's own
// file.
func (c hostChecker) restores() bool {
	const name = "restore_command"
	given := func(settings map[string]any) bool {
		for key, value := range settings {
			if strings.EqualFold(key, name) && value != nil &&
				strings.TrimSpace(fmt.Sprint(value)) != "" {
				return true
			}
		}
		return false
	}
	extra, _ := c.Patroni.Extra["postgresql"].(map[string]any)
	parameters, _ := extra["parameters"].(map[string]any)
	recovery, _ := extra["recovery_conf"].(map[string]any)
	return given(c.PostgreSQL.Parameters) || given(parameters) || given(recovery)
}

// upstreams refuses members that would stream from each other in a circle: no row of the leader's
// ever gets into it.
func (c hostChecker) upstreams() {
	from := map[string]string{}
	for _, h := range c.Databases() {
		if source := h.Tags["replicatefrom"]; source != nil && h.Tags["nostream"] != true {
			from[h.Member] = fmt.Sprint(source)
		}
	}
	told := map[string]bool{}
	for i, h := range c.Hosts {
		if !h.Has(RoleDatabase) || told[h.Member] {
			continue
		}
		circle := []string{h.Member}
		for next := from[h.Member]; next != "" && !slices.Contains(circle,
			next); next = from[next] {
			circle = append(circle, next)
		}
		if len(circle) < 2 || from[circle[len(circle)-1]] != h.Member {
			continue
		}
		for _, member := range circle {
			told[member] = true
		}
		c.bad(join(element("hosts", i)+".tags", "replicatefrom"),
			"members would stream from each other in a circle, "+
				strings.Join(append(circle, h.Member),
					" from ")+": while another one leads, none of them gets a row",
			"delete it here, and the member streams from the leader")
	}
}

// synchronousTags refuses tags that leave a leader without any replica that a commit may wait for.
func (c hostChecker) synchronousTags() {
	mode, databases := c.Patroni.SynchronousMode, c.Databases()
	if mode == SynchronousOff || len(databases) < 2 {
		return
	}
	for _, leader := range databases {
		if !leads(leader) || slices.ContainsFunc(databases,
			func(h Host) bool { return h.Member != leader.Member && mayBeSynchronous(h) }) {
			continue
		}
		effect := "no commit waits for any replica, as if it were off"
		if mode == SynchronousStrict {
			effect = "every write stops"
		}
		c.bad("patroni.synchronous_mode",
			fmt.Sprintf(
				"the other members' tags (nosync, nostream, sync_priority: 0) keep them from "+
					"being synchronous: while %s leads, %s", leader.Member, effect),
			"take the tag from one of them, or write off")
		return
	}
}

// leads tells whether a member's tags let it lead.
func leads(h Host) bool {
	return h.Tags["nofailover"] != true && h.Tags["failover_priority"] != 0
}

// mayBeSynchronous tells whether a member's tags let commits wait for it.
func mayBeSynchronous(h Host) bool {
	return h.Tags["nosync"] != true && h.Tags["nostream"] != true && h.Tags["sync_priority"] != 0
}
