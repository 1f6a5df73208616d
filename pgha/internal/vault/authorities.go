package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// Day is a day of a lifetime.
const Day = 24 * time.Hour

// CaOptions are what new authorities of a spec are made with.
func CaOptions(sp *spec.Spec) []pki.Option {
	options := []pki.Option{pki.WithLifetime(time.Duration(sp.TLS.CALifetimeDays) * Day)}
	if sp.TLS.KeyAlgorithm == spec.KeyRSA {
		options = append(options, pki.WithRSA(0))
	}
	return options
}

// CAName is the common name of an authority.
func CAName(sp *spec.Spec, name string) string { return sp.Cluster + " " + name + " CA" }

// CAFile is the file of an authority, relative to the state directory.
func CAFile(name, suffix string) string { return filepath.Join("ca", name+suffix) }

// Authority returns the CA of that name, made at the first run.
func (s *State) Authority(name, commonName string, opts ...pki.Option) (*pki.CA, error) {
	certFile, keyFile := CAFile(name, ".crt"), CAFile(name, ".key")
	cert, certErr := s.Read(certFile)
	key, keyErr := s.Read(keyFile)
	switch {
	case errors.Is(certErr, fs.ErrNotExist):
		// The certificate is written last: without it the key was never used.
		s.Made = append(s.Made, certFile)
		ca, err := pki.NewCA(commonName, opts...)
		if err != nil {
			return nil, fmt.Errorf("make the %s CA: %w", name, err)
		}
		if err := s.Write(keyFile, ca.KeyPEM().Reveal()); err != nil {
			return nil, err
		}
		return ca, s.Write(certFile, ca.CertPEM())
	case certErr != nil || keyErr != nil:
		return nil, fmt.Errorf("load the %s CA: %w", name, errs.Join(certErr, keyErr))
	}
	ca, err := pki.LoadCA(cert, key)
	if err != nil {
		return nil, fmt.Errorf("load the %s CA from %s: %w", name, s.Path(certFile), err)
	}
	return ca, nil
}
