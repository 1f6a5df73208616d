package pki

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Covers reports whether a certificate that is already in place does, at this
// moment, what the request asks and can be kept; it then returns nil. Whoever
// deploys, checks or diagnoses certificates asks it, so that none of them finds
// fault with what another one would keep.
//
// Covered means: signed by one of the authorities (PEM), valid, the same
// subject, usage and set of names, the kind of key that the authority gives a
// new one, the key identifiers that strict peers demand, a lifetime no longer
// than asked, and at least a third of its lifetime left ([Info.NeedsRenewal]
// says why a third). A shorter lifetime than asked is kept until it is due.
// Intermediates and the validity of the authority do not count: [CA.Issue]
// makes no leaf that outlives its issuer.
//
// Otherwise the error lists every reason to issue another one, as [Reasons]
// (with [errors.As]). It matches [ErrNotCovered], and as far as each applies
// [ErrUntrusted], [ErrExpired], [ErrNotYetValid], [ErrUsage], [NamesError] (with
// [errors.As]) and [ErrRenewalDue]. Authorities that cannot be read have signed nothing. A
// malformed request or certificate gives [ErrInvalidRequest] or
// [ErrInvalidPEM] instead.
//
// No private key is needed; whether the key fits is for [ParseLeaf] to say.
func Covers(authorities, certPEM []byte, req Request, at time.Time) error {
	want, err := req.normalized()
	if err != nil {
		return fmt.Errorf("check certificate %q: %w", req.CommonName, err)
	}
	certs, err := parseCertificates(certPEM)
	if err != nil {
		return fmt.Errorf("check certificate %q: %w", req.CommonName, err)
	}
	issuer, err := issuerOf(certs[0], authorities)
	found := Reasons{}.add(err).add(checkValidity(certs[0], at)).add(differences(certs[0], issuer,
		want)...)
	if info := describe(certs[0]); !at.After(info.NotAfter) && info.NeedsRenewal(at) {
		found = found.add(fmt.Errorf("%w: %d days left", ErrRenewalDue, info.DaysLeft(at)))
	}
	if len(found) > 0 {
		return fmt.Errorf("check certificate %q: %w: %w", req.CommonName, ErrNotCovered, found)
	}
	return nil
}

// Covers is [Covers] for this authority alone, at the time of its clock.
func (c *CA) Covers(certPEM []byte, req Request) error {
	return Covers(c.CertPEM(), certPEM, req, c.clock())
}

// NamesError reports a server certificate with other names than asked for.
type NamesError struct {
	// Missing are the names and addresses that it lacks, Unwanted those that
	// it has beyond the request.
	Missing, Unwanted []string
}

// Error lists both.
func (e *NamesError) Error() string {
	var parts []string
	if len(e.Missing) > 0 {
		parts = append(parts, "it lacks "+strings.Join(e.Missing, ", "))
	}
	if len(e.Unwanted) > 0 {
		parts = append(parts, "it should not name "+strings.Join(e.Unwanted, ", "))
	}
	return strings.Join(parts, "; ")
}

// issuerOf returns the authority of the bundle that signed the certificate.
func issuerOf(cert *x509.Certificate, authorities []byte) (*x509.Certificate, error) {
	known, err := parseCertificates(authorities)
	if err != nil {
		// Not wrapped, because the certificate itself is not malformed.
		return nil, fmt.Errorf("%w: the authorities cannot be read: %s", ErrUntrusted, err.Error())
	}
	for _, ca := range known {
		if bytes.Equal(cert.RawIssuer, ca.RawSubject) && cert.CheckSignatureFrom(ca) == nil {
			return ca, nil
		}
	}
	return nil, fmt.Errorf("%w: issued by %q, not by this %q", ErrUntrusted, cert.Issuer,
		known[0].Subject)
}

// differences are what a new certificate would have otherwise. Without an issuer
// the kind of key is not known.
func differences(cert, issuer *x509.Certificate, want Request) Reasons {
	var found Reasons
	have := describe(cert)
	organizations := []string{}
	if want.Organization != "" {
		organizations = append(organizations, want.Organization)
	}
	if have.IsCA {
		found = found.add(fmt.Errorf("it is an authority"))
	}
	if cert.Subject.CommonName != want.CommonName {
		found = found.add(fmt.Errorf("common name is %q, want %q", cert.Subject.CommonName,
			want.CommonName))
	}
	if !slices.Equal(cert.Subject.Organization, organizations) {
		found = found.add(fmt.Errorf("organization is %q, want %q", cert.Subject.Organization,
			organizations))
	}
	if have.Usage != want.Usage {
		found = found.add(fmt.Errorf("%w: usage is %s, want %s", ErrUsage, have.Usage, want.Usage))
	}
	if wrong := compareNames(have, want); wrong != nil {
		found = found.add(wrong)
	}
	if issuer != nil {
		if key := keyFor(issuer); have.KeyType != key {
			found = found.add(fmt.Errorf("key is %s, want %s", have.KeyType, key))
		}
	}
	if len(cert.SubjectKeyId) == 0 || len(cert.AuthorityKeyId) == 0 {
		found = found.add(fmt.Errorf("it lacks subject or authority key identifier"))
	}
	if lifetime := have.NotAfter.Sub(have.NotBefore); lifetime > want.Lifetime+Backdate {
		found = found.add(fmt.Errorf("lifetime is %s, want %s", lifetime, want.Lifetime))
	}
	return found
}

// compareNames returns nil for the same set of names and addresses.
func compareNames(have Info, want Request) error {
	has, wants := namesOf(have.DNSNames, have.IPs), namesOf(want.DNSNames, want.IPs)
	e := &NamesError{Missing: without(wants, has), Unwanted: without(has, wants)}
	if len(e.Missing)+len(e.Unwanted) == 0 {
		return nil
	}
	return e
}

// namesOf returns names and addresses in one list, names first, each once.
func namesOf(names []string, ips []netip.Addr) []string {
	list := slices.Sorted(slices.Values(names))
	for _, ip := range slices.SortedFunc(slices.Values(ips), netip.Addr.Compare) {
		list = append(list, ip.String())
	}
	return slices.Compact(list)
}

func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool {
		return slices.Contains(other, s)
	})
}

// keyFor names the kind of key that an authority gives its leaves.
func keyFor(ca *x509.Certificate) string {
	spec, err := specOf(ca.PublicKey)
	if err != nil {
		return "none: the authority cannot issue"
	}
	return spec.String()
}

// Reasons are why a certificate must be replaced.
type Reasons []error

func (r Reasons) add(errs ...error) Reasons {
	for _, err := range errs {
		if err != nil {
			r = append(r, err)
		}
	}
	return r
}

// Error separates them by semicolons.
func (r Reasons) Error() string {
	texts := make([]string, len(r))
	for i, err := range r {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap lets [errors.Is] and [errors.As] find each.
func (r Reasons) Unwrap() []error { return r }
