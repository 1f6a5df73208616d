package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// revokedFile is the list of the certificates that etcd's authority has taken back. It is no
// secret.
func revokedFile() string { return CAFile(layout.EtcdAuthority, ".crl") }

// revokedBy returns the list that is in force while the authority may be being replaced: until the
// way back is closed that of the authority of before, whose certificates are trusted as long. etcd
// looks for serial numbers, whoever signed the list.
func (s *State) revokedBy(ca *pki.CA) ([]byte, error) {
	if s.Replacement(layout.EtcdAuthority).Progress().Reversible {
		if list, err := s.Read(revokedFile()); err == nil {
			return list, nil
		}
	}
	return s.revoked(ca)
}

// revoked returns the list of etcd's authority; an empty one where there is none yet, or where it
// is that of an authority of before.
func (s *State) revoked(ca *pki.CA) ([]byte, error) {
	list, err := s.Read(revokedFile())
	if err == nil && ca.OwnList(list) == nil {
		return list, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("load the list of revoked certificates: %w", err)
	}
	if list, err = ca.Revoke(nil); err != nil {
		return nil, err
	}
	if s.ReadOnly {
		return list, nil
	}
	return list, s.Write(revokedFile(), list)
}

// list is the list as it is, nil where there is none.
func (s *State) list() []byte {
	list, _ := s.File(revokedFile())
	return list
}

// Disown takes back the certificates that hosts had under one specification and have no more under
// another, and deletes them. A host that comes back gets new ones. Safe to repeat.
func (s *State) Disown(had, has *spec.Spec) error {
	needed := map[string]bool{}
	for _, h := range has.Hosts {
		for _, of := range certs.OfHost(has, h) {
			needed[of.Stored] = true
		}
	}
	var gone []certs.Certificate
	var taken [][]byte
	for _, h := range had.Hosts {
		for _, of := range certs.OfHost(had, h) {
			if needed[of.Stored] {
				continue
			}
			gone = append(gone, of)
			text, err := s.Read(filepath.Join("certs", of.Stored+".crt"))
			if err == nil && of.Authority == layout.EtcdAuthority {
				taken = append(taken, text)
			}
		}
	}
	if err := s.takeBack(has, taken); err != nil {
		return err
	}
	// The list comes first: a certificate that is on it is made again, one that is gone is not on
	// any list.
	for _, of := range gone {
		for _, suffix := range []string{".crt", ".key"} {
			if err := s.Remove(filepath.Join("certs", of.Stored+suffix)); err != nil {
				return err
			}
		}
	}
	return nil
}

// takeBack puts certificates of etcd's authority on its list.
func (s *State) takeBack(sp *spec.Spec, taken [][]byte) error {
	if len(taken) == 0 {
		return nil
	}
	ca, err := s.Authority(layout.EtcdAuthority, CAName(sp, layout.EtcdAuthority), CaOptions(sp)...)
	if err != nil {
		return err
	}
	list, err := s.revoked(ca)
	if err != nil {
		return err
	}
	// What was issued by an authority of before opens nothing anyway.
	if list, err = ca.Revoke(list, own(ca, taken)...); err != nil {
		return err
	}
	return s.Write(revokedFile(), list)
}

// own are those of the certificates that the authority has issued.
func own(ca *pki.CA, certificates [][]byte) [][]byte {
	var list [][]byte
	for _, cert := range certificates {
		if _, err := ca.Revoke(nil, cert); err == nil {
			list = append(list, cert)
		}
	}
	return list
}
