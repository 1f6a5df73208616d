package pki

import (
	"crypto"
	"crypto/rand"
	"fmt"
	"io"
	"time"
)

const (
	// DefaultCALifetime is the validity of a new authority: ten years of 365 days.
	DefaultCALifetime = 10 * 365 * 24 * time.Hour

	// DefaultLeafLifetime is the validity of a leaf certificate: 365 days.
	DefaultLeafLifetime = 365 * 24 * time.Hour

	// DefaultRSABits is the key size of [WithRSA] when it is given 0. NIST
	// SP 800-57 part 1 rates 3072 bits as strong as P-256 (128 bits).
	DefaultRSABits = 3072

	// Backdate is how far in the past validity begins, to tolerate a host whose
	// clock is behind the one that issued the certificate.
	Backdate = 5 * time.Minute

	minCALifetime   = 2 * Backdate
	minLeafLifetime = time.Second
	maxLifetime     = 100 * 365 * 24 * time.Hour
	minRSABits      = 2048
	maxRSABits      = 8192
)

// Option adjusts [NewCA] or [LoadCA].
type Option func(*config)

// config is what options set. In a [CA] it stays as it was made.
type config struct {
	clock    func() time.Time
	random   io.Reader
	key      keySpec
	lifetime time.Duration
	generate func(keySpec) (crypto.Signer, error)
}

// WithClock replaces [time.Now] as the authority's clock, for creation, issuing
// and [CA.Covers]. It must be safe for concurrent use. Nil keeps the default.
func WithClock(now func() time.Time) Option {
	return func(c *config) {
		if now != nil {
			c.clock = now
		}
	}
}

// WithRSA makes the authority, and each leaf that it issues, use RSA keys of
// this many bits instead of ECDSA P-256. 0 means [DefaultRSABits]; the range is
// 2048 to 8192. [LoadCA] refuses it: there the stored key decides.
func WithRSA(bits int) Option {
	return func(c *config) {
		if bits == 0 {
			bits = DefaultRSABits
		}
		c.key = keySpec{rsaBits: bits}
	}
}

// WithLifetime sets how long a new authority is valid, counted from now. 0 means
// [DefaultCALifetime]; the range is ten minutes to a hundred years. [LoadCA]
// refuses it: there the stored certificate decides.
func WithLifetime(lifetime time.Duration) Option {
	return func(c *config) { c.lifetime = lifetime }
}

func newConfig(opts []Option) config {
	c := config{clock: time.Now, random: rand.Reader, generate: generateKey}
	for _, opt := range opts {
		opt(&c)
	}
	return c
}

// checkLifetime resolves the zero value and refuses what makes no sense.
func checkLifetime(lifetime, fallback, least time.Duration) (time.Duration, error) {
	if lifetime == 0 {
		return fallback, nil
	}
	if lifetime < least || lifetime > maxLifetime {
		return 0, fmt.Errorf("%w: lifetime %s is not between %s and %s", ErrInvalidRequest,
			lifetime,
			least, maxLifetime)
	}
	return lifetime, nil
}
