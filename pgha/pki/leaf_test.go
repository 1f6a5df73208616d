package pki_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/pki"
)

func TestLeafRoundTrip(t *testing.T) {
	t.Parallel()
	leaf := issue(t, newCA(t), serverRequest())
	combined := leaf.Encode().Reveal()
	tests := map[string][2][]byte{
		"two files": {
			append(leaf.CertPEM[:len(leaf.CertPEM):len(leaf.CertPEM)], leaf.Chain...),
			leaf.KeyPEM.Reveal(),
		},
		"single file": {append(combined[:len(combined):len(combined)], leaf.Chain...), combined},
	}
	for name, test := range tests {
		again, err := pki.ParseLeaf(test[0], test[1])
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(leaf, again); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestParseLeafRefuses(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	one, two := issue(t, ca, serverRequest()), issue(t, ca, serverRequest())
	if _, err := pki.ParseLeaf(one.CertPEM, two.KeyPEM.Reveal()); !errors.Is(err,
		pki.ErrKeyMismatch) {
		t.Errorf("another's key: %v", err)
	}
	if _, err := pki.ParseLeaf(one.KeyPEM.Reveal(), one.KeyPEM.Reveal()); !errors.Is(err,
		pki.ErrInvalidPEM) {
		t.Errorf("no certificate: %v", err)
	}
	if _, err := pki.ParseLeaf(one.CertPEM, one.CertPEM); !errors.Is(err, pki.ErrInvalidPEM) {
		t.Errorf("no key: %v", err)
	}
}

func TestBundle(t *testing.T) {
	t.Parallel()
	first, second := newCA(t), newCA(t)
	a, b := first.CertPEM(), second.CertPEM()
	both, err := pki.Bundle(a, b, a)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(a)+string(b), string(both)); diff != "" {
		t.Error(diff)
	}
	again, err := pki.Bundle(both, b)
	if err != nil || string(again) != string(both) {
		t.Errorf("bundle of a bundle differs, error %v", err)
	}
}

func TestBundleRefuses(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	leaf := issue(t, ca, serverRequest())
	tests := map[string]struct {
		certs [][]byte
		want  error
	}{
		"nothing": {want: pki.ErrInvalidPEM},
		"empty":   {certs: [][]byte{ca.CertPEM(), nil}, want: pki.ErrInvalidPEM},
		"leaf":    {certs: [][]byte{leaf.CertPEM}, want: pki.ErrNotCA},
		"key": {certs: [][]byte{append(ca.CertPEM(), ca.KeyPEM().Reveal()...)},
			want: pki.ErrInvalidPEM},
		"truncated": {certs: [][]byte{append(ca.CertPEM(), ca.CertPEM()[:100]...)},
			want: pki.ErrInvalidPEM},
	}
	for name, test := range tests {
		if _, err := pki.Bundle(test.certs...); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}
}
