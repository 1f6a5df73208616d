package rest

import (
	"fmt"
	"strconv"
	"strings"
)

// LSN is a position in the WAL, in bytes since the cluster was made. 0 means unknown.
type LSN uint64

// String writes it as PostgreSQL does: "0/3000060".
func (l LSN) String() string { return fmt.Sprintf("%X/%X", uint64(l)>>32, uint32(l)) }

// MarshalText writes it as PostgreSQL does, and nothing when it is unknown.
func (l LSN) MarshalText() ([]byte, error) {
	if l == 0 {
		return nil, nil
	}
	return []byte(l.String()), nil
}

// UnmarshalText reads what MarshalText writes.
func (l *LSN) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*l = 0
		return nil
	}
	read, ok := ParseLSN(string(text))
	if !ok {
		return fmt.Errorf("%q is no position in the WAL", text)
	}
	*l = read
	return nil
}

// ParseLSN reads "0/3000060".
func ParseLSN(text string) (LSN, bool) {
	high, low, ok := strings.Cut(text, "/")
	if !ok {
		return 0, false
	}
	h, err := strconv.ParseUint(high, 16, 32)
	if err != nil {
		return 0, false
	}
	l, err := strconv.ParseUint(low, 16, 32)
	if err != nil {
		return 0, false
	}
	return LSN(h<<32 | l), true
}

// Behind returns how many bytes l is behind other; 0 when it is not.
func (l LSN) Behind(other LSN) int64 {
	if l >= other {
		return 0
	}
	return int64(other - l) //nolint:gosec // WAL does not reach 2^63 bytes
}
