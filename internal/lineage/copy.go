package lineage

import (
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// copyFormat is that of the record of a copy.
const copyFormat = 1

// Copy is what stands beside an encrypted copy of a state directory, for those who cannot or need
// not open it. It holds no secret.
type Copy struct {
	Note
	// Digest is of the files in it, Sealed of the encrypted file: SHA-256 in hexadecimal.
	Digest string `json:"digest"`
	Sealed string `json:"sealed"`
	// Recipients can open it.
	Recipients []string  `json:"recipients"`
	Time       time.Time `json:"time"`
	// Bytes is the size of the encrypted file.
	Bytes int `json:"bytes"`
}

// CopyOf is the record of a copy of s.
func (s State) CopyOf(by string) Copy {
	c := Copy{Note: s.Note(by)}
	c.Format = copyFormat
	return c
}

// ParseCopy reads the record of a copy; nil is the zero Copy, of none.
func ParseCopy(text []byte) (Copy, error) {
	var c Copy
	if len(text) == 0 {
		return c, nil
	}
	err := json.Unmarshal(text, &c)
	if err == nil && c.Format > copyFormat {
		return c, ErrNewer
	}
	if err == nil && (c.ID == "" || c.Stamp == "" || c.Digest == "" || c.Sealed == "") {
		err = errors.New("it is not complete")
	}
	return c, err
}

// There tells whether there is a copy.
func (c Copy) There() bool { return c.ID != "" }

// Same tells whether two copies hold the same files for the same recipients.
func (c Copy) Same(other Copy) bool {
	return c.ID == other.ID && c.Digest == other.Digest &&
		slices.Equal(slices.Sorted(slices.Values(c.Recipients)),
			slices.Sorted(slices.Values(other.Recipients)))
}

// Removed are the recipients of an earlier copy that those of a later one are without.
func (c Copy) Removed(now []string) []string {
	return slices.DeleteFunc(slices.Clone(c.Recipients), func(r string) bool {
		return slices.Contains(now, r)
	})
}
