// Package sealed encrypts small files with age (https://age-encryption.org/v1), so that anyone who
// copies them cannot read them, and the programs age and rage can.
package sealed

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"
)

var (
	// ErrWrongIdentity: the file is encrypted for other identities than those of the Box.
	ErrWrongIdentity = errors.New("encrypted for another identity")
	// ErrMismatch: what a Box would encrypt it could not read again.
	ErrMismatch = errors.New("the identity belongs to none of the recipients")
)

// binary is how a file of age begins that is not armored.
const binary = "age-encryption.org/"

// Is reports whether content is a file of age's, armored or not.
func Is(content []byte) bool {
	return bytes.HasPrefix(content, []byte(armor.Header)) ||
		bytes.HasPrefix(content, []byte(binary))
}

// Box encrypts for its recipients and decrypts with its identities. It does not change and is safe
// for concurrent use.
type Box struct {
	recipients []age.Recipient
	identities []age.Identity
}

// New returns a Box for recipients as CheckRecipient wants them and the text of an identity: an
// identity file of age's, or an SSH private key without a passphrase. No error shows any of the
// identity. It has tried that the Box reads what it writes; the error matches ErrMismatch
// otherwise.
func New(recipients []string, identity []byte) (*Box, error) {
	b := &Box{}
	for _, text := range recipients {
		r, err := parseRecipient(text)
		if err != nil {
			return nil, err
		}
		b.recipients = append(b.recipients, r)
	}
	var err error
	if b.identities, err = parseIdentities(identity); err != nil {
		return nil, err
	}
	trial := []byte(rand.Text())
	encrypted, err := b.Seal(trial)
	if err != nil {
		return nil, err
	}
	if read, err := b.Open(encrypted); err != nil || !bytes.Equal(read, trial) {
		return nil, ErrMismatch
	}
	return b, nil
}

// Seal returns content encrypted and armored: text that begins with a line saying what it is.
func (b *Box) Seal(content []byte) ([]byte, error) {
	var out bytes.Buffer
	lines := armor.NewWriter(&out)
	w, err := age.Encrypt(lines, b.recipients...)
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = lines.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	return out.Bytes(), nil
}

// Open decrypts a file, armored or not. The error matches ErrWrongIdentity, or the file is damaged.
func (b *Box) Open(file []byte) ([]byte, error) {
	var in io.Reader = bytes.NewReader(file)
	if bytes.HasPrefix(file, []byte(armor.Header)) {
		in = armor.NewReader(in)
	}
	r, err := age.Decrypt(in, b.identities...)
	var wrong *age.NoIdentityMatchError
	if errors.As(err, &wrong) {
		return nil, ErrWrongIdentity
	}
	if err != nil {
		return nil, fmt.Errorf("decrypt: %w", err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("decrypt: %w", err)
	}
	return content, nil
}

// CheckRecipient says what is wrong with a recipient: age1... or a public key of SSH (ssh-ed25519,
// ssh-rsa).
func CheckRecipient(text string) error {
	_, err := parseRecipient(text)
	return err
}

func parseRecipient(text string) (age.Recipient, error) {
	switch {
	case strings.ContainsAny(text, "\r\n"):
		return nil, errors.New("holds a line break")
	case strings.HasPrefix(text, "AGE-SECRET-KEY-"), strings.Contains(text, "PRIVATE KEY"):
		return nil, errors.New("is a private key")
	case strings.HasPrefix(text, "ssh-"):
		r, err := agessh.ParseRecipient(text)
		if err != nil {
			return nil, errors.New("is no public key of the kind ssh-ed25519 or ssh-rsa")
		}
		return r, nil
	}
	rs, err := age.ParseRecipients(strings.NewReader(text))
	if err != nil || len(rs) != 1 {
		return nil, errors.New("is no recipient of age's")
	}
	return rs[0], nil
}

func parseIdentities(text []byte) ([]age.Identity, error) {
	if Is(text) {
		return nil, errors.New("the identity is encrypted itself: let a command print it decrypted")
	}
	if !bytes.Contains(text, []byte("PRIVATE KEY-----")) {
		ids, err := age.ParseIdentities(bytes.NewReader(text))
		if err != nil {
			return nil, errors.New(
				"it holds neither an identity of age's (AGE-SECRET-KEY-1...) nor a private key " +
					"of SSH")
		}
		return ids, nil
	}
	id, err := agessh.ParseIdentity(text)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		return nil, errors.New("the SSH private key has a passphrase: let a command print it " +
			"decrypted")
	}
	if err != nil {
		return nil, errors.New("the SSH private key cannot be read, or is of another kind than " +
			"ed25519 or RSA")
	}
	return []age.Identity{id}, nil
}
