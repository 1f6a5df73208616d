package pgha

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// namesOf answers look-ups with these addresses, in place of DNS.
func namesOf(at map[string]string) func(context.Context, string) ([]netip.Addr, error) {
	return func(_ context.Context, name string) ([]netip.Addr, error) {
		if at[name] == "" {
			return nil, errors.New("no such host")
		}
		return []netip.Addr{netip.MustParseAddr(at[name])}, nil
	}
}

// TestNameThatMoves: what a name resolves to is the address that the hosts have, and another one is a host that moved.
func TestNameThatMoves(t *testing.T) {
	t.Parallel()
	parsed := func(changes ...string) *Spec {
		sp, err := parseTree(t, mergedTexts(t, append([]string{pairBase}, changes...)...))
		if err != nil {
			t.Fatal(err)
		}
		return sp
	}
	running := parsed()
	named := parsed("hosts: {pg2: {address: pg2.example.com}, lb1: {address: lb1.example.com}}")
	for name, c := range map[string]struct {
		pg2, lb1, refused string
	}{
		"where they are":       {"10.0.0.12", "10.0.0.21", ""},
		"a database elsewhere": {"10.0.0.99", "10.0.0.21", "10.0.0.99"},
	} {
		sp, err := named.Resolve(t.Context(), namesOf(map[string]string{"pg2.example.com": c.pg2, "lb1.example.com": c.lb1}))
		if err != nil {
			t.Fatal(err)
		}
		stops := stopping(verdict(t, sp, seenAs(running)))
		if refused := slices.ContainsFunc(stops, func(f Finding) bool { return strings.Contains(f.Problem, c.refused) }); refused != (c.refused != "") {
			t.Errorf("%s: %+v", name, stops)
		}
	}
}

// TestDialAt leads a name to the address that it was found to have, and everything else where it wants.
func TestDialAt(t *testing.T) {
	t.Parallel()
	sp := testSpec(t)
	if dialAt(nil, sp, sp) != nil {
		t.Error("a spec without names is dialled as ever")
	}
	named := *sp
	named.Hosts = slices.Clone(sp.Hosts)
	named.Hosts[1].Address = "pg2.example.com"
	found, err := named.Resolve(t.Context(), namesOf(map[string]string{"pg2.example.com": sp.Hosts[1].Address}))
	if err != nil {
		t.Fatal(err)
	}
	var to []string
	dial := dialAt(func(_ context.Context, _, address string) (net.Conn, error) {
		to = append(to, address)
		return nil, nil
	}, &named, found)
	for _, address := range []string{"pg2.example.com:2222", "bastion.example.com:22", "192.0.2.77:22"} {
		_, _ = dial(t.Context(), "tcp", address)
	}
	if want := []string{sp.Hosts[1].Address + ":2222", "bastion.example.com:22", "192.0.2.77:22"}; !slices.Equal(to, want) {
		t.Errorf("dialled %v, want %v", to, want)
	}
	if cfg := sshConfig(t.Context(), found, found.Hosts[1], ConnectOptions{}); cfg.Address != "pg2.example.com" {
		t.Errorf("known_hosts is asked for %s", cfg.Address)
	}
	if _, err := Connect(t.Context(), &named, ConnectOptions{Lookup: namesOf(nil)}); err == nil || !strings.Contains(err.Error(), `"pg2.example.com" cannot be looked up on this machine`) {
		t.Errorf("a name that nobody knows: %v", err)
	}
}
