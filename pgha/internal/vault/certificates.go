package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/pki"
)

// certificate returns the stored certificate if it can stay, else a new one.
func (s *State) certificate(ca *pki.CA, of certs.Certificate) (pki.KeyPair, error) {
	certFile, keyFile := filepath.Join("certs", of.Stored+".crt"),
		filepath.Join("certs", of.Stored+".key")
	cert, certErr := s.Read(certFile)
	key, keyErr := s.Read(keyFile)
	for _, err := range []error{certErr, keyErr} {
		// a backup may bring it back; another one might not fit the hosts
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return pki.KeyPair{}, fmt.Errorf("load certificate %s: %w", of.Stored, err)
		}
	}
	if certErr == nil && keyErr == nil {
		_, mismatch := pki.ParseLeaf(cert, key)
		// Without the right to write, one that is due or outdated stays: apply will replace it.
		takenBack, choice := ca.Revokes(s.list(), cert), s.choose(of)
		if s.ReadOnly || choice == Stay || choice == AsDue && !takenBack &&
			of.Judge(ca.CertPEM(), cert, mismatch == nil, time.Now()) == nil {
			return pki.KeyPair{Cert: cert, Key: pki.NewSecret(key)}, nil
		}
	}
	issued, err := ca.Issue(of.Request)
	if err != nil {
		return pki.KeyPair{}, fmt.Errorf("issue certificate %s: %w", of.Stored, err)
	}
	if err := s.Write(keyFile, issued.KeyPEM.Reveal()); err != nil {
		return pki.KeyPair{}, err
	}
	if err := s.Write(certFile, issued.KeyPair().Cert); err != nil {
		return pki.KeyPair{}, err
	}
	return issued.KeyPair(), nil
}
