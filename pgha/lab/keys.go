package lab

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"os"

	"golang.org/x/crypto/ssh"
)

// sshKey is a fresh ed25519 key pair in OpenSSH's formats.
type sshKey struct {
	private    []byte // PEM
	authorized []byte // one authorized_keys line, newline included
}

func newSSHKey(comment string) (sshKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return sshKey{}, fmt.Errorf("generate ssh key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return sshKey{}, fmt.Errorf("encode ssh key: %w", err)
	}
	line, err := ssh.NewPublicKey(public)
	if err != nil {
		return sshKey{}, fmt.Errorf("encode ssh key: %w", err)
	}
	return sshKey{private: pem.EncodeToMemory(block),
		authorized: ssh.MarshalAuthorizedKey(line)}, nil
}

// write stores the pair as path and path.pub.
func (k sshKey) write(path string) error {
	if err := os.WriteFile(path, k.private, 0o600); err != nil {
		return fmt.Errorf("write ssh key: %w", err)
	}
	if err := os.WriteFile(path+".pub", k.authorized, 0o644); err != nil {
		return fmt.Errorf("write ssh key: %w", err)
	}
	return nil
}
