package provision

import (
	"regexp"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/vip"
)

// addressMoves says what a changed router id of VRRP's costs: balancers that have the new one do
// not hear the others. Measured with keepalived 2.3.4: two holders for 0.4 s.
func addressMoves(changes []PlannedChange) []errs.Next {
	for _, ch := range changes {
		if strings.Contains(ch.Diff, "\n+    virtual_router_id ") && strings.Contains(ch.Diff,
			"\n-    virtual_router_id ") {
			return []errs.Next{errs.Text("the virtual IP moves twice, and two balancers hold " +
				"it for about half a second, because of vip.router_id: clients connect again")}
		}
	}
	return nil
}

// endpoint is a line of a balancer's file that says where clients come, in a difference.
type endpoint struct {
	file   string
	line   *regexp.Regexp
	notice func(where string) errs.Next
}

func endpoints() []endpoint {
	return []endpoint{
		{vip.ConfigPath, regexp.MustCompile(`(?m)^([-+]) +([0-9a-fA-F.:]+)/\d+ dev `),
			func(address string) errs.Next {
				return errs.Text("%s is served no more: sessions through it end, and clients need the "+
					"virtual IP that the specification names; with vip.former_address: %[1]s it is "+
					"served beside that one", address)
			}},
		{lb.ConfigPath, regexp.MustCompile(`(?m)^([-+]) +bind \S+:(\d+) .*tcp-ut `),
			func(port string) errs.Next {
				return errs.Text("port %s is served no more: sessions through it go on for an hour, and "+
					"new ones need the port that the specification names; with "+
					"balancer.former_write_port, or former_read_port, it is served beside that one",
					port)
			}},
	}
}

// servedNoMore says which of the addresses and ports that clients use go, and what that costs.
func servedNoMore(changes []PlannedChange) []errs.Next {
	var found []errs.Next
	for _, e := range endpoints() {
		var told []string
		for _, ch := range changes {
			if ch.Name != e.file {
				continue
			}
			signs := map[string]string{}
			var order []string
			for _, m := range e.line.FindAllStringSubmatch(ch.Diff, -1) {
				signs[m[2]] += m[1]
				order = append(order, m[2])
			}
			for _, where := range order {
				if !strings.Contains(signs[where], "+") && !slices.Contains(told, where) {
					told = append(told, where)
					found = append(found, e.notice(where))
				}
			}
		}
	}
	return found
}
