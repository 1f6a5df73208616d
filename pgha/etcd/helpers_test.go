package etcd

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/pgha/toolkit/internal/testpki"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

func issue(t *testing.T, ca *pki.CA, name, address string, usage pki.Usage) pki.KeyPair {
	t.Helper()
	req := pki.Request{CommonName: name, Usage: usage}
	if address != "" {
		// Whatever the destination in 127.0.0.0/8, the kernel dials from 127.0.0.1, and etcd checks
		// where a peer comes from.
		req.IPs = []netip.Addr{netip.MustParseAddr(address), netip.MustParseAddr("127.0.0.1")}
	}
	leaf, err := ca.Issue(req)
	if err != nil {
		t.Fatal(err)
	}
	return leaf.KeyPair()
}

// memberOptions are options for n members at 127.0.0.1 and up, called m1 and so on, with good
// certificates.
func memberOptions(t *testing.T, n int) Options {
	t.Helper()
	ca := testpki.CA(t)
	o := Options{CA: ca.CertPEM(), Client: issue(t, ca, "operator", "", pki.ClientUsage)}
	for i := range n {
		name, address := fmt.Sprintf("m%d", i+1), fmt.Sprintf("127.0.0.%d", i+1)
		o.Members = append(o.Members, Member{
			Target: &remote.Target{
				Host:     remote.Host{Name: "pg" + name[1:], Address: address},
				Executor: &remote.Local{Name: "pg" + name[1:]},
			},
			Name: name, Address: address,
			Server:  issue(t, ca, name, address, pki.ServerUsage),
			Peer:    issue(t, ca, name, address, pki.PeerUsage),
			Gateway: issue(t, ca, "gateway", "", pki.ClientUsage),
		})
	}
	return o
}
