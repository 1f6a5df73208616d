package hba

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFields(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string][]string{
		"hostssl all all 10.0.0.0/8 scram-sha-256": {
			"hostssl", "all", "all", "10.0.0.0/8", "scram-sha-256",
		},
		" local\tall  all peer ":                 {"local", "all", "all", "peer"},
		`hostssl "my db",app "all" ::/0 "trust"`: {"hostssl", "my db,app", "all", "::/0", "trust"},
		`hostssl all all 0.0.0.0/0 ldap ldapbasedn="dc=a, dc=#b"`: {
			"hostssl", "all", "all", "0.0.0.0/0", "ldap", "ldapbasedn=dc=a, dc=#b",
		},
		`hostssl all /^a\d+$ 10.0.0.0/8 cert`: {"hostssl", "all", `/^a\d+$`, "10.0.0.0/8", "cert"},
		"":                                    nil,
		"# a comment":                         nil,
		"local all all peer # why":            nil,
		"local all all peer\nlocal all all trust":  nil,
		`local all all peer \`:                     nil,
		`local "all all peer`:                      nil,
		`local "a""b" all peer`:                    nil,
		`local all all "tr"ust`:                    nil,
		"local a, b all peer":                      nil,
		"local all all\u00a0peer x\fy":             nil,
		"hostssl all all 10.0.0.0/8 \"cert\"\"\"x": nil,
	} {
		got, ok := Fields(rule)
		if diff := cmp.Diff(want, got); diff != "" || ok != (want != nil) {
			t.Errorf("%q: ok %v (-want +got):\n%s", rule, ok, diff)
		}
	}
}
