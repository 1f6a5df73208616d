package pki

import (
	"crypto"
	"io"
)

// WithKeyGenerator lets a test decide which key generation fails.
func WithKeyGenerator(generate func() (crypto.Signer, error)) Option {
	return func(c *config) {
		c.generate = func(keySpec) (crypto.Signer, error) { return generate() }
	}
}

// WithRandom lets a test decide which serial number cannot be read. Nil keeps the default.
func WithRandom(random io.Reader) Option {
	return func(c *config) {
		if random != nil {
			c.random = random
		}
	}
}
