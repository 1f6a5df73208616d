package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"
)

// NewSigningRequest makes a key and a request (PKCS#10, in PEM) to have it signed
// as an authority by another one. The name is the request's common name, as for
// [NewCA]; of the options [WithRSA] and [WithClock] count. The request asks for
// what [ReadSigned] wants: basic constraints CA with a path length of 0, and the
// usages of signing certificates and revocation lists, which a signer may copy or
// set itself. Errors match [ErrInvalidRequest], or come from the source of
// randomness.
func NewSigningRequest(name string, opts ...Option) (request []byte, key Secret, err error) {
	conf := newConfig(opts)
	request, key, err = newSigningRequest(name, conf)
	if err != nil {
		return nil, Secret{}, fmt.Errorf("request a certificate for CA %q: %w", name, err)
	}
	return request, key, nil
}

func newSigningRequest(name string, conf config) (request []byte, key Secret, err error) {
	if err := checkName("name", name); err != nil {
		return nil, Secret{}, err
	}
	if err := conf.key.check(); err != nil {
		return nil, Secret{}, err
	}
	signer, err := conf.generate(conf.key)
	if err != nil {
		return nil, Secret{}, fmt.Errorf("generate key: %w", err)
	}
	constraints, err := asn1.Marshal(struct {
		CA         bool
		PathLength int
	}{CA: true})
	if err != nil {
		return nil, Secret{}, fmt.Errorf("encode basic constraints: %w", err)
	}
	// Bits 5 and 6 of RFC 5280 section 4.2.1.3: keyCertSign and cRLSign.
	usage, err := asn1.Marshal(asn1.BitString{Bytes: []byte{0x06}, BitLength: 7})
	if err != nil {
		return nil, Secret{}, fmt.Errorf("encode key usage: %w", err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: name},
		ExtraExtensions: []pkix.Extension{
			{Id: basicConstraints, Critical: true, Value: constraints},
			{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Critical: true, Value: usage}},
	}, signer)
	if err != nil {
		return nil, Secret{}, fmt.Errorf("sign request: %w", err)
	}
	if key, err = encodeKey(signer); err != nil {
		return nil, Secret{}, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), key, nil
}

// SignedOptions say what [ReadSigned] asks of an authority beside a whole chain.
type SignedOptions struct {
	// Leaf is what a certificate of it has to be: every name and address, and
	// every usage, of those that it will issue, and the longest lifetime of
	// them. Required.
	Leaf Request

	// At is the moment of the check; zero means now.
	At time.Time
}

// SignedError says which certificate of a file is wrong, and why.
type SignedError struct {
	// Certificate is its place in the file, counted from 1, and Of how many there
	// are; 0 for what is wrong with the file as a whole.
	Certificate, Of int

	// Subject is its distinguished name; "" without a certificate.
	Subject string

	// Err is the reason. It matches one of the errors that [ReadSigned] lists.
	Err error
}

// Error names the certificate, then the reason.
func (e *SignedError) Error() string {
	if e.Certificate == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("certificate %d of %d (%s): %s", e.Certificate, e.Of, e.Subject, e.Err)
}

// Unwrap returns the reason.
func (e *SignedError) Unwrap() error { return e.Err }

// ReadSigned reads the certificate that another authority made for the key of a
// [NewSigningRequest], and the chain above it up to the root, from one PEM text
// in any order. It returns the text that [LoadCA] takes: the authority, those
// above it in order, the root last, each once.
//
// An authority whose path length is not limited to 0 is taken: a [CA] makes none below
// itself, though a holder of its key could, and peers would accept what such a one
// signs.
//
// The error is a [SignedError] (with [errors.As]), and matches:
//
//   - [ErrInvalidPEM]: text that holds no certificate, or a damaged one;
//     [ErrPrivateKey]: a private key, which no such file has.
//   - [ErrKeyMismatch]: no certificate in it has the key of the request.
//   - [ErrNotCA]: it, or one above it, may not sign certificates, or it lacks
//     what strict peers ask for; [ErrPathLength]: one above it does not allow
//     as many below it.
//   - [ErrNotYetValid], [ErrExpired]: one of the chain is out of its time;
//     [ErrEndsEarly]: a leaf of today would outlive one of them.
//   - [ErrIssuerMissing]: an intermediate is not in the text; [ErrRootMissing]:
//     there is no self-signed root; [ErrStray]: a certificate belongs to no
//     chain of it.
//   - [ErrSignature]: an issuer of that name is there, and has not signed it.
//   - [ErrWeak]: a key or signature that peers refuse by now.
//   - [ErrNameExcluded], [ErrUsage]: name constraints, or extended key usages, of
//     the chain leave out what the leaves need.
func ReadSigned(text, keyPEM []byte, opts SignedOptions) ([]byte, error) {
	if opts.At.IsZero() {
		opts.At = time.Now()
	}
	chain, err := readSigned(text, keyPEM, opts)
	if err != nil {
		return nil, err
	}
	var out []byte
	for _, cert := range chain {
		out = append(out, encodeCertificate(cert.Raw)...)
	}
	return out, nil
}

func readSigned(text, keyPEM []byte, opts SignedOptions) ([]*x509.Certificate, error) {
	if _, err := decodeBlocks(text); err != nil {
		return nil, &SignedError{Err: err}
	}
	if err := refuseKeys(text); err != nil {
		return nil, &SignedError{Err: ErrPrivateKey}
	}
	certs, err := parseCertificates(text)
	if err != nil {
		return nil, &SignedError{Err: err}
	}
	signer, err := parseKey(keyPEM)
	if err != nil {
		return nil, fmt.Errorf("the key of the request: %w", err)
	}
	wrong := func(cert *x509.Certificate, err error) error {
		i := slices.IndexFunc(certs, cert.Equal)
		return &SignedError{i + 1, len(certs), cert.Subject.String(), err}
	}
	own := slices.IndexFunc(certs, func(c *x509.Certificate) bool {
		return sameKey(signer.Public(), c.PublicKey)
	})
	if own < 0 {
		return nil, wrong(certs[0], fmt.Errorf("%w: none in the file has the key of the request",
			ErrKeyMismatch))
	}
	chain, at, err := chainOf(certs[own], certs)
	if err != nil {
		return nil, wrong(at, err)
	}
	for i, cert := range chain {
		if err := checkSigner(cert, i, opts); err != nil {
			return nil, wrong(cert, err)
		}
	}
	if err := checkAuthority(chain[0]); err != nil {
		return nil, wrong(chain[0], err)
	}
	for _, cert := range certs {
		if !slices.ContainsFunc(chain, cert.Equal) {
			return nil, wrong(cert, ErrStray)
		}
	}
	conf := newConfig([]Option{WithClock(func() time.Time { return opts.At })})
	if conf.key, err = specOf(signer.Public()); err != nil {
		return nil, wrong(chain[0], fmt.Errorf("%w: %w", ErrNotCA, err))
	}
	ca, err := assembleCA(conf, chain, signer)
	if err != nil {
		return nil, err
	}
	if err := ca.tryLeaf(opts); err != nil {
		return nil, wrong(chain[0], err)
	}
	return chain, nil
}

// chainOf returns the certificate, its issuer and so on, the root last. An error
// is of the certificate that it returns.
func chainOf(cert *x509.Certificate, certs []*x509.Certificate) ([]*x509.Certificate,
	*x509.Certificate, error) {
	chain := []*x509.Certificate{cert}
	for {
		last := chain[len(chain)-1]
		if bytes.Equal(last.RawSubject, last.RawIssuer) {
			return chain, last, selfSigned(last, len(chain))
		}
		next, err := signerOf(last, certs)
		if err != nil {
			return nil, last, err
		}
		if slices.ContainsFunc(chain, next.Equal) {
			return nil, last, fmt.Errorf("%w: the certificates have signed each other",
				ErrRootMissing)
		}
		chain = append(chain, next)
	}
}

// selfSigned judges the end of a chain.
func selfSigned(root *x509.Certificate, length int) error {
	if length == 1 {
		return fmt.Errorf("%w: it is self-signed, and no certificate of another authority",
			ErrIssuerMissing)
	}
	// What a root says of itself is no proof, so its algorithm may be of before.
	err := root.CheckSignature(root.SignatureAlgorithm, root.RawTBSCertificate, root.Signature)
	var old x509.InsecureAlgorithmError
	if err != nil && !errors.As(err, &old) {
		return fmt.Errorf("%w: it is not signed by itself", ErrSignature)
	}
	return nil
}

// signerOf returns the certificate that has signed another.
func signerOf(cert *x509.Certificate, certs []*x509.Certificate) (*x509.Certificate, error) {
	var named error
	root := false
	for _, other := range certs {
		self := bytes.Equal(other.RawSubject, other.RawIssuer)
		root = root || self
		if !bytes.Equal(other.RawSubject, cert.RawIssuer) {
			continue
		}
		// The algorithm is judged apart, and whether the other one may sign, too.
		err := other.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature)
		var old x509.InsecureAlgorithmError
		if err == nil || errors.As(err, &old) {
			return other, nil
		}
		named = fmt.Errorf("%w by %q, which is in the file", ErrSignature, other.Subject)
	}
	switch {
	case named != nil:
		return nil, named
	case root:
		return nil, fmt.Errorf("%w: %q", ErrIssuerMissing, cert.Issuer)
	}
	return nil, fmt.Errorf("%w, and %q is not in it", ErrRootMissing, cert.Issuer)
}

// checkSigner judges one of a chain by itself; below is how many authorities it has
// below it.
func checkSigner(cert *x509.Certificate, below int, opts SignedOptions) error {
	root := bytes.Equal(cert.RawSubject, cert.RawIssuer)
	if err := checkStrength(cert, root); err != nil {
		return err
	}
	if err := checkValidity(cert, opts.At); err != nil {
		return err
	}
	switch end := opts.At.Add(opts.Leaf.Lifetime); {
	case cert.NotAfter.Before(end):
		return fmt.Errorf("%w: it ends on %s, and one of today on %s", ErrEndsEarly,
			cert.NotAfter.UTC().Format(time.DateOnly), end.UTC().Format(time.DateOnly))
	case !cert.BasicConstraintsValid || !cert.IsCA:
		return fmt.Errorf("%w: its basic constraints do not say CA:TRUE", ErrNotCA)
	case cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return fmt.Errorf("%w: its key usage lacks keyCertSign", ErrNotCA)
	case below > 0 && limited(cert) && cert.MaxPathLen < below:
		return fmt.Errorf("%w: pathlen:%d, with %d below it", ErrPathLength, cert.MaxPathLen, below)
	}
	return nil
}

// limited tells whether the number of authorities below one is.
func limited(cert *x509.Certificate) bool { return cert.MaxPathLen > 0 || cert.MaxPathLenZero }

// checkStrength refuses what OpenSSL refuses at its security level 2, the one of
// Debian, and Go: keys of less than 112 bits, and SHA-1. A root is trusted
// because it is named, whatever it is signed with.
func checkStrength(cert *x509.Certificate, root bool) error {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSABits {
			return fmt.Errorf("%w: an RSA key of %d bits", ErrWeak, key.N.BitLen())
		}
	case *ecdsa.PublicKey:
		if key.Params().BitSize < 256 {
			return fmt.Errorf("%w: the curve %s", ErrWeak, key.Params().Name)
		}
	}
	switch cert.SignatureAlgorithm {
	case x509.UnknownSignatureAlgorithm, x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA,
		x509.DSAWithSHA1, x509.DSAWithSHA256, x509.ECDSAWithSHA1:
		if !root {
			return fmt.Errorf("%w: it is signed with %s", ErrWeak, cert.SignatureAlgorithm)
		}
	}
	return nil
}

// tryLeaf issues a leaf and verifies it as a peer that trusts the root alone.
func (c *CA) tryLeaf(opts SignedOptions) error {
	leaf, err := c.Issue(opts.Leaf)
	if err != nil {
		return err
	}
	err = Verify(leaf.KeyPair().Cert, c.RootPEM(),
		VerifyOptions{Usage: opts.Leaf.Usage, At: opts.At})
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) {
		switch invalid.Reason {
		case x509.CANotAuthorizedForThisName, x509.TooManyConstraints, x509.UnconstrainedName,
			x509.NameConstraintsWithoutSANs:
			return fmt.Errorf("%w: %s", ErrNameExcluded, invalid.Detail)
		case x509.TooManyIntermediates:
			return ErrPathLength
		}
	}
	return err
}
