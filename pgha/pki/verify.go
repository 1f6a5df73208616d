package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// VerifyOptions says what [Verify] checks beside the signature.
type VerifyOptions struct {
	// Usage is required: what the certificate must be allowed to prove.
	Usage Usage

	// Name is the DNS name or IP address that a client would dial. Empty means
	// that no name is checked, as for a client's certificate.
	Name string

	// At is the moment of the check; zero means now.
	At time.Time
}

// Verify checks a certificate as a TLS peer would that trusts exactly these
// roots: signature, validity, usage and name. The first certificate in leaf is
// checked and any others serve as intermediates; roots is what [Bundle] or
// [CA.CertPEM] returned. It needs no private key.
//
// Errors match [ErrInvalidPEM], [ErrInvalidRequest], [ErrExpired],
// [ErrNotYetValid], [ErrUntrusted] or [ErrUsage]; a wrong name is an
// [x509.HostnameError] (with [errors.As]).
func Verify(leaf, roots []byte, opts VerifyOptions) error {
	certs, err := parseCertificates(leaf)
	if err != nil {
		return fmt.Errorf("verify certificate: %w", err)
	}
	if err := verify(certs, roots, opts); err != nil {
		return fmt.Errorf("verify certificate %q: %w", certs[0].Subject, err)
	}
	return nil
}

func verify(certs []*x509.Certificate, roots []byte, opts VerifyOptions) error {
	if !opts.Usage.valid() {
		return fmt.Errorf("%w: usage must be server, client or peer", ErrInvalidRequest)
	}
	if opts.At.IsZero() {
		opts.At = time.Now()
	}
	trusted, err := parseCertificates(roots)
	if err != nil {
		return fmt.Errorf("roots: %w", err)
	}
	if err := checkValidity(certs[0], opts.At); err != nil {
		return err
	}
	// x509 accepts any one of several usages; a peer has to have both.
	for _, usage := range opts.Usage.extended() {
		_, err := certs[0].Verify(x509.VerifyOptions{
			Roots:         pool(trusted),
			Intermediates: pool(certs[1:]),
			DNSName:       opts.Name,
			CurrentTime:   opts.At,
			KeyUsages:     []x509.ExtKeyUsage{usage},
		})
		if err != nil {
			return classify(err, certs[0], trusted, opts.At)
		}
	}
	return nil
}

func pool(certs []*x509.Certificate) *x509.CertPool {
	out := x509.NewCertPool()
	for _, cert := range certs {
		out.AddCert(cert)
	}
	return out
}

// classify puts our sentinel beside the error of x509. The leaf's own validity
// has been checked, so an expired certificate is one above it; x509 may report
// that as an unknown authority.
func classify(err error, leaf *x509.Certificate, roots []*x509.Certificate, at time.Time) error {
	for _, root := range roots {
		if leaf.CheckSignatureFrom(root) != nil {
			continue
		}
		if invalid := checkValidity(root, at); invalid != nil {
			return fmt.Errorf("root %q: %w", root.Subject, invalid)
		}
	}
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("%w: %w", ErrUntrusted, err)
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return fmt.Errorf("%w: %w", ErrUsage, err)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("%w: %w", ErrExpired, err)
	}
	return err
}
