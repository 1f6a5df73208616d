package site

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/spec"
)

func TestClients(t *testing.T) {
	t.Parallel()
	four := []spec.Host{{Name: "lb1", Address: "10.0.0.1"}, {Name: "db1", Address: "10.0.0.2"}}
	six := []spec.Host{{Name: "lb1", Address: "fd00::1"}}
	own := []string{"10.0.0.1/32", "10.0.0.2/32", "10.0.0.100/32", "127.0.0.0/8"}
	for name, test := range map[string]struct {
		hosts    []spec.Host
		networks []string
		want     []string
	}{
		"everybody":               {four, []string{"0.0.0.0/0"}, nil},
		"everybody, after others": {four, []string{"10.1.0.0/16", "0.0.0.0/0"}, nil},
		"nothing said":            {four, nil, nil},
		"without the balancers": {four, []string{"10.1.0.0/16"},
			append([]string{"10.1.0.0/16"}, own...)},
		"one address": {four, []string{"10.1.2.3/32"},
			append([]string{"10.1.2.3/32"}, own...)},
		"IPv6 networks on an IPv4 lot": {four, []string{"fd00::/8"},
			append([]string{"fd00::/8"}, own...)},
		"IPv6, everybody": {six, []string{"0.0.0.0/0", "::/0"}, nil},
		"IPv6, but only IPv4's everyone": {
			six, []string{"0.0.0.0/0"}, []string{"0.0.0.0/0", "fd00::1/128", "10.0.0.100/32",
				"127.0.0.0/8", "::1/128"},
		},
	} {
		sp := &spec.Spec{Hosts: test.hosts, VIP: &spec.VIP{Address: "10.0.0.100"}}
		sp.PostgreSQL.ClientNetworks = test.networks
		if diff := cmp.Diff(test.want, Clients(sp)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}
