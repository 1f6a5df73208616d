package testkit

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/spec"
)

// NamesOf answers look-ups with these addresses, in place of DNS.
func NamesOf(at map[string]string) func(context.Context, string) ([]netip.Addr, error) {
	return func(_ context.Context, name string) ([]netip.Addr, error) {
		if at[name] == "" {
			return nil, errors.New("no such host")
		}
		return []netip.Addr{netip.MustParseAddr(at[name])}, nil
	}
}

// CheckSays fails the test unless the error contains says; "" wants no error.
func CheckSays(t *testing.T, err error, says string) {
	t.Helper()
	if says == "" && err != nil || says != "" && (err == nil ||
		!strings.Contains(err.Error(), says)) {
		t.Errorf("got %v, want %q", err, says)
	}
}

// Spec returns a valid specification whose state directory is temporary. more are lines of YAML
// that it has besides: further hosts, then other fields.
func Spec(t *testing.T, more ...string) *spec.Spec {
	t.Helper()
	sp, err := spec.Parse("test.yaml", []byte(`
version: 1
cluster: demo
state_dir: `+t.TempDir()+`/state
vip: {address: 192.0.2.100}
hosts:
  - {name: lb1, address: 192.0.2.1, role: balancer}
  - {name: lb2, address: 192.0.2.2, role: balancer}
  - {name: pg1, address: 192.0.2.11, role: database, member: m1}
  - {name: pg2, address: 192.0.2.12, role: database, member: m2}
  - {name: pg3, address: 192.0.2.13, role: database, member: m3}
`+strings.Join(more, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return sp
}
