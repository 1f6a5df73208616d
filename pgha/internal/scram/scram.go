// Package scram makes and judges the verifiers that PostgreSQL stores in place of passwords.
package scram

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"

	"github.com/pgha/toolkit/pgha/pki"
)

// iterations and the length of the salt are PostgreSQL's own.
const (
	iterations = 4096
	saltLength = 16
)

// New returns what PostgreSQL stores of a password, with a random salt:
// "SCRAM-SHA-256$4096:<salt>$<keys>". A role that is given it logs in with the password, which the
// server itself never sees. The bytes of the password are used as they are, so it has to be one
// that SASLprep leaves alone.
func New(password pki.Secret) (pki.Secret, error) {
	salt := make([]byte, saltLength)
	if _, err := rand.Read(salt); err != nil {
		return pki.Secret{}, fmt.Errorf("make a SCRAM verifier: %w", err)
	}
	return Salted(password, salt)
}

// Salted is New with this salt: the same verifier each time.
func Salted(password pki.Secret, salt []byte) (pki.Secret, error) {
	stored, err := verifier(string(password.Reveal()), salt, iterations)
	return pki.NewSecret([]byte(stored)), err
}

func verifier(password string, salt []byte, iterations int) (string, error) {
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("make a SCRAM verifier: %w", err)
	}
	mac := func(text string) []byte {
		h := hmac.New(sha256.New, salted)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	stored := sha256.Sum256(mac("Client Key"))
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, encode(salt), encode(stored[:]),
		encode(mac("Server Key"))), nil
}

var verifierPattern = regexp.MustCompile(
	`^SCRAM-SHA-256\$([1-9][0-9]{0,6}):([A-Za-z0-9+/]+=*)\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$`)

// Verifies reports whether a verifier, as New makes one, is this password's.
func Verifies(stored, password pki.Secret) bool {
	m := verifierPattern.FindStringSubmatch(string(stored.Reveal()))
	if m == nil {
		return false
	}
	salt, saltErr := base64.StdEncoding.DecodeString(m[2])
	iterations, numberErr := strconv.Atoi(m[1])
	if saltErr != nil || numberErr != nil {
		return false
	}
	again, err := verifier(string(password.Reveal()), salt, iterations)
	return err == nil && pki.NewSecret([]byte(again)).Equal(stored)
}
