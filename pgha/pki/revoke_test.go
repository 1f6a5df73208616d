package pki_test

import (
	"crypto/x509"
	"testing"

	"github.com/pgha/toolkit/pgha/pki"
)

// TestRevoke: a list grows, says who is on it, and is of one authority alone.
func TestRevoke(t *testing.T) {
	t.Parallel()
	issue := func(ca *pki.CA, name string) []byte {
		t.Helper()
		leaf, err := ca.Issue(pki.Request{CommonName: name, Usage: pki.ClientUsage})
		if err != nil {
			t.Fatal(err)
		}
		return leaf.CertPEM
	}
	newCA := func(name string) *pki.CA {
		t.Helper()
		ca, err := pki.NewCA(name)
		if err != nil {
			t.Fatal(err)
		}
		return ca
	}
	ca, other := newCA("one"), newCA("two")
	a, b, stranger := issue(ca, "a"), issue(ca, "b"), issue(other, "a")
	empty, err := ca.Revoke(nil)
	if err != nil || ca.OwnList(empty) != nil || ca.Revokes(empty, a) {
		t.Fatalf("an empty list: %v", err)
	}
	list, err := ca.Revoke(empty, a)
	if err != nil || !ca.Revokes(list, a) || ca.Revokes(list, b) {
		t.Fatalf("a list of one: %v", err)
	}
	list, err = ca.Revoke(list, a, b)
	if err != nil || !ca.Revokes(list, a) || !ca.Revokes(list, b) || ca.Revokes(list, stranger) {
		t.Fatalf("a list of two: %v", err)
	}
	read, err := x509.ParseRevocationList(list)
	if err != nil || len(read.RevokedCertificateEntries) != 2 || read.Number.Int64() != 3 {
		t.Errorf("%v, %+v", err, read)
	}
	if other.OwnList(list) == nil || other.Revokes(list, a) {
		t.Error("the list is another authority's, too")
	}
	for name, f := range map[string]func() ([]byte, error){
		"another authority's certificate": func() ([]byte, error) { return ca.Revoke(nil, stranger) },
		"another authority's list":        func() ([]byte, error) { return other.Revoke(list) },
		"no certificate":                  func() ([]byte, error) { return ca.Revoke(nil, []byte("x")) },
		"no list":                         func() ([]byte, error) { return ca.Revoke([]byte("x")) },
	} {
		if got, err := f(); err == nil {
			t.Errorf("%s: %d bytes", name, len(got))
		}
	}
}
