package patroni

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"
)

// scramIterations and the length of the salt are PostgreSQL's own.
const (
	scramIterations = 4096
	scramSalt       = 16
)

// NewVerifier returns what PostgreSQL stores of a password, with a random salt: "SCRAM-SHA-256$4096:<salt>$<keys>". A role
// that is given it logs in with the password, which the server itself never sees. The bytes of the password are used as
// they are, so it has to be one that SASLprep leaves alone.
func NewVerifier(password string) (string, error) {
	salt := make([]byte, scramSalt)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("make a SCRAM verifier: %w", err)
	}
	return verifier(password, salt, scramIterations)
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
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, encode(salt), encode(stored[:]), encode(mac("Server Key"))), nil
}

var verifierPattern = regexp.MustCompile(`^SCRAM-SHA-256\$([1-9][0-9]{0,6}):([A-Za-z0-9+/]+=*)\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$`)

// Verifies reports whether a verifier, as NewVerifier makes one, is this password's.
func Verifies(stored, password string) bool {
	m := verifierPattern.FindStringSubmatch(stored)
	if m == nil {
		return false
	}
	salt, saltErr := base64.StdEncoding.DecodeString(m[2])
	iterations, numberErr := strconv.Atoi(m[1])
	if saltErr != nil || numberErr != nil {
		return false
	}
	again, err := verifier(password, salt, iterations)
	return err == nil && subtle.ConstantTimeCompare([]byte(again), []byte(stored)) == 1
}
