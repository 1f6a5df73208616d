package hba_test

import (
	"net/netip"
	"testing"

	"github.com/pgha/toolkit/internal/hba"
)

func TestRefuser(t *testing.T) {
	t.Parallel()
	const open, refusesAll = -1, true
	for name, test := range map[string]struct {
		lines   []string
		index   int
		refused bool
	}{
		"no rule":         {nil, -1, true},
		"another network": {[]string{"hostssl all all 10.1.0.0/16 scram-sha-256"}, -1, true},
		"its network":     {[]string{"hostssl all all 10.0.0.0/8 scram-sha-256"}, open, false},
		"everybody":       {[]string{"hostssl all all all cert"}, open, false},
		"with a mask":     {[]string{"host all all 10.2.0.0 255.255.0.0 reject"}, 0, refusesAll},
		"with another mask": {
			[]string{"host all all 10.3.0.0 255.255.0.0 reject", "hostssl all all all cert"},
			open, false,
		},
		"rejected first": {
			[]string{"host all all 0.0.0.0/0 reject", "hostssl all all 0.0.0.0/0 scram-sha-256"}, 0,
			refusesAll,
		},
		"one is let in before": {
			[]string{"hostssl app app 10.2.0.0/16 scram-sha-256", "host all all all reject"},
			open, false,
		},
		"one is rejected before": {
			[]string{"hostssl app app 10.2.0.0/16 reject", "host all all all reject"}, 1,
			refusesAll,
		},
		"without TLS only": {
			[]string{"hostnossl all all all reject", "hostssl all all all cert"}, open, false,
		},
		"on the socket only": {[]string{"local all all peer", "host all all all reject"}, 1,
			refusesAll},
		"IPv6 only": {[]string{"hostssl all all ::/0 scram-sha-256"}, -1, true},
		"for replication only": {
			[]string{"hostssl replication all all scram-sha-256", "host all all all reject"}, 1,
			refusesAll,
		},
		"for the toolkit's own roles only": {
			[]string{"hostssl all postgres,rewind all scram-sha-256", "host all all all reject"}, 1,
			refusesAll,
		},
		"all in quotes is a list with all": {[]string{`host "all",x all all reject`}, 0,
			refusesAll},
		"one database's users are rejected": {
			[]string{"host shop all all reject", "hostssl all all all cert"}, open, false,
		},
		"a name, which is not looked up": {[]string{"hostssl all all app.example.com cert"},
			-1, true},
	} {
		var rules []hba.Rule
		for _, line := range test.lines {
			r, ok := hba.Parse(line)
			if !ok {
				t.Fatalf("%q is no rule", line)
			}
			rules = append(rules, r)
		}
		index, refused := hba.Refuser(rules, netip.MustParseAddr("10.2.0.7"), "postgres", "rewind")
		if index != test.index || refused != test.refused {
			t.Errorf("%s: got %d, %v, want %d, %v", name, index, refused, test.index, test.refused)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"local all all peer map=pgha":                     "local all all peer",
		"host all all 10.0.0.0 255.0.0.0 reject":          "host all all 10.0.0.0 255.0.0.0 reject",
		"hostssl a,b c 10.0.0.0/8 ldap ldapserver=x":      "hostssl a,b c 10.0.0.0/8 ldap",
		"hostssl all all 10.0.0.0/8":                      "",
		"# a comment":                                     "",
		"local all all":                                   "",
		"hostssl all all samenet scram-sha-256 # comment": "",
	} {
		r, ok := hba.Parse(line)
		if ok != (want != "") || ok && r.String() != want {
			t.Errorf("%q: got %q, %v", line, r, ok)
		}
	}
}
