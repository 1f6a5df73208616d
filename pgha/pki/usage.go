package pki

import "crypto/x509"

// Usage is what a leaf certificate may prove in a TLS handshake. The zero value
// is no usage, which [CA.Issue] refuses.
type Usage uint8

const (
	// ServerUsage is for the side that listens.
	ServerUsage Usage = 1 << iota

	// ClientUsage is for the side that dials.
	ClientUsage

	// PeerUsage is both, for members that dial each other.
	PeerUsage = ServerUsage | ClientUsage
)

// String returns "server", "client", "peer" or "none".
func (u Usage) String() string {
	switch u {
	case ServerUsage:
		return "server"
	case ClientUsage:
		return "client"
	case PeerUsage:
		return "peer"
	default:
		return "none"
	}
}

// MarshalText returns the same text as String.
func (u Usage) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

func (u Usage) valid() bool { return u != 0 && u&^PeerUsage == 0 }

func (u Usage) extended() []x509.ExtKeyUsage {
	var out []x509.ExtKeyUsage
	if u&ServerUsage != 0 {
		out = append(out, x509.ExtKeyUsageServerAuth)
	}
	if u&ClientUsage != 0 {
		out = append(out, x509.ExtKeyUsageClientAuth)
	}
	return out
}

// usageOf reads back what extended wrote. A certificate without any extended
// key usage reports none, although TLS libraries let it do everything.
func usageOf(cert *x509.Certificate) Usage {
	var usage Usage
	for _, ext := range cert.ExtKeyUsage {
		switch ext {
		case x509.ExtKeyUsageServerAuth:
			usage |= ServerUsage
		case x509.ExtKeyUsageClientAuth:
			usage |= ClientUsage
		case x509.ExtKeyUsageAny:
			usage |= PeerUsage
		}
	}
	return usage
}
