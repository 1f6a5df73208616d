package provision

import (
	"regexp"
	"slices"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/vip"
)

// addressMoves says what changes of keepalived's file cost by which the address moves, or goes for
// a moment. Balancers that have another router id do not hear the others; measured with keepalived
// 2.3.4: two holders for 0.4 s.
func addressMoves(changes []PlannedChange) []errs.Next {
	var found []errs.Next
	for _, m := range []struct {
		line *regexp.Regexp
		cost errs.Next
	}{
		{regexp.MustCompile(`(?m)^([-+])    virtual_router_id (\d+)$`),
			errs.Text("the virtual IP moves twice, and two balancers hold it for about half a " +
				"second, because of vip.router_id: clients connect again")},
		{regexp.MustCompile(`(?m)^([-+]) +(?:[0-9a-fA-F.:]+)/(\d+) dev `),
			errs.Text("the virtual IP goes and comes again, because of vip.prefix_length: sessions " +
				"through it may end")},
		{regexp.MustCompile(`(?m)^([-+])    interface (\S+)$`),
			errs.Text("the virtual IP moves if the balancer holds it, because of hosts[].interface: " +
				"clients connect again")},
		{regexp.MustCompile(`(?m)^([-+])    script "/\S+check_haproxy\S* (\d+)"$`),
			errs.Text("the virtual IP may move meanwhile, because of balancer.stats_port: clients " +
				"connect again")},
	} {
		if slices.ContainsFunc(changes, func(ch PlannedChange) bool {
			before, after := sides(m.line, ch.Diff)
			return ch.Name == vip.ConfigPath && len(before) > 0 && len(after) > 0 &&
				slices.ContainsFunc(before, func(v string) bool { return !slices.Contains(after, v) })
		}) {
			found = append(found, m.cost)
		}
	}
	return found
}

// sides are the values of lines that a difference takes away, and of those that it brings.
func sides(line *regexp.Regexp, diff string) (before, after []string) {
	for _, m := range line.FindAllStringSubmatch(diff, -1) {
		if m[1] == "-" {
			before = append(before, m[2])
		} else {
			after = append(after, m[2])
		}
	}
	return before, after
}

// endpoint is a line of a balancer's file that says where clients come, in a difference.
type endpoint struct {
	file   *regexp.Regexp
	line   *regexp.Regexp
	notice func(where string) errs.Next
}

func endpoints() []endpoint {
	return []endpoint{
		{exactly(vip.ConfigPath), regexp.MustCompile(`(?m)^([-+]) +([0-9a-fA-F.:]+)/\d+ dev `),
			func(address string) errs.Next {
				return errs.Text("%s is served no more: sessions through it end, and clients need the "+
					"virtual IP that the specification names; with vip.former_address: %[1]s it is "+
					"served beside that one", address)
			}},
		{exactly(lb.ConfigPath), regexp.MustCompile(`(?m)^([-+]) +bind \S+:(\d+) .*tcp-ut `),
			func(port string) errs.Next {
				return errs.Text("port %s is served no more: sessions through it go on for an hour, and "+
					"new ones need the port that the specification names; with "+
					"balancer.former_write_port, or former_read_port, it is served beside that one",
					port)
			}},
		{regexp.MustCompile(`^/etc/pgha-pooler/[a-z]+\.ini$`),
			regexp.MustCompile(`(?m)^([-+])listen_port = (\d+)$`),
			func(port string) errs.Next {
				return errs.Text("port %s is served no more: PgBouncer restarts, waits 10 s for "+
					"transactions, and ends the sessions through it; new ones need the port that the "+
					"specification names", port)
			}},
	}
}

func exactly(path string) *regexp.Regexp {
	return regexp.MustCompile("^" + regexp.QuoteMeta(path) + "$")
}

// servedNoMore says which of the addresses and ports that clients use go, and what that costs.
func servedNoMore(changes []PlannedChange) []errs.Next {
	var found []errs.Next
	for _, e := range endpoints() {
		var told []string
		for _, ch := range changes {
			if !e.file.MatchString(ch.Name) {
				continue
			}
			before, after := sides(e.line, ch.Diff)
			for _, where := range before {
				if !slices.Contains(after, where) && !slices.Contains(told, where) {
					told = append(told, where)
					found = append(found, e.notice(where))
				}
			}
		}
	}
	return found
}
