package lb_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/pki"
)

func TestTrustReloadsOneBalancerAtATime(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	if err := lb.Configure(t.Context(), f.Options); err != nil {
		t.Fatal(err)
	}
	for _, h := range f.hosts {
		h.Changes()
	}
	next, err := pki.NewCA("next")
	if err != nil {
		t.Fatal(err)
	}
	if f.PatroniCA, err = pki.Bundle(f.PatroniCA, next.CertPEM()); err != nil {
		t.Fatal(err)
	}
	f.MaxConn = 100 // of no matter here
	if err := lb.Trust(t.Context(), f.Options); err != nil {
		t.Fatal(err)
	}
	for _, h := range f.hosts {
		mutations, _ := h.Changes()
		want := []string{"put /etc/haproxy/certs/patroni-ca.crt",
			"systemctl reload haproxy.service"}
		if diff := cmp.Diff(want, mutations); diff != "" {
			t.Errorf("%s (-want +got):\n%s", h, diff)
		}
	}
	if err := lb.Trust(t.Context(), f.Options); err != nil {
		t.Fatal(err)
	}
	for _, h := range f.hosts {
		if mutations, _ := h.Changes(); len(mutations) > 0 {
			t.Errorf("%s: again it changed %q", h, mutations)
		}
	}
	f.PatroniCA = []byte("none")
	if err := lb.Trust(t.Context(), f.Options); !errors.Is(err, lb.ErrInvalid) {
		t.Errorf("no certificate: %v", err)
	}
}

// TestTrustStopsAtTheFirstThatFails leaves the others with what they trust.
func TestTrustStopsAtTheFirstThatFails(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	if err := lb.Configure(t.Context(), f.Options); err != nil {
		t.Fatal(err)
	}
	for _, h := range f.hosts {
		h.Changes()
	}
	next, err := pki.NewCA("next")
	if err != nil {
		t.Fatal(err)
	}
	f.members, f.PatroniCA = string(f.PatroniCA), next.CertPEM()
	if err := lb.Trust(t.Context(), f.Options); !errors.Is(err, lb.ErrNotReady) {
		t.Errorf("got %v", err)
	}
	var touched []string
	for _, h := range f.hosts {
		if mutations, _ := h.Changes(); len(mutations) > 0 {
			touched = append(touched, h.String())
		}
	}
	if want := []string{"lb1"}; !slices.Equal(touched, want) {
		t.Errorf("touched %q, want %q", touched, want)
	}
}
