package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
)

// keySpec is the kind of key to generate; the zero value is ECDSA P-256.
type keySpec struct {
	rsaBits int
}

func (k keySpec) check() error {
	if k.rsaBits != 0 && (k.rsaBits < minRSABits || k.rsaBits > maxRSABits) {
		return fmt.Errorf("%w: RSA key of %d bits is not between %d and %d", ErrInvalidRequest,
			k.rsaBits,
			minRSABits, maxRSABits)
	}
	return nil
}

// String names the kind as [Info.KeyType] does.
func (k keySpec) String() string {
	if k.rsaBits != 0 {
		return fmt.Sprintf("RSA-%d", k.rsaBits)
	}
	return "ECDSA-P-256"
}

// specOf tells which keys an authority with this public key gives its leaves.
func specOf(public crypto.PublicKey) (keySpec, error) {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return keySpec{}, nil
	case *rsa.PublicKey:
		spec := keySpec{rsaBits: key.N.BitLen()}
		return spec, spec.check()
	default:
		return keySpec{}, fmt.Errorf("%w: unsupported key type %s", ErrInvalidRequest,
			keyType(public))
	}
}

func generateKey(spec keySpec) (crypto.Signer, error) {
	if spec.rsaBits != 0 {
		return rsa.GenerateKey(rand.Reader, spec.rsaBits)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func keyType(public crypto.PublicKey) string {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA-" + key.Curve.Params().Name
	case *rsa.PublicKey:
		return keySpec{rsaBits: key.N.BitLen()}.String()
	case ed25519.PublicKey:
		return "Ed25519"
	default:
		return "unknown"
	}
}

// keyID derives a key identifier as RFC 7093 section 2 method 1 says: the first
// 160 bits of the SHA-256 hash of the subject public key.
func keyID(public crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("encode public key: %w", err)
	}
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil, fmt.Errorf("decode public key: %w", err)
	}
	sum := sha256.Sum256(info.Key.Bytes)
	return sum[:20], nil
}

func encodeKey(key crypto.Signer) (Secret, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Secret{}, fmt.Errorf("encode private key: %w", err)
	}
	return NewSecret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

// sameKey reports whether two public keys are equal.
func sameKey(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}
