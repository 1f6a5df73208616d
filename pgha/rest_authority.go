package pgha

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
	restName    = "patroni"
	restNext    = "patroni-next"
	restOldFile = "ca/patroni-old.crt"
)

// caOptions are what new authorities of a spec are made with.
func caOptions(sp *Spec) []pki.Option {
	options := []pki.Option{pki.WithLifetime(time.Duration(sp.TLS.CALifetimeDays) * day)}
	if sp.TLS.KeyAlgorithm == spec.KeyRSA {
		options = append(options, pki.WithRSA(0))
	}
	return options
}

func caName(sp *Spec, name string) string { return sp.Cluster + " " + name + " CA" }

// restAuthority returns the authority of the REST API that is in force, and all that have to be trusted.
func (s *state) restAuthority(sp *Spec) (ca *pki.CA, trust []byte, err error) {
	name := restName
	switch {
	case s.adoptingREST() && s.readOnly:
		name = restNext
	case s.adoptingREST():
		if err := s.adoptREST(); err != nil {
			return nil, nil, err
		}
	}
	if ca, err = s.authority(name, caName(sp, restName), caOptions(sp)...); err != nil {
		return nil, nil, err
	}
	trust = ca.CertPEM()
	if next, there := s.file(caFile(restNext, ".crt")); there {
		trust, err = pki.Bundle(trust, next)
	}
	return ca, trust, err
}

func caFile(name, suffix string) string { return filepath.Join("ca", name+suffix) }

// file returns the content of a public file, if it is there.
func (s *state) file(name string) (content []byte, there bool) {
	content, err := s.read(name)
	return content, err == nil
}

// unfinishedREST tells whether a rotation of the REST API's authority was begun and not finished.
func (s *state) unfinishedREST() bool {
	_, next := s.file(caFile(restNext, ".crt"))
	_, old := s.file(restOldFile)
	return next || old
}

// adoptingREST tells whether the next authority was being made the one in force.
func (s *state) adoptingREST() bool {
	_, next := s.file(caFile(restNext, ".crt"))
	_, old := s.file(restOldFile)
	return next && old
}

// adoptREST makes the next authority the one in force. The first file it writes decides: cut off behind that, it is finished
// by calling it again.
func (s *state) adoptREST() error {
	var err error
	if !s.adoptingREST() {
		var old []byte
		if old, err = s.read(caFile(restName, ".crt")); err == nil {
			err = s.write(restOldFile, old)
		}
	}
	for _, suffix := range []string{".key", ".crt"} {
		if err != nil {
			break
		}
		var content []byte
		if content, err = s.read(caFile(restNext, suffix)); err == nil {
			err = s.keep(caFile(restName, suffix), content)
		}
	}
	if err != nil {
		return fmt.Errorf("adopt the new REST authority: %w", err)
	}
	return errors.Join(s.remove(caFile(restNext, ".crt")), s.remove(caFile(restNext, ".key")))
}

// remove deletes a file if it is there.
func (s *state) remove(name string) error {
	if s.drafting() {
		s.draft(name, nil)
		return nil
	}
	if err := os.Remove(s.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// issuer returns a certificate by its name in the state directory.
type issuer func(name string, req pki.Request) (leaf, error)

// restCertificates sets those of every database host.
func (c *credentials) restCertificates(sp *Spec, issue issuer) error {
	for _, h := range sp.Databases() {
		names, addresses := serverNames(h)
		hc := c.hosts[h.Name]
		var err error
		if hc.restServer, err = issue(h.Name+"-rest-server", pki.Request{CommonName: h.Member, DNSNames: names, IPs: addresses, Usage: pki.ServerUsage}); err != nil {
			return err
		}
		if hc.restClient, err = issue(h.Name+"-rest-client", pki.Request{CommonName: "patroni-" + h.Member, Usage: pki.ClientUsage}); err != nil {
			return err
		}
		c.hosts[h.Name] = hc
	}
	return nil
}

// rest loads everything of the REST API: its authority, the operator's certificate and the hosts'.
func (s *state) rest(sp *Spec, c *credentials) error {
	ca, trust, err := s.restAuthority(sp)
	if err != nil {
		return err
	}
	issue := func(name string, req pki.Request) (leaf, error) {
		req.Lifetime = time.Duration(sp.TLS.LeafLifetimeDays) * day
		return s.certificate(ca, name, req)
	}
	c.patroniCA = trust
	if c.patroniOperator, err = issue("operator-patroni", pki.Request{CommonName: "pgha-operator", Usage: pki.ClientUsage}); err != nil {
		return err
	}
	return c.restCertificates(sp, issue)
}
