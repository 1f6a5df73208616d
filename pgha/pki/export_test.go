package pki

import "crypto"

// WithKeyGenerator lets a test decide which key generation fails.
func WithKeyGenerator(generate func() (crypto.Signer, error)) Option {
	return func(c *config) {
		c.generate = func(keySpec) (crypto.Signer, error) { return generate() }
	}
}
