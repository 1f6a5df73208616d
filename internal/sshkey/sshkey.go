// Package sshkey tells keys of SSH from other text. It opens no connection.
package sshkey

import (
	"errors"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Public says what is wrong with a public key, "type base64" with or without a comment on one line.
func Public(text string) error {
	_, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	if err == nil && strings.TrimSpace(string(rest)) != "" {
		err = errors.New("more than one line")
	}
	return err
}

// Private says what is wrong with a private key in PEM; one with a passphrase cannot be used.
func Private(text []byte) error {
	_, err := ssh.ParseRawPrivateKey(text)
	return err
}
