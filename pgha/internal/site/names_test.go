package site

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/internal/testkit"
)

// TestDialAt leads a name to the address that it was found to have, and everything else where it
// wants.
func TestDialAt(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	if dialAt(nil, sp, sp) != nil {
		t.Error("a spec without names is dialled as ever")
	}
	named := *sp
	named.Hosts = slices.Clone(sp.Hosts)
	named.Hosts[1].Address = "pg2.example.com"
	found, err := named.Resolve(t.Context(),
		testkit.NamesOf(map[string]string{"pg2.example.com": sp.Hosts[1].Address}))
	if err != nil {
		t.Fatal(err)
	}
	var to []string
	dial := dialAt(func(_ context.Context, _, address string) (net.Conn, error) {
		to = append(to, address)
		return nil, nil
	}, &named, found)
	for _, address := range []string{"pg2.example.com:2222", "bastion.example.com:22",
		"192.0.2.77:22"} {
		_, _ = dial(t.Context(), "tcp", address)
	}
	if want := []string{
		sp.Hosts[1].Address + ":2222", "bastion.example.com:22", "192.0.2.77:22",
	}; !slices.Equal(to, want) {
		t.Errorf("dialled %v, want %v", to, want)
	}
	if cfg := sshConfig(t.Context(), found, found.Hosts[1], Options{},
		nil); cfg.Address != "pg2.example.com" {
		t.Errorf("known_hosts is asked for %s", cfg.Address)
	}
	if _, err := Connect(t.Context(), &named, Options{
		Lookup: testkit.NamesOf(nil),
	}); err == nil || !strings.Contains(err.Error(),
		`"pg2.example.com" cannot be looked up on this machine`) {
		t.Errorf("a name that nobody knows: %v", err)
	}
}
