package pki_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/pki"
)

func TestCovers(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	tests := map[string]struct {
		change func(*pki.Request)
		after  time.Duration
		reason string // "" if covered
		is     error
	}{
		"same": {},
		"order, case, copy": {
			change: func(r *pki.Request) {
				r.DNSNames = []string{"LOCALHOST", "pg1.example.com", "localhost"}
			},
		},
		"mapped address": {change: func(r *pki.Request) {
			r.IPs = []netip.Addr{netip.MustParseAddr("::ffff:192.168.0.203"),
				netip.MustParseAddr("127.0.0.1")}
		}},
		"longer lifetime asked": {change: func(r *pki.Request) { r.Lifetime = 730 * day }},
		"two thirds gone":       {after: 243 * day},
		"due":                   {after: 244 * day, reason: "121 days left", is: pki.ErrRenewalDue},
		"expired":               {after: 366 * day, reason: "expired", is: pki.ErrExpired},
		"slow clock":            {after: -4 * time.Minute},
		"slower clock":          {after: -day, reason: "not yet valid", is: pki.ErrNotYetValid},
		"shorter lifetime": {change: func(r *pki.Request) { r.Lifetime = 90 * day },
			reason: "lifetime"},
		"common name": {change: func(r *pki.Request) { r.CommonName = "pg2" },
			reason: "common name"},
		"organization": {change: func(r *pki.Request) { r.Organization = "x" },
			reason: "organization"},
		"usage": {
			change: func(r *pki.Request) { r.Usage = pki.PeerUsage },
			reason: "usage is server, want peer",
		},
		"new DNS name": {
			change: func(r *pki.Request) { r.DNSNames = append(r.DNSNames, "vip") },
			reason: "it lacks vip",
		},
		"new address": {change: func(r *pki.Request) {
			r.IPs = append(r.IPs, netip.MustParseAddr("192.168.0.210"))
		}, reason: "it lacks 192.168.0.210"},
		"fewer addresses": {
			change: func(r *pki.Request) { r.IPs = nil },
			reason: "it should not name 127.0.0.1, 192.168.0.203",
		},
	}
	ca := newCA(t)
	leaf := issue(t, ca, serverRequest())
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := serverRequest()
			if test.change != nil {
				test.change(&req)
			}
			err := reload(t, ca, pki.WithClock(at(epoch.Add(test.after)))).Covers(leaf.CertPEM, req)
			if test.reason == "" {
				if err != nil {
					t.Errorf("not covered: %v", err)
				}
				return
			}
			if !errors.Is(err, pki.ErrNotCovered) || !strings.Contains(err.Error(), test.reason) {
				t.Fatalf("got %v, want a reason with %q", err, test.reason)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("got %v, want %v", err, test.is)
			}
		})
	}
}

func TestCoversLooksAtIssuerAndKey(t *testing.T) {
	t.Parallel()
	ca, namesake := newCA(t), newCA(t)
	leaf := issue(t, ca, serverRequest())
	if err := namesake.Covers(leaf.CertPEM, serverRequest()); !errors.Is(err, pki.ErrNotCovered) ||
		!errors.Is(err, pki.ErrUntrusted) {
		t.Errorf("an authority of the same name: %v", err)
	}
	odd := reload(t, ca, pki.WithClock(at(epoch)),
		pki.WithKeyGenerator(func() (crypto.Signer, error) {
			return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		}))
	err := ca.Covers(issue(t, odd, serverRequest()).CertPEM, serverRequest())
	if !errors.Is(err, pki.ErrNotCovered) || !strings.Contains(err.Error(),
		"key is ECDSA-P-384, want ECDSA-P-256") {
		t.Errorf("another kind of key: %v", err)
	}
	bare := altered(t, ca, func(c *x509.Certificate) { c.SubjectKeyId = nil })
	if err := ca.Covers(bare, serverRequest()); !errors.Is(err, pki.ErrNotCovered) ||
		!strings.Contains(err.Error(), "identifier") {
		t.Errorf("no key identifier: %v", err)
	}
	if err := ca.Covers(ca.CertPEM(), serverRequest()); !errors.Is(err, pki.ErrNotCovered) {
		t.Errorf("the authority itself: %v", err)
	}
}

func TestCoversTellsMistakesFromReasons(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	leaf := issue(t, ca, serverRequest())
	if err := ca.Covers(leaf.CertPEM, pki.Request{}); !errors.Is(err, pki.ErrInvalidRequest) ||
		errors.Is(err, pki.ErrNotCovered) {
		t.Errorf("bad request: %v", err)
	}
	if err := ca.Covers([]byte("x"), serverRequest()); !errors.Is(err, pki.ErrInvalidPEM) ||
		errors.Is(err, pki.ErrNotCovered) {
		t.Errorf("bad certificate: %v", err)
	}
}

// Each reason is listed, so that a reader who must leave one of them out sees the
// others.
func TestCoversListsEveryReason(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	ca, other := newCA(t), newCA(t)
	leaf := issue(t, ca, serverRequest())
	req := serverRequest()
	req.DNSNames, req.Usage = []string{"pg9"}, pki.PeerUsage
	for name, test := range map[string]struct {
		authorities []byte
		after       time.Duration
		want        []error
	}{
		"due": {other.CertPEM(), 300 * day, []error{pki.ErrUntrusted, pki.ErrUsage,
			pki.ErrRenewalDue}},
		"expired, and no longer due": {
			ca.CertPEM(), 400 * day, []error{pki.ErrUsage, pki.ErrExpired},
		},
		"no authority": {nil, 0, []error{pki.ErrUntrusted, pki.ErrUsage}},
		"half an authority": {
			ca.CertPEM()[:200], 0, []error{pki.ErrUntrusted, pki.ErrUsage},
		},
		"one of two authorities": {
			append(other.CertPEM(), ca.CertPEM()...), 0, []error{pki.ErrUsage},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := pki.Covers(test.authorities, leaf.CertPEM, req, epoch.Add(test.after))
			for _, reason := range []error{pki.ErrUntrusted, pki.ErrUsage, pki.ErrRenewalDue,
				pki.ErrExpired,
				pki.ErrNotYetValid, pki.ErrInvalidPEM} {
				if errors.Is(err, reason) != slices.Contains(test.want, reason) {
					t.Errorf("%v: matches %q: %v", err, reason, errors.Is(err, reason))
				}
			}
			var names *pki.NamesError
			if !errors.As(err, &names) || !slices.Equal(names.Missing, []string{"pg9"}) ||
				!slices.Equal(names.Unwanted, []string{"localhost", "pg1.example.com"}) {
				t.Errorf("names: %v", err)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %v", err)
			}
		})
	}
}

// A daily run against an authority in its last 100 days must settle: leaves get
// shorter and shorter, yet one that was just issued is always kept, and there
// are few of them.
func TestCoversSettlesNearTheIssuersEnd(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	ca := newCA(t, pki.WithLifetime(100*day))
	issued := 0
	var cert []byte
	for run := range 100 {
		today := reload(t, ca, pki.WithClock(at(epoch.Add(time.Duration(run)*day))))
		if cert != nil && today.Covers(cert, serverRequest()) == nil {
			continue
		}
		issued++
		cert = issue(t, today, serverRequest()).CertPEM
		if err := today.Covers(cert, serverRequest()); err != nil {
			t.Fatalf("day %d: a new certificate is refused: %v", run, err)
		}
	}
	if issued > 6 {
		t.Errorf("%d certificates in 100 days", issued)
	}
}
