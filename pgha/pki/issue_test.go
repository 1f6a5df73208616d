package pki_test

import (
	"crypto/x509"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pgha/toolkit/pgha/pki"
)

func TestIssueProfile(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	leaf := issue(t, ca, pki.Request{
		CommonName:   "pg1",
		Organization: "example",
		DNSNames:     []string{"z.example.com", "PG1.example.com", "pg1.example.com"},
		IPs: []netip.Addr{
			netip.MustParseAddr("::ffff:10.0.0.1"), netip.MustParseAddr("fd00::1"),
			netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("9.0.0.1"),
		},
		Usage: pki.PeerUsage,
	})
	info := inspect(t, leaf.CertPEM)
	want := pki.Info{
		Subject:   "CN=pg1,O=example",
		Issuer:    "CN=test CA",
		NotBefore: epoch.Add(-pki.Backdate),
		NotAfter:  epoch.Add(365 * 24 * time.Hour),
		DNSNames:  []string{"pg1.example.com", "z.example.com"},
		IPs: []netip.Addr{
			netip.MustParseAddr("9.0.0.1"), netip.MustParseAddr("10.0.0.1"),
			netip.MustParseAddr("fd00::1"),
		},
		Usage:   pki.PeerUsage,
		KeyType: "ECDSA-P-256",
	}
	ignore := cmpopts.IgnoreFields(pki.Info{}, "Serial", "SHA256")
	if diff := cmp.Diff(want, info, cmpopts.EquateComparable(netip.Addr{}), ignore); diff != "" {
		t.Error(diff)
	}
	cert, root := parse(t, leaf.CertPEM), parse(t, ca.CertPEM())
	if cert.KeyUsage != x509.KeyUsageDigitalSignature || !cert.BasicConstraintsValid {
		t.Errorf("key usage %b, basic constraints %t", cert.KeyUsage, cert.BasicConstraintsValid)
	}
	if len(cert.SubjectKeyId) != 20 || diff(cert.AuthorityKeyId, root.SubjectKeyId) {
		t.Error("key identifiers are missing or wrong")
	}
	if diff(leaf.Chain, ca.CertPEM()) {
		t.Error("chain is not the authority's certificate")
	}
}

func diff(a, b []byte) bool { return string(a) != string(b) }

func TestIssueRSA(t *testing.T) {
	t.Parallel()
	made := newCA(t, pki.WithRSA(2048))
	leaf := issue(t, reload(t, made, pki.WithClock(at(epoch))), serverRequest())
	cert := parse(t, leaf.CertPEM)
	if want := x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment; cert.KeyUsage != want {
		t.Errorf("key usage %b, want %b", cert.KeyUsage, want)
	}
	if got := inspect(t, leaf.CertPEM).KeyType; got != "RSA-2048" {
		t.Errorf("a reloaded RSA authority issued a key of type %s", got)
	}
}

func TestDefaultRSASize(t *testing.T) {
	t.Parallel()
	if got := newCA(t, pki.WithRSA(0)).Info().KeyType; got != "RSA-3072" {
		t.Errorf("got %s", got)
	}
}

func TestIssueRefuses(t *testing.T) {
	t.Parallel()
	name := func(name string) func(*pki.Request) {
		return func(r *pki.Request) { r.DNSNames = []string{name} }
	}
	ip := func(ip netip.Addr) func(*pki.Request) {
		return func(r *pki.Request) { r.IPs = []netip.Addr{ip} }
	}
	tests := map[string]func(*pki.Request){
		"no common name":       func(r *pki.Request) { r.CommonName = "" },
		"long common name":     func(r *pki.Request) { r.CommonName = strings.Repeat("ñ", 65) },
		"control character":    func(r *pki.Request) { r.Organization = "a\x1b[2J" },
		"no usage":             func(r *pki.Request) { r.Usage = 0 },
		"unknown usage":        func(r *pki.Request) { r.Usage = 8 | pki.ServerUsage },
		"server without names": func(r *pki.Request) { r.DNSNames, r.IPs = nil, nil },
		"peer without names": func(r *pki.Request) {
			r.DNSNames, r.IPs, r.Usage = nil, nil,
				pki.PeerUsage
		},
		"negative lifetime": func(r *pki.Request) { r.Lifetime = -1 },
		"tiny lifetime":     func(r *pki.Request) { r.Lifetime = time.Second - 1 },
		"wildcard":          name("*.example.com"),
		"empty name":        name(""),
		"trailing dot":      name("pg1.example.com."),
		"underscore":        name("pg_1"),
		"leading hyphen":    name("-pg1"),
		"long label":        name(strings.Repeat("a", 64)),
		"long name":         name(strings.Repeat("a.", 127) + "a"),
		"not ASCII":         name("peña.example"),
		"kelvin sign":       name("\u212Aelvin\u00DF.example"),
		"address as name":   name("192.168.0.203"),
		"IPv6 as name":      name("::1"),
		"like an address":   name("192.168.203"),
		"NUL":               name("pg1\x00.example.com"),
		"zero address":      ip(netip.Addr{}),
		"unspecified":       ip(netip.MustParseAddr("::ffff:0.0.0.0")),
		"multicast":         ip(netip.MustParseAddr("224.0.0.18")),
		"zoned":             ip(netip.MustParseAddr("fe80::1%eth0")),
	}
	ca := newCA(t)
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := serverRequest()
			change(&req)
			if leaf, err := ca.Issue(req); !errors.Is(err, pki.ErrInvalidRequest) || leaf != nil {
				t.Errorf("got %v, want ErrInvalidRequest", err)
			}
		})
	}
}

func TestIssueDoesNotTouchItsArgument(t *testing.T) {
	t.Parallel()
	req := serverRequest()
	req.DNSNames = []string{"B", "a"}
	issue(t, newCA(t), req)
	if diff := cmp.Diff([]string{"B", "a"}, req.DNSNames); diff != "" {
		t.Error(diff)
	}
}

// The authority of this table lives for 100 days.
func TestIssueAndTheIssuersLife(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	ca := newCA(t, pki.WithLifetime(100*day))
	end := epoch.Add(100 * day)
	tests := map[string]struct {
		now      time.Time
		from, to time.Time
		err      error
	}{
		"whole": {now: epoch.Add(day), from: epoch.Add(day - pki.Backdate),
			to: epoch.Add(91 * day)},
		"clamped":     {now: epoch.Add(50 * day), from: epoch.Add(50*day - pki.Backdate), to: end},
		"last second": {now: end, from: end.Add(-pki.Backdate), to: end},
		"expired":     {now: end.Add(time.Second), err: pki.ErrExpired},
		"slow clock": {
			now: epoch.Add(-4 * time.Minute), from: epoch.Add(-pki.Backdate),
			to: epoch.Add(90*day - 4*time.Minute),
		},
		"slower clock": {now: epoch.Add(-6 * time.Minute), err: pki.ErrNotYetValid},
		"other zone": {
			now: epoch.Add(day).In(time.FixedZone("", 3600)), from: epoch.Add(day - pki.Backdate),
			to: epoch.Add(91 * day),
		},
		"part of a sec": {
			now: epoch.Add(day + 999*time.Millisecond), from: epoch.Add(day - pki.Backdate),
			to: epoch.Add(91 * day),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := serverRequest()
			req.Lifetime = 90 * day
			leaf, err := reload(t, ca, pki.WithClock(at(test.now))).Issue(req)
			if !errors.Is(err, test.err) {
				t.Fatalf("got error %v, want %v", err, test.err)
			}
			if test.err != nil {
				return
			}
			info := inspect(t, leaf.CertPEM)
			if !info.NotBefore.Equal(test.from) || !info.NotAfter.Equal(test.to) {
				t.Errorf("valid %s to %s, want %s to %s", info.NotBefore, info.NotAfter, test.from,
					test.to)
			}
		})
	}
}

func TestIssueConcurrently(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	var seen sync.Map
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			leaf, err := ca.Issue(serverRequest())
			if err != nil {
				t.Error(err)
				return
			}
			block, err := leaf.Info()
			if _, repeated := seen.LoadOrStore(block.Serial, true); repeated || err != nil {
				t.Errorf("serial number %s repeats, error %v", block.Serial, err)
			}
		})
	}
	group.Wait()
}
