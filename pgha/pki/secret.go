package pki

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret holds PEM text that contains a private key. It formats, logs and
// marshals as "[redacted]"; []byte(s) yields the content.
//
// The fmt package calls no methods on unexported struct fields: hold a *Leaf or
// an exported field, not a Secret in an unexported one, in a type that may be
// printed.
type Secret []byte

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
