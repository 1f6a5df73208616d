package sshkey

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	line := string(ssh.MarshalAuthorizedKey(public))
	plain, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if err := Public(line); err != nil {
		t.Error(err)
	}
	for _, wrong := range []string{"", "SHA256:abc", line + line} {
		if Public(wrong) == nil {
			t.Errorf("%q is taken for a public key", wrong)
		}
	}
	if err := Private(pem.EncodeToMemory(plain)); err != nil {
		t.Error(err)
	}
	for _, wrong := range [][]byte{nil, []byte(line), pem.EncodeToMemory(locked)} {
		if Private(wrong) == nil {
			t.Errorf("%q is taken for a private key", wrong)
		}
	}
}
