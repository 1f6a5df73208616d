package pki_test

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/pgha/toolkit/pgha/pki"
)

func Example() {
	ca, err := pki.NewCA("orders etcd")
	if err != nil {
		fmt.Println(err)
		return
	}
	leaf, err := ca.Issue(pki.Request{
		CommonName: "pg1",
		DNSNames:   []string{"pg1.example.com"},
		IPs:        []netip.Addr{netip.MustParseAddr("192.168.0.203")},
		Usage:      pki.PeerUsage,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = pki.Verify(leaf.CertPEM, ca.CertPEM(), pki.VerifyOptions{Usage: pki.ServerUsage,
		Name: "192.168.0.203"})
	fmt.Println(leaf, err)
	fmt.Println(leaf.KeyPEM)
	// Output:
	// certificate "CN=pg1" <nil>
	// [redacted]
}

func ExampleCA_Covers() {
	ca, err := pki.NewCA("orders etcd")
	if err != nil {
		fmt.Println(err)
		return
	}
	req := pki.Request{CommonName: "pg1", DNSNames: []string{"pg1"}, Usage: pki.ServerUsage}
	leaf, err := ca.Issue(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ca.Covers(leaf.CertPEM, req))
	req.DNSNames = append(req.DNSNames, "db")
	reason := ca.Covers(leaf.CertPEM, req)
	fmt.Println(errors.Is(reason, pki.ErrNotCovered))
	fmt.Println(reason)
	// Output:
	// <nil>
	// true
	// check certificate "pg1": certificate does not cover the request: it lacks db
}

func ExampleInspect() {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	ca, err := pki.NewCA("orders etcd", pki.WithClock(func() time.Time { return now }))
	if err != nil {
		fmt.Println(err)
		return
	}
	info, err := pki.Inspect(ca.CertPEM())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(info.Subject, info.KeyType, info.IsCA, info.DaysLeft(now), info.NeedsRenewal(now))
	// Output: CN=orders etcd ECDSA-P-256 true 3650 false
}
