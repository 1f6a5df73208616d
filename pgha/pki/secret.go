package pki

import (
	"bytes"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret holds a private key as PEM text, or a password. It formats, logs and
// marshals as "[redacted]", and only [Secret.Reveal] yields the content. The
// zero value is empty. It does not change and is safe for concurrent use.
type Secret struct {
	// A closure, since package fmt calls no methods on unexported fields and on
	// arguments of a wrong verb, and follows even pointers there. Of a function
	// it prints the address.
	reveal func() []byte
}

// NewSecret returns a secret that holds a copy of text, the zero value for none.
func NewSecret(text []byte) Secret {
	if len(text) == 0 {
		return Secret{}
	}
	text = bytes.Clone(text)
	return Secret{reveal: func() []byte { return bytes.Clone(text) }}
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.reveal == nil }

// Reveal returns a copy of the content, nil for the zero value. Call it where
// the secret is used or written, and nowhere else.
func (s Secret) Reveal() []byte {
	if s.reveal == nil {
		return nil
	}
	return s.reveal()
}

// Equal reports whether both hold the same content, in constant time.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare(s.Reveal(), other.Reveal()) == 1
}

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// GoString returns "[redacted]", for the verb %#v.
func (Secret) GoString() string { return redacted }

// Format writes "[redacted]" for every verb, %x and %d included.
func (Secret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redacted) }

// LogValue returns "[redacted]", for log/slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]", for JSON, XML and YAML encoders.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
