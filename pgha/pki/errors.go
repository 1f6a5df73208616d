package pki

import "errors"

// Errors that a caller can tell apart with [errors.Is].
var (
	// ErrInvalidRequest reports an argument that can never succeed: a name that
	// is no host name, a missing usage, a lifetime or key size out of range.
	ErrInvalidRequest = errors.New("invalid request")

	// ErrInvalidPEM reports input that is not the PEM that was expected.
	ErrInvalidPEM = errors.New("invalid PEM")

	// ErrKeyMismatch reports a private key that belongs to another certificate.
	ErrKeyMismatch = errors.New("private key does not belong to the certificate")

	// ErrNotCA reports a certificate that cannot serve as an authority here: one without the CA
	// flag or the certificate-signing key usage, one that is neither self-signed nor has its chain
	// beside it, or one whose key is too weak or of an unsupported kind.
	ErrNotCA = errors.New("not a usable certificate authority")

	// ErrExpired reports a certificate past the end of its validity.
	ErrExpired = errors.New("certificate has expired")

	// ErrNotYetValid reports a certificate whose validity has not begun, which
	// nearly always means that one of two clocks is wrong.
	ErrNotYetValid = errors.New("certificate is not yet valid")

	// ErrUntrusted reports a certificate that no given root has signed.
	ErrUntrusted = errors.New("certificate is not signed by a trusted authority")

	// ErrUsage reports a certificate that lacks the usage that was asked for.
	ErrUsage = errors.New("certificate does not allow this usage")

	// ErrNotCovered is matched by every reason for which [CA.Covers] would have
	// a certificate replaced.
	ErrNotCovered = errors.New("certificate does not cover the request")

	// ErrRenewalDue reports a certificate that is still valid but should be
	// replaced now; see [Info.NeedsRenewal].
	ErrRenewalDue = errors.New("certificate is due for renewal")

	// ErrPrivateKey reports a private key among certificates that go from hand
	// to hand.
	ErrPrivateKey = errors.New("the file holds a private key")

	// ErrIssuerMissing reports a chain with a gap.
	ErrIssuerMissing = errors.New("the certificate of its issuer is not in the file")

	// ErrRootMissing reports a chain that does not end with a self-signed
	// certificate.
	ErrRootMissing = errors.New("the file has no self-signed root")

	// ErrStray reports a certificate that no chain of the file needs.
	ErrStray = errors.New("it belongs to no chain of the authority")

	// ErrSignature reports a certificate that its issuer has not signed like that.
	ErrSignature = errors.New("it is not signed")

	// ErrPathLength reports an authority with more authorities below it than its
	// basic constraints allow.
	ErrPathLength = errors.New("its path length does not allow this chain")

	// ErrWeak reports a key or a signature that peers refuse by now.
	ErrWeak = errors.New("too weak")

	// ErrEndsEarly reports an authority that ends before what it would issue.
	ErrEndsEarly = errors.New("it ends before the certificates that it would issue")

	// ErrNameExcluded reports name constraints that leave out names of leaves.
	ErrNameExcluded = errors.New("its name constraints exclude a name of the cluster")
)
