package sealed_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"github.com/pgha/toolkit/internal/sealed"
)

// pair returns a new identity and its recipient.
func pair(t *testing.T) (identity, recipient string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id.String(), id.Recipient().String()
}

// sshPair is the same with a key of SSH.
func sshPair(t *testing.T, passphrase string) (identity, recipient string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "operator")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "operator", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)),
		strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + " me@here"
}

func TestEveryRecipientReads(t *testing.T) {
	t.Parallel()
	ageID, ageTo := pair(t)
	sshID, sshTo := sshPair(t, "")
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	const content = "correct horse battery"
	b, err := sealed.New([]string{sshTo, ageTo}, []byte("# created by age-keygen\n"+ageID+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := b.Seal([]byte(content))
	if err != nil || !sealed.Is(file) || bytes.Contains(file, []byte(content)) {
		t.Fatalf("%s %v", file, err)
	}
	for _, id := range []string{ageID, sshID} {
		b, err := sealed.New([]string{ageTo, sshTo}, []byte(id))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.Open(file); string(got) != content || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	otherID, otherTo := pair(t)
	other, err := sealed.New([]string{otherTo}, []byte(otherID))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open(file); !errors.Is(err, sealed.ErrWrongIdentity) {
		t.Errorf("with another identity: %v", err)
	}
	if _, err := b.Open(file[:len(file)-40]); err == nil ||
		errors.Is(err, sealed.ErrWrongIdentity) {
		t.Errorf("cut short: %v", err)
	}
	if _, err := sealed.New([]string{hybrid.Recipient().String()},
		[]byte(hybrid.String())); err != nil {
		t.Errorf("post-quantum: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	id, to := pair(t)
	otherID, _ := pair(t)
	locked, lockedTo := sshPair(t, "hunter2hunter2")
	b, err := sealed.New([]string{to}, []byte(id))
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := b.Seal([]byte(id))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, to, id, want string
	}{
		{"another identity", to, otherID, "belongs to none"},
		{"a passphrase", lockedTo, locked, "has a passphrase"},
		{"encrypted identity", to, string(encrypted), "encrypted itself"},
		{"cut short", to, id[:30], "neither"},
		{"private key as recipient", id, id, "is a private key"},
		{"nonsense", "age1nonsense", id, "no recipient"},
		{"plugin", "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t", id,
			"no recipient"},
		{"two lines", to + "\n" + to, id, "line break"},
		{"other SSH key", "ssh-dss AAAA", id, "no public key"},
	} {
		_, err := sealed.New([]string{tt.to}, []byte(tt.id))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		} else if strings.Contains(err.Error(), tt.id[:30]) {
			t.Errorf("%s: the error shows the key: %v", tt.name, err)
		}
	}
}
