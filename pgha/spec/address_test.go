package spec_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/spec"
)

// addressed is a specification with these addresses: two balancers, a database, the virtual IP.
func addressed(first, second, database, vip string) []byte {
	return fmt.Appendf(nil, `version: 1
hosts:
  - {name: lb-1, address: %q, role: balancer}
  - {name: lb-2, address: %q, role: balancer}
  - {name: db-1, address: %q, role: database}
vip: {address: %q}
`, first, second, database, vip)
}

func TestAddressesAccepted(t *testing.T) {
	t.Parallel()
	for name, addresses := range map[string][4]string{
		"IPv4":         {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.9"},
		"unique local": {"fd00::1", "fd00::2", "fd00::3", "fd00::9"},
		"global": {"2001:db8::1", "2001:db8::2", "2001:db8:1::3",
			"2001:db8::9"},
		"other spellings": {"FD00:0:0::1", "fd00:0000::0002", "fd00:0:0:0:0:0:0:3",
			"fd00::0.0.0.9"},
		"subnet's first, no broadcast": {"fd00::1", "fd00::2", "fd00::3",
			"fd00::ffff:ffff:ffff:ffff"},
		"database in a subnet of its own": {"fd00::1", "fd00::2", "fd00:1::3", "fd00::9"},
		"dotted end, which is still IPv6": {"fd00::10.0.0.1", "fd00::10.0.0.2", "fd00::10.0.0.3",
			"fd00::10.0.0.9"},
		"translated network (RFC 6052)": {"64:ff9b::a00:1", "64:ff9b::a00:2", "64:ff9b::a00:3",
			"64:ff9b::a00:9"},
		"balancers beside the virtual IP":  {"fd00::8", "fd00::a", "fd00::3", "fd00::9"},
		"private network of the old style": {"172.16.0.1", "172.16.0.2", "10.0.0.3", "172.16.0.9"},
	} {
		s, err := spec.Parse("pgha.yaml", addressed(addresses[0], addresses[1], addresses[2],
			addresses[3]))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name == "other spellings" && (s.Hosts[0].Address != "fd00::1" ||
			s.Hosts[1].Address != "fd00::2" ||
			s.Hosts[2].Address != "fd00::3" || s.VIP.Address != "fd00::9") {
			t.Errorf("%s: %v, virtual IP %s", name, s.Hosts, s.VIP.Address)
		}
	}
}

func TestAddressesRefused(t *testing.T) {
	t.Parallel()
	const a, b, db, vip = "fd00::1", "fd00::2", "fd00::3", "fd00::9"
	for name, c := range map[string]struct {
		first, second, database, vip string
		want                         string
	}{
		"one address spelled twice": {
			a, "FD00:0::1", db, vip, "hosts[1].address: fd00::1 is the address of hosts[0]",
		},
		"virtual IP spelled otherwise": {
			a, b, db, "fd00:0:0:0::0001", "vip.address: fd00::1 is the address of hosts[0]",
		},
		"mixed hosts": {
			a, b, "10.0.0.3", vip,
			"hosts[2].address: 10.0.0.3 is IPv4 where fd00::1 is IPv6; use addresses of one family",
		},
		"mixed hosts the other way": {
			"10.0.0.1", "10.0.0.2", db, "10.0.0.9",
			"hosts[2].address: fd00::3 is IPv6 where 10.0.0.1 is IPv4",
		},
		"virtual IP of the other one": {a, b, db, "10.0.0.9", "vip.address: 10.0.0.9 is IPv4"},
		"link-local": {"fe80::1", b, db, vip,
			`hosts[0].address: "fe80::1" is a link-local address`},
		"link-local with a zone": {
			"fe80::1%eth0", b, db, vip, `hosts[0].address: "fe80::1%eth0" is a link-local address`,
		},
		"unique local with a zone": {
			"fd00::1%eth0", b, db, vip, `hosts[0].address: "fd00::1%eth0" is a link-local address`,
		},
		"link-local virtual IP": {a, b, db, "fe80::9",
			`vip.address: "fe80::9" is a link-local address`},
		"multicast": {
			"ff02::12", b, db, vip, `hosts[0].address: "ff02::12" is a multicast address`,
		},
		"multicast virtual IP": {a, b, db, "ff05::9",
			`vip.address: "ff05::9" is a multicast address`},
		"IPv4 in IPv6 dress": {
			"::ffff:10.0.0.1", b, db, vip,
			`hosts[0].address: "::ffff:10.0.0.1" is an IPv4 address in IPv6 dress; write 10.0.0.1`,
		},
		"the same in hexadecimal": {"::ffff:a00:1", b, db, vip, "write 10.0.0.1"},
		"virtual IP in IPv6 dress": {"10.0.0.1", "10.0.0.2", "10.0.0.3", "::ffff:10.0.0.9",
			"vip.address: "},
		"loopback": {"::1", b, db, vip,
			`hosts[0].address: "::1" is a loopback address`},
		"unspecified": {a, b, "::", vip,
			`hosts[2].address: "::" stands for no address at all`},
		"prefix length": {a, b, "fd00::3/64", vip,
			"write fd00::3 without the prefix length"},
		"in brackets":             {"[fd00::1]", b, db, vip, "hosts[0].address: "},
		"in brackets with a port": {"[fd00::1]:22", b, db, vip, "hosts[0].address: "},
		"too many groups":         {"fd00:1:2:3:4:5:6:7:8", b, db, vip, "hosts[0].address: "},
		"two gaps":                {"fd00::1::2", b, db, vip, "hosts[0].address: "},
		"five digits":             {"fd00::12345", b, db, vip, "hosts[0].address: "},
		"virtual IP of another network": {
			a, b, db, "fd01::9", "vip.address: fd01::9 is outside the subnet of balancer lb-1",
		},
		"virtual IP of the neighbour": {
			a, b, db, "fd00:0:0:1::9", "vip.address: fd00:0:0:1::9 is outside the subnet",
		},
	} {
		_, err := spec.Parse("pgha.yaml", addressed(c.first, c.second, c.database, c.vip))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: want %q\ngot %v", name, c.want, err)
		}
	}
}

// TestNetworksHaveOneSpelling wants networks of clients as hosts print them: another spelling of
// the same network changes no host.
func TestNetworksHaveOneSpelling(t *testing.T) {
	t.Parallel()
	text := string(addressed("fd00::1", "fd00::2", "fd00::3", "fd00::9")) + `
monitoring: {networks: ['FD00:0::/64']}
roles: [{name: app}]
databases: [{name: app, owner: app}]
access: [{role: app, database: app, networks: ['FD00:0:0::7/128', 10.0.0.0/8]}]
postgresql: {client_networks: ['FD00:0000::/32'], superuser_networks: ['FD00::0:5/128']}
`
	s, err := spec.Parse("pgha.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	got := [][]string{s.Monitoring.Networks, s.Access[0].Networks, s.PostgreSQL.ClientNetworks,
		s.PostgreSQL.SuperuserNetworks}
	want := [][]string{{"fd00::/64"}, {"fd00::7/128", "10.0.0.0/8"}, {"fd00::/32"}, {"fd00::5/128"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
