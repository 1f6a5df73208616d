// Package testpki issues certificates for tests, all of one authority: keys take time.
package testpki

import (
	"net/netip"
	"sync"
	"testing"

	"github.com/pgha/toolkit/pgha/pki"
)

var authority = sync.OnceValues(func() (*pki.CA, error) { return pki.NewCA("test") })

// CA returns the authority, the same for all tests of a package.
func CA(t testing.TB) *pki.CA {
	t.Helper()
	ca, err := authority()
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// Issue makes a certificate for these IP addresses, and for localhost where there is one.
func Issue(t testing.TB, usage pki.Usage, addresses ...string) pki.KeyPair {
	t.Helper()
	req := pki.Request{CommonName: "test", Usage: usage}
	for _, address := range addresses {
		req.IPs = append(req.IPs, netip.MustParseAddr(address))
		req.DNSNames = []string{"localhost"}
	}
	leaf, err := CA(t).Issue(req)
	if err != nil {
		t.Fatal(err)
	}
	return leaf.KeyPair()
}
