package pki

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"
)

// Info describes a certificate. It holds nothing secret.
type Info struct {
	// Subject and Issuer are distinguished names in the form of RFC 2253.
	Subject string `json:"subject"`
	Issuer  string `json:"issuer"`

	// Serial is in hexadecimal, lower case, without leading zeros.
	Serial string `json:"serial"`

	// NotBefore and NotAfter are the ends of its validity, in UTC, included.
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`

	// DNSNames and IPs are its subject alternative names, in certificate order.
	DNSNames []string     `json:"dnsNames,omitempty"`
	IPs      []netip.Addr `json:"ips,omitempty"`

	// Usage is what its extended key usage allows in TLS.
	Usage Usage `json:"usage"`

	// KeyType is for example "ECDSA-P-256", "RSA-3072" or "Ed25519".
	KeyType string `json:"keyType"`

	// SHA256 is the fingerprint of the DER form: 64 hexadecimal digits, lower
	// case.
	SHA256 string `json:"sha256"`

	// IsCA tells an authority from a leaf.
	IsCA bool `json:"isCA"`
}

// Inspect describes the first certificate in the PEM text; blocks of other types
// are skipped. It judges nothing: an expired certificate is described as well.
// Errors match [ErrInvalidPEM].
func Inspect(pem []byte) (Info, error) {
	certs, err := parseCertificates(pem)
	if err != nil {
		return Info{}, fmt.Errorf("inspect certificate: %w", err)
	}
	return describe(certs[0]), nil
}

// InspectAll describes every certificate in the PEM text, in its order, as [Inspect]
// does the first.
func InspectAll(pem []byte) ([]Info, error) {
	certs, err := parseCertificates(pem)
	if err != nil {
		return nil, fmt.Errorf("inspect certificates: %w", err)
	}
	all := make([]Info, len(certs))
	for i, cert := range certs {
		all[i] = describe(cert)
	}
	return all, nil
}

func describe(cert *x509.Certificate) Info {
	sum := sha256.Sum256(cert.Raw)
	return Info{
		Subject:   cert.Subject.String(),
		Issuer:    cert.Issuer.String(),
		Serial:    cert.SerialNumber.Text(16),
		NotBefore: cert.NotBefore.UTC(),
		NotAfter:  cert.NotAfter.UTC(),
		DNSNames:  slices.Clone(cert.DNSNames),
		IPs:       addressesOf(cert),
		Usage:     usageOf(cert),
		KeyType:   keyType(cert.PublicKey),
		SHA256:    hex.EncodeToString(sum[:]),
		IsCA:      cert.BasicConstraintsValid && cert.IsCA,
	}
}

func addressesOf(cert *x509.Certificate) []netip.Addr {
	var out []netip.Addr
	for _, ip := range cert.IPAddresses {
		if addr, ok := netip.AddrFromSlice(ip); ok {
			out = append(out, addr.Unmap())
		}
	}
	return out
}

// DaysLeft returns how many whole days of 24 hours remain: 0 on the last day,
// negative once the certificate has expired.
func (i Info) DaysLeft(now time.Time) int {
	const day = 24 * 60 * 60
	left := i.NotAfter.Unix() - now.Unix()
	days := left / day
	if left%day < 0 {
		days--
	}
	return int(days)
}

// NeedsRenewal reports whether less than a third of the lifetime is left: 30
// days of 90, about four months of a year. A share rather than a fixed number of
// days fits any lifetime, leaves several maintenance windows, and settles: a
// certificate that has just been issued is not due, not even one cut short by
// its issuer's end (unless that is minutes away), so repeating a deployment
// does not reissue it each time.
func (i Info) NeedsRenewal(now time.Time) bool {
	left := i.NotAfter.Unix() - now.Unix()
	return 3*left < i.NotAfter.Unix()-i.NotBefore.Unix()
}

// EndsSoon reports whether an authority should be replaced by now: less than a tenth
// of its lifetime is left, or less than 90 days of a lifetime of which that is no
// more than a third. Replacing one needs others: applications that trust it, and
// for an intermediate one whoever signs it.
func (i Info) EndsSoon(now time.Time) bool {
	const days90 = 90 * 24 * 60 * 60
	left := i.NotAfter.Unix() - now.Unix()
	life := i.NotAfter.Unix() - i.NotBefore.Unix()
	return 10*left < life || left < days90 && 3*left < life
}

// FirstEnd describes the certificate of a PEM text that ends first: of an authority
// and those above it the one that ends whatever it issues. Errors match
// [ErrInvalidPEM].
func FirstEnd(pem []byte) (Info, error) {
	all, err := InspectAll(pem)
	if err != nil {
		return Info{}, err
	}
	return slices.MinFunc(all, func(a, b Info) int { return a.NotAfter.Compare(b.NotAfter) }), nil
}

// LogValue returns subject, end of validity and fingerprint, for log/slog.
func (i Info) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("subject", i.Subject),
		slog.Time("not_after", i.NotAfter),
		slog.String("sha256", i.SHA256),
	)
}
