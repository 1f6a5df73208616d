package spec_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/pgha/toolkit/pgha/spec"
)

// book answers look-ups in place of DNS, and counts them.
type book struct {
	mu    sync.Mutex
	asked map[string]int
	has   map[string]string // addresses with spaces between
}

func (b *book) lookup(_ context.Context, name string) ([]netip.Addr, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asked == nil {
		b.asked = map[string]int{}
	}
	b.asked[name]++
	text, ok := b.has[name]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	var all []netip.Addr
	for a := range strings.FieldsSeq(text) {
		all = append(all, netip.MustParseAddr(a))
	}
	return all, nil
}

func TestNamesAsAddresses(t *testing.T) {
	t.Parallel()
	const second, database, vip = "10.0.0.2", "db.example.com", "10.0.0.9"
	for name, c := range map[string]struct {
		first, second, database, vip string
		has                          string // what db.example.com has
		want                         string // the address, or the error
	}{
		"one address": {"10.0.0.1", second, database, vip, "10.0.0.3",
			"10.0.0.3"},
		"the other family does not matter": {"10.0.0.1", second, database, vip, "fd00::3 10.0.0.3",
			"10.0.0.3"},
		"IPv6, by the others": {
			"fd00::1", "fd00::2", database, "fd00::9", "10.0.0.3 fd00::3", "fd00::3",
		},
		"twice the same": {
			"10.0.0.1", second, database, vip, "10.0.0.3 ::ffff:10.0.0.3", "10.0.0.3",
		},
		"two of the family": {
			"10.0.0.1", second, database, vip, "10.0.0.4 10.0.0.3",
			`hosts[2].address: "db.example.com" has 2 addresses, 10.0.0.3, 10.0.0.4; write the one`,
		},
		"none of the family": {
			"10.0.0.1", second, database, vip, "fd00::3",
			`"db.example.com" has no IPv4 address, as the others have, but fd00::3`,
		},
		"no address": {
			"10.0.0.1", second, database, vip, "", `"db.example.com" has no address`,
		},
		"this machine itself": {
			"10.0.0.1", second, database, vip, "127.0.1.1",
			`"127.0.1.1" is a loopback address: every host's own, and what db.example.com resolves to`,
		},
		"the address of another host": {
			"10.0.0.1", second, database, vip, "10.0.0.2",
			"hosts[2].address: 10.0.0.2 is the address of hosts[1] on line 4, too, and what " +
				"db.example.com resolves to",
		},
		"the virtual IP": {
			"10.0.0.1", second, database, vip, "10.0.0.9",
			"vip.address: 10.0.0.9 is the address of hosts[2]",
		},
		"two hosts, one name": {
			"10.0.0.1", database, database, vip, "10.0.0.3",
			"hosts[2].address: 10.0.0.3 is the address of hosts[1] on line 4, too",
		},
		"a balancer outside the VIP's subnet": {
			"10.0.0.1", database, "10.0.0.3", vip, "10.1.0.3",
			"vip.address: 10.0.0.9 is outside the subnet of balancer lb-2",
		},
		"a name that nobody knows": {
			"10.0.0.1", second, "db2.example.com", vip, "",
			`hosts[2].address: "db2.example.com" cannot be looked up on this machine: no such host; write the host's IP address`,
		},
	} {
		sp, err := spec.Parse("pgha.yaml", addressed(c.first, c.second, c.database, c.vip))
		if err != nil {
			t.Errorf("%s: parsed: %v", name, err)
			continue
		}
		b := &book{has: map[string]string{"db.example.com": c.has}}
		r, err := sp.Resolve(t.Context(), b.lookup)
		switch {
		case err != nil:
			if !strings.Contains(err.Error(), c.want) ||
				errors.Is(err, spec.ErrInvalid) == errors.Is(err, spec.ErrLookup) {
				t.Errorf("%s: %v\nwant %s", name, err, c.want)
			}
		case r.Hosts[2].Address != c.want || r.Hosts[2].SSH.Address != database ||
			r.Hosts[2].DNSNames[0] != database:
			t.Errorf("%s: %+v, want %s", name, r.Hosts[2], c.want)
		case sp.Hosts[2].Address != database || len(sp.Hosts[2].DNSNames) > 0:
			t.Errorf("%s: the spec itself was changed: %+v", name, sp.Hosts[2])
		}
		if n := b.asked["db.example.com"]; n > 1 {
			t.Errorf("%s: asked %d times", name, n)
		}
	}
}

// TestNamesOnly: without any IP address the names have to leave no choice.
func TestNamesOnly(t *testing.T) {
	t.Parallel()
	sp := parse(t, "pgha.yaml",
		"version: 1\nhosts: [{name: db.example.com, address: db.example.com, role: database, "+
			"ssh: {address: out.example.com}}]\n")
	for has, want := range map[string]string{
		"10.0.0.3": "", "fd00::3": "", "10.0.0.3 fd00::3": "has 2 addresses, 10.0.0.3, fd00::3",
	} {
		r, err := sp.Resolve(t.Context(),
			(&book{has: map[string]string{"db.example.com": has}}).lookup)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", has, err)
		}
		if err == nil && (r.Hosts[0].Address != has ||
			r.Hosts[0].SSH.Address != "out.example.com" ||
			len(r.Hosts[0].DNSNames) > 0) {
			t.Errorf("%s: %+v", has, r.Hosts[0])
		}
	}
}

// TestNoNamesNoLookup: IP addresses ask nobody, and the spec stays the same one.
func TestNoNamesNoLookup(t *testing.T) {
	t.Parallel()
	sp := parse(t, "pgha.yaml", minimal)
	r, err := sp.Resolve(t.Context(), func(context.Context, string) ([]netip.Addr, error) {
		panic("asked")
	})
	if err != nil || r != sp {
		t.Error(r, err)
	}
}

// TestWhatIsNoName is refused without being looked up.
func TestWhatIsNoName(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"localhost", "db_1", "10.0.0", "db.01", "db..example.com", "db.example.com.", "-db",
		"*.example.com", "db.example.com:22", "root@db", "http://db", "10.0.0.300",
		"010.0.0.1", "dbñ",
	} {
		if _, err := spec.Parse("pgha.yaml", addressed("10.0.0.1", "10.0.0.2", text,
			"10.0.0.9")); err == nil ||
			!strings.Contains(err.Error(), "is not an IP address; write ") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := spec.Parse("pgha.yaml", addressed("10.0.0.1", "10.0.0.2", "10.0.0.3",
		"db.example.com")); err == nil || !strings.Contains(err.Error(), "vip.address: ") {
		t.Errorf("a virtual IP by name: %v", err)
	}
}

// TestNamesOfUnknownAddress keeps a name that could not be looked up, beside the addresses of the
// others, and says of which host it is and where it stands.
func TestNamesOfUnknownAddress(t *testing.T) {
	t.Parallel()
	sp, err := spec.Parse("pgha.yaml", addressed("10.0.0.1", "down.example.com", "db.example.com",
		"10.0.0.9"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := sp.Resolve(t.Context(),
		(&book{has: map[string]string{"db.example.com": "10.0.0.3"}}).lookup)
	var lost *spec.LookupError
	if !errors.As(err, &lost) || lost.Host != sp.Hosts[1].Name || errors.Is(err, spec.ErrInvalid) ||
		!errors.Is(err, spec.ErrLookup) {
		t.Fatalf("%#v", err)
	}
	if want := sp.At("hosts[1].address") +
		": hosts[1].address: \"down.example.com\" cannot be looked up"; !strings.HasPrefix(
		err.Error(), want) {
		t.Errorf("%s\nwant %s", err, want)
	}
	if names := r.Names(); len(names) != 1 || names[0].Name != lost.Host ||
		r.Hosts[2].Address != "10.0.0.3" {
		t.Errorf("%+v", r.Hosts)
	}
}

// TestNamesOfIPv6 derives again who may log in by default.
func TestNamesOfIPv6(t *testing.T) {
	t.Parallel()
	const one = "version: 1\nhosts: [{name: db, address: db.example.com, role: database}]\n"
	for text, want := range map[string]string{
		one: "0.0.0.0/0 ::/0",
		one + "postgresql: {client_networks: [0.0.0.0/0]}\n": "0.0.0.0/0",
	} {
		r, err := parse(t, "pgha.yaml", text).Resolve(t.Context(), (&book{
			has: map[string]string{"db.example.com": "fd00::3"},
		}).lookup)
		if err != nil || strings.Join(r.PostgreSQL.ClientNetworks, " ") != want {
			t.Errorf("%s: %v, %v", text, r, err)
		}
	}
}
