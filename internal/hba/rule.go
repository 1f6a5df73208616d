package hba

import (
	"net/netip"
	"slices"
	"strings"
)

// Rule is one line of pg_hba.conf, its names separated by commas.
type Rule struct {
	// Line is where it stands in the file, counted from 1; 0 when it stands in none.
	Line int `json:"line,omitempty"`
	// Type is local, host, hostssl, hostnossl, hostgssenc or hostnogssenc.
	Type string `json:"type"`
	// Databases and Users are names separated by commas, or words such as all.
	Databases string `json:"databases"`
	Users     string `json:"users"`
	// Address is an address, a network, a name or a word such as all; Mask is "" or the mask of an
	// address.
	Address string `json:"address"`
	Mask    string `json:"mask"`
	// Method is the way to log in, or reject.
	Method string `json:"method"`
}

// String renders the rule as a line, without options.
func (r Rule) String() string {
	return strings.Join(slices.DeleteFunc([]string{r.Type, r.Databases, r.Users, r.Address, r.Mask,
		r.Method},
		func(s string) bool { return s == "" }), " ")
}

// Parse reads a line. ok is false for what is not one rule.
func Parse(line string) (r Rule, ok bool) {
	f, ok := Fields(line)
	if !ok || len(f) < 4 {
		return Rule{}, false
	}
	r = Rule{Type: f[0], Databases: f[1], Users: f[2]}
	if f = f[3:]; r.Type != "local" {
		r.Address, f = f[0], f[1:]
		if len(f) > 1 && isAddress(f[0]) {
			r.Mask, f = f[0], f[1:]
		}
	}
	if len(f) == 0 {
		return Rule{}, false
	}
	r.Method = f[0]
	return r, true
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// covers reports whether the rule is about sessions with TLS from an address. Names of hosts are
// not looked up.
func (r Rule) covers(from netip.Addr) bool {
	if r.Type != "host" && r.Type != "hostssl" && r.Type != "hostnogssenc" {
		return false
	}
	if r.Address == "all" {
		return true
	}
	if network, err := netip.ParsePrefix(r.Address); err == nil {
		return network.Contains(from)
	}
	address, err := netip.ParseAddr(r.Address)
	if err != nil || address.BitLen() != from.BitLen() {
		return false
	}
	mask, err := netip.ParseAddr(r.Mask)
	if err != nil || mask.BitLen() != from.BitLen() {
		return false
	}
	a, b, m := address.AsSlice(), from.AsSlice(), mask.AsSlice()
	for i := range m {
		if a[i]&m[i] != b[i]&m[i] {
			return false
		}
	}
	return true
}

// Refuser finds what keeps everybody from logging in with TLS from an address, to whatever
// database, those roles aside that own names: PostgreSQL goes by the first rule that fits. refused
// is false when somebody can; otherwise index is the rule that sends all away, or -1 where none
// lets anybody in.
func Refuser(rules []Rule, from netip.Addr, own ...string) (index int, refused bool) {
	for i, r := range rules {
		switch {
		case !r.covers(from) || names(r.Databases, "replication") || names(r.Users, own...):
		case r.Method != "reject":
			return -1, false
		case has(r.Databases, "all") && has(r.Users, "all"):
			return i, true
		}
	}
	return -1, true
}

// names reports whether a list names nothing else than these.
func names(list string, these ...string) bool {
	return !slices.ContainsFunc(strings.Split(list, ","),
		func(name string) bool { return !slices.Contains(these, name) })
}

func has(list, name string) bool { return slices.Contains(strings.Split(list, ","), name) }
