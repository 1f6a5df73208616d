package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// An authority can be an intermediate one of a company. Its key is made here and leaves the state
// directory never: ca/NAME-request.key with the request, ca/NAME-request.csr, which the company
// signs. What comes back lies in ca/NAME-imported.crt until a replacement brings it in, with the
// chain above it up to the root, and in that form each file of an authority may be. An authority
// that is brought in and taken back is still there to be brought in again.

func requestName(authority string) string  { return authority + "-request" }
func importedName(authority string) string { return authority + "-imported" }

// Company is what the state directory has of an authority of a company.
type Company struct{ Replacement }

// Company returns that of an authority, whether there is one or not.
func (p Replacement) Company() Company { return Company{p} }

// InForce tells whether the authority in force is one that another has signed.
func (c Company) InForce() bool {
	text, _ := c.state.File(CAFile(c.authority, ".crt"))
	info, err := pki.Inspect(text)
	return err == nil && info.Issuer != info.Subject
}

// Request returns the request that is open, nil where there is none.
func (c Company) Request() []byte {
	text, _ := c.state.File(CAFile(requestName(c.authority), ".csr"))
	return text
}

// RequestFile is where it lies, relative to the state directory.
func (c Company) RequestFile() string { return CAFile(requestName(c.authority), ".csr") }

// Imported returns the chain that the next replacement brings in, nil where there is none, and the
// fingerprint of its authority (pki.Info.SHA256).
func (c Company) Imported() (chain []byte, fingerprint string, err error) {
	chain, err = c.state.Read(CAFile(importedName(c.authority), ".crt"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	info, err := pki.Inspect(chain)
	return chain, info.SHA256, err
}

// Ask makes a new key and a request for it. What was asked for before is forgotten, with what was
// imported for it.
func (c Company) Ask(sp *spec.Spec) (request []byte, err error) {
	request, key, err := pki.NewSigningRequest(CAName(sp, c.authority), CaOptions(sp)...)
	if err != nil {
		return nil, err
	}
	if err := c.forgetRequest(); err != nil {
		return nil, err
	}
	// The request comes last: without it the key was never used.
	if err := c.state.Write(CAFile(requestName(c.authority), ".key"),
		key.Reveal()); err != nil {
		return nil, err
	}
	return request, c.state.Write(c.RequestFile(), request)
}

func (p Replacement) forgetRequest() error {
	for _, name := range []string{CAFile(importedName(p.authority), ".crt"),
		CAFile(requestName(p.authority), ".csr"), CAFile(requestName(p.authority), ".key")} {
		if err := p.state.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// ErrNoRequest: no request is open that a certificate could be of.
var ErrNoRequest = errs.New(errs.Refused, "no request is open")

// Read judges the certificate that a company has made for the open request (pki.ReadSigned), for
// all certificates that the authority will issue, and returns its chain. Nothing is written.
func (c Company) Read(sp *spec.Spec, text []byte) (chain []byte, err error) {
	key, err := c.state.Read(CAFile(requestName(c.authority), ".key"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoRequest
	}
	if err != nil {
		return nil, err
	}
	return pki.ReadSigned(text, key, pki.SignedOptions{Leaf: LeafOf(sp, c.authority)})
}

// Take keeps a chain that Read returned.
func (c Company) Take(chain []byte) error {
	return c.state.Keep(CAFile(importedName(c.authority), ".crt"), chain)
}

// LeafOf is one certificate with all names and usages of those that an authority issues.
func LeafOf(sp *spec.Spec, authority string) pki.Request {
	all := pki.Request{CommonName: CAName(sp, authority)}
	add := func(list []certs.Certificate) {
		for _, of := range list {
			if of.Authority != authority {
				continue
			}
			all.Usage |= of.Request.Usage
			all.DNSNames = append(all.DNSNames, of.Request.DNSNames...)
			all.IPs = append(all.IPs, of.Request.IPs...)
			all.Lifetime = max(all.Lifetime, of.Request.Lifetime)
		}
	}
	add(certs.OfOperator(sp))
	for _, h := range sp.CertifiedHosts() {
		add(certs.OfHost(sp, h))
	}
	return all
}

// introduceImported puts the authority with this fingerprint beside the one in force.
func (p Replacement) introduceImported(fingerprint string) error {
	chain, found, err := p.Company().Imported()
	if err == nil && found != fingerprint {
		err = errs.WithNext(fmt.Errorf("%w: this state directory has not the authority that was "+
			"imported", errs.ErrRefused), errs.Text("%s takes the change back; then %s brings one in",
			errs.Verb("change", "undo"), errs.Verb("certificates", "import")))
	}
	if err != nil {
		return fmt.Errorf("bring in the imported %s authority: %w", p.authority, err)
	}
	key, err := p.state.Read(CAFile(requestName(p.authority), ".key"))
	if err == nil {
		_, err = pki.LoadCA(chain, key)
	}
	if err == nil {
		err = p.state.Write(CAFile(nextName(p.authority), ".key"), key)
	}
	if err == nil {
		err = p.state.Write(CAFile(nextName(p.authority), ".crt"), chain)
	}
	if err != nil {
		return fmt.Errorf("bring in the imported %s authority: %w", p.authority, err)
	}
	return nil
}

// settleImported forgets the request of an authority that is in force by now.
func (p Replacement) settleImported() error {
	chain, _, err := p.Company().Imported()
	if err != nil || chain == nil {
		return err
	}
	now, err := p.state.Read(CAFile(p.authority, ".crt"))
	if err != nil || !bytes.Equal(now, chain) {
		return err
	}
	return p.forgetRequest()
}

// mayImport are the authorities that a company's intermediate can be.
var mayImport = map[string]bool{layout.PostgresAuthority: true, layout.EtcdAuthority: true}

// ErrNotForCompany: an authority that cannot be one of a company.
var ErrNotForCompany = errs.New(errs.Refused, "it cannot be an authority of a company")

// Possible is ErrNotForCompany for an authority whose servers verify those who dial them and cannot
// do that by an intermediate alone. Python does from 3.13 on, and Debian 12 and Ubuntu 24.04 have
// earlier ones; pgBackRest (2.60) does not: given the intermediate it lets nobody in, and given the
// root beside it whoever has a certificate of the company.
func (c Company) Possible() error {
	if mayImport[c.authority] {
		return nil
	}
	server := "Patroni's REST API"
	if c.authority == layout.BackupAuthority {
		server = "pgBackRest's server"
	}
	return errs.WithNext(fmt.Errorf("%s: %w: %s verifies who dials it, and its OpenSSL takes no "+
		"intermediate for an anchor: with the root beside it every certificate of the company would "+
		"open it", layout.AuthorityName(c.authority), ErrNotForCompany, server),
		errs.Text("leave this one to the tool, it is used inside the cluster alone: applications "+
			"meet postgres"))
}
