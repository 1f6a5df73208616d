// Package pki makes and checks the certificates of a cluster: a certificate
// authority (CA), the leaf certificates it issues, and the bundles that let an
// authority be replaced without an outage.
//
// It is pure computation on PEM bytes. It touches no file, no network and no
// host, needs nothing but the standard library, and never prints. What is
// written where, and with which mode, is the caller's business.
//
// # A tour
//
// [NewCA] makes an authority and [CA.Issue] a certificate with its private key:
//
//	ca, err := pki.NewCA("orders etcd")
//	leaf, err := ca.Issue(pki.Request{
//		CommonName: "pg1",
//		DNSNames:   []string{"pg1.example.com"},
//		IPs:        []netip.Addr{netip.MustParseAddr("192.168.0.203")},
//		Usage:      pki.PeerUsage,
//	})
//
// [Leaf.CertPEM] and [Leaf.KeyPEM] are two files for PostgreSQL and etcd;
// [Leaf.Encode] is the single file that HAProxy and Patroni's REST API read.
// [CA.CertPEM] is what the other side of the connection trusts.
//
// An authority is stored as [CA.CertPEM] and [CA.KeyPEM] and comes back with
// [LoadCA]. [Covers] then tells whether a certificate that is already in place
// still does what a [Request] asks, so that repeating a deployment changes
// nothing until something has to change. It needs no private key.
//
// [Inspect] describes any certificate, [Verify] checks one as a TLS peer would.
//
// # Replacing an authority
//
// Nothing needs to stop if the change is made in three steps, each finished on
// every host before the next begins: trust [Bundle] of the old and the new
// authority; reissue every leaf from the new one; trust the new one alone.
//
// # What the certificates look like
//
// They satisfy the strict profile of RFC 5280 that Python 3.13 (and therefore
// Patroni) applies by default and that OpenSSL applies with -x509_strict: the
// authority carries basic constraints and key usage, and every certificate
// carries subject and authority key identifiers. Keys are ECDSA P-256, or RSA
// where [WithRSA] asks for it. Validity starts [Backdate] in the past, so a
// host with a slightly slow clock accepts a certificate at once.
//
// # Secrets
//
// Private keys are of type [Secret], which every fmt verb, slog, and the JSON,
// text and XML encoders show as "[redacted]". Call [Secret.Reveal] at the one
// place that writes the key.
package pki
