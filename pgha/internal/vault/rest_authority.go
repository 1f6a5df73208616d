package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// The authority of Patroni's REST API is replaced without an interruption in the steps of package pki's tour. In the state
// directory ca/patroni is the one in force, from which the operator's own certificate is. While hosts are made to trust a
// second one and to present its certificates, that is ca/patroni-next. With the first it is in force; what was before lies
// in ca/patroni-old.crt, without its key, until no host trusts it any more. So at each moment the credentials that are
// loaded from the directory fit all hosts, whichever of them are done.
const (
	RestName    = "patroni"
	RestNext    = "patroni-next"
	RestOldFile = "ca/patroni-old.crt"
)

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

// RestAuthority returns the authority of the REST API that is in force, and all that have to be trusted.
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
	trust = ca.CertPEM()
	if next, there := s.File(CAFile(RestNext, ".crt")); there {
		trust, err = pki.Bundle(trust, next)
	}
	return ca, trust, err
}

// CAFile is the file of an authority, relative to the state directory.
func CAFile(name, suffix string) string { return filepath.Join("ca", name+suffix) }

// File returns the content of a public file, if it is there.
func (s *State) File(name string) (content []byte, there bool) {
	content, err := s.Read(name)
	return content, err == nil
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

// AdoptREST makes the next authority the one in force. The first file it writes decides: cut off behind that, it is finished
// by calling it again.
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
	return errors.Join(s.Remove(CAFile(RestNext, ".crt")), s.Remove(CAFile(RestNext, ".key")))
}

// Remove deletes a file if it is there.
func (s *State) Remove(name string) error {
	if s.drafting() {
		s.draft(name, nil)
		return nil
	}
	if err := os.Remove(s.Path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// issuer returns a certificate by its name in the state directory.
type issuer func(name string, req pki.Request) (Leaf, error)

// RestCertificates sets those of every database host.
func (c *Credentials) RestCertificates(sp *spec.Spec, issue issuer) error {
	for _, h := range sp.Databases() {
		names, addresses := ServerNames(h)
		hc := c.Hosts[h.Name]
		var err error
		if hc.RestServer, err = issue(h.Name+"-rest-server", pki.Request{CommonName: h.Member, DNSNames: names, IPs: addresses, Usage: pki.ServerUsage}); err != nil {
			return err
		}
		if hc.RestClient, err = issue(h.Name+"-rest-client", pki.Request{CommonName: "patroni-" + h.Member, Usage: pki.ClientUsage}); err != nil {
			return err
		}
		c.Hosts[h.Name] = hc
	}
	return nil
}

// Rest loads everything of the REST API: its authority, the operator's certificate and the hosts'.
func (s *State) Rest(sp *spec.Spec, c *Credentials) error {
	ca, trust, err := s.RestAuthority(sp)
	if err != nil {
		return err
	}
	issue := func(name string, req pki.Request) (Leaf, error) {
		req.Lifetime = time.Duration(sp.TLS.LeafLifetimeDays) * Day
		return s.certificate(ca, name, req)
	}
	c.PatroniCA = trust
	if c.PatroniOperator, err = issue("operator-patroni", pki.Request{CommonName: "pgha-operator", Usage: pki.ClientUsage}); err != nil {
		return err
	}
	return c.RestCertificates(sp, issue)
}
