package vault

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// The authority of Patroni's REST API is replaced without an interruption in the steps of package
// pki's tour. In the state directory ca/patroni is the one in force, from which the operator's own
// certificate is. While hosts are made to trust a second one and to present its certificates, that
// is ca/patroni-next. With the first it is in force; what was before lies in ca/patroni-old.crt,
// without its key, until no host trusts it any more. So at each moment the credentials that are
// loaded from the directory fit all hosts, whichever of them are done.
const (
	RestName    = layout.PatroniAuthority
	RestNext    = "patroni-next"
	RestOldFile = "ca/patroni-old.crt"
)

// RestAuthority returns the authority of the REST API that is in force, and all that have to be
// trusted.
func (s *State) RestAuthority(sp *spec.Spec) (ca *pki.CA, trust []byte, err error) {
	name := RestName
	switch {
	case s.adoptingREST() && s.ReadOnly:
		name = RestNext
	case s.adoptingREST():
		if err := s.AdoptREST(); err != nil {
			return nil, nil, err
		}
	}
	if ca, err = s.Authority(name, CAName(sp, RestName), CaOptions(sp)...); err != nil {
		return nil, nil, err
	}
	next, err := s.Read(CAFile(RestNext, ".crt"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ca, ca.CertPEM(), nil
	case err == nil:
		trust, err = pki.Bundle(ca.CertPEM(), next)
	}
	if err != nil { // hosts may present certificates of it
		return nil, nil, fmt.Errorf("load the next REST authority: %w", err)
	}
	return ca, trust, nil
}

// UnfinishedREST tells whether a rotation of the REST API's authority was begun and not finished.
func (s *State) UnfinishedREST() bool {
	_, next := s.File(CAFile(RestNext, ".crt"))
	_, old := s.File(RestOldFile)
	return next || old
}

// adoptingREST tells whether the next authority was being made the one in force.
func (s *State) adoptingREST() bool {
	_, next := s.File(CAFile(RestNext, ".crt"))
	_, old := s.File(RestOldFile)
	return next && old
}

// AdoptREST makes the next authority the one in force. The first file it writes decides: cut off
// behind that, it is finished by calling it again.
func (s *State) AdoptREST() error {
	var err error
	if !s.adoptingREST() {
		var old []byte
		if old, err = s.Read(CAFile(RestName, ".crt")); err == nil {
			err = s.Write(RestOldFile, old)
		}
	}
	for _, suffix := range []string{".key", ".crt"} {
		if err != nil {
			break
		}
		var content []byte
		if content, err = s.Read(CAFile(RestNext, suffix)); err == nil {
			err = s.Keep(CAFile(RestName, suffix), content)
		}
	}
	if err != nil {
		return fmt.Errorf("adopt the new REST authority: %w", err)
	}
	// The certificate goes first: without it the key means nothing.
	if err := s.Remove(CAFile(RestNext, ".crt")); err != nil {
		return err
	}
	return s.Remove(CAFile(RestNext, ".key"))
}
