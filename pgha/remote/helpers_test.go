package remote_test

import (
	"crypto"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"
)

func encrypt(t *testing.T, key crypto.PrivateKey, passphrase string) (file string) {
	t.Helper()
	block, err := ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "id_ed25519")
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// onlyEnv is a PATH on which there is nothing but env.
func onlyEnv(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	env, err := exec.LookPath("env")
	if err != nil {
		t.Skip("no env on this machine")
	}
	if err := os.Symlink(env, filepath.Join(dir, "env")); err != nil {
		t.Fatal(err)
	}
	return dir
}
