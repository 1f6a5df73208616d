package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// An authority is replaced without an interruption in stages. In the state directory ca/NAME is the
// one in force, which issues. While hosts are made to trust a second one, that is ca/NAME-next.
// Once all trust both, it is put in force, and what was before lies in ca/NAME-old, with its key as
// long as the way back is open. Without that key it is only remembered until no host trusts it any
// more. So at each moment the credentials that are loaded from the directory fit all hosts,
// whichever of them are done.

func nextName(authority string) string { return authority + "-next" }
func oldName(authority string) string  { return authority + "-old" }

// Rotation is how far the replacement of an authority is.
type Rotation struct {
	// Next: a second one is there, which issues nothing yet. Old: one of before is there, and
	// Reversible says that it has its key.
	Next, Old, Reversible bool
}

// Unfinished tells whether a replacement was begun and not finished.
func (r Rotation) Unfinished() bool { return r.Next || r.Old }

// Replacement is the replacement of one authority, in a state directory.
type Replacement struct {
	state     *State
	authority string
}

// Replacement returns that of an authority, whether one is under way or not.
func (s *State) Replacement(authority string) Replacement { return Replacement{s, authority} }

// Progress tells how far it is.
func (p Replacement) Progress() Rotation {
	authority := p.authority
	there := func(name, suffix string) bool {
		_, there := p.state.File(CAFile(name, suffix))
		return there
	}
	r := Rotation{Next: there(nextName(authority), ".crt"), Old: there(oldName(authority), ".crt")}
	r.Reversible = r.Old && there(oldName(authority), ".key")
	return r
}

// Rotating are the authorities whose replacement was begun and is not finished.
func (s *State) Rotating() []string {
	var list []string
	for _, name := range append(Authorities(), layout.BackupAuthority) {
		if s.Replacement(name).Progress().Unfinished() {
			list = append(list, name)
		}
	}
	return list
}

// Issuer returns the authority of that name that is in force, made at the first run, and what has
// to be trusted of all that are: more than one while it is replaced.
func (s *State) Issuer(sp *spec.Spec, authority string) (ca *pki.CA, trust Trust, err error) {
	name, other := authority, nextName(authority)
	r := s.Replacement(authority).Progress()
	switch {
	case r.Next && r.Old && s.ReadOnly:
		// The next one is being put in force: what of that is written is not known here.
		name, other = nextName(authority), oldName(authority)
	case r.Next && r.Old:
		if err := s.Replacement(authority).Adopt(); err != nil {
			return nil, Trust{}, err
		}
		other = oldName(authority)
	case r.Reversible:
		other = oldName(authority)
	case !r.Next:
		other = ""
	}
	if ca, err = s.Authority(name, CAName(sp, authority), CaOptions(sp)...); err != nil {
		return nil, Trust{}, err
	}
	trust = trustIn(ca.ChainPEM())
	if other == "" {
		return ca, trust, nil
	}
	second, err := s.Read(CAFile(other, ".crt"))
	if err == nil {
		trust, err = trust.and(trustIn(second))
	}
	if err != nil { // hosts may present certificates of it
		return nil, Trust{}, fmt.Errorf("load the second %s authority: %w", authority, err)
	}
	return ca, trust, nil
}

// Introduce makes a second authority, which is to be trusted from then on: the one that was
// imported with this fingerprint, or with "" one of the tool's own. Where a replacement is under
// way it does nothing.
func (p Replacement) Introduce(sp *spec.Spec, imported string) error {
	s, authority := p.state, p.authority
	if p.Progress().Unfinished() {
		return nil
	}
	// A key without its certificate is of a run that was cut off, and was never used.
	if err := s.Remove(CAFile(nextName(authority), ".key")); err != nil {
		return err
	}
	if imported != "" {
		return p.introduceImported(imported)
	}
	_, err := s.Authority(nextName(authority), CAName(sp, authority), CaOptions(sp)...)
	return err
}

// Adopt puts the next authority in force, and keeps the one of before with its key. Cut
// off anywhere it is finished by calling it again. Without a next one it does nothing.
func (p Replacement) Adopt() error {
	s, authority := p.state, p.authority
	if !p.Progress().Next {
		return nil
	}
	now, err := s.Read(CAFile(authority, ".crt"))
	if err != nil {
		return fmt.Errorf("adopt the new %s authority: %w", authority, err)
	}
	next, err := s.Read(CAFile(nextName(authority), ".crt"))
	if err != nil {
		return fmt.Errorf("adopt the new %s authority: %w", authority, err)
	}
	old, _ := s.File(CAFile(oldName(authority), ".crt"))
	if !bytes.Equal(now, next) && !bytes.Equal(now, old) {
		// The certificate of the old one comes last: with it the next one counts.
		err = p.copy(authority, oldName(authority))
	}
	if err == nil {
		err = p.copy(nextName(authority), authority)
	}
	if err != nil {
		return fmt.Errorf("adopt the new %s authority: %w", authority, err)
	}
	return p.remove(nextName(authority))
}

// copy copies key and certificate, in this order: without the certificate the key means
// nothing.
func (p Replacement) copy(from, to string) error {
	s := p.state
	for _, suffix := range []string{".key", ".crt"} {
		content, err := s.Read(CAFile(from, suffix))
		if err == nil {
			err = s.Keep(CAFile(to, suffix), content)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p Replacement) remove(name string) error {
	s := p.state
	if err := s.Remove(CAFile(name, ".crt")); err != nil {
		return err
	}
	return s.Remove(CAFile(name, ".key"))
}

// ErrNoWayBack: the key of the authority of before is gone.
var ErrNoWayBack = errs.New(errs.Refused, "the key of the former authority is deleted")

// Revert puts the authority with this fingerprint (pki.Info.SHA256) in force again, and
// forgets a second one that has issued nothing. Safe to repeat. ErrNoWayBack where its key is gone.
func (p Replacement) Revert(former string) error {
	authority, r := p.authority, p.Progress()
	if r.Next && r.Old {
		if err := p.Adopt(); err != nil {
			return err
		}
		r.Next = false
	}
	now, err := p.Issuing()
	if err != nil {
		return err
	}
	if now == former {
		if !r.Next {
			return nil
		}
		return p.remove(nextName(authority))
	}
	old, err := p.Former()
	if err != nil || old != former || !r.Reversible {
		return fmt.Errorf("%w: %s", ErrNoWayBack, authority)
	}
	if err := p.copy(oldName(authority), nextName(authority)); err != nil {
		return fmt.Errorf("bring the former %s authority back: %w", authority, err)
	}
	return p.Adopt()
}

// Issuing is the fingerprint of the authority that is in force, and Former that of the one of
// before, which is an error where there is none.
func (p Replacement) Issuing() (string, error) { return p.fingerprint(p.authority) }

// Former is the fingerprint of the authority of before.
func (p Replacement) Former() (string, error) { return p.fingerprint(oldName(p.authority)) }

func (p Replacement) fingerprint(name string) (string, error) {
	text, err := p.state.Read(CAFile(name, ".crt"))
	if err != nil {
		return "", fmt.Errorf("load the %s authority: %w", name, err)
	}
	info, err := pki.Inspect(text)
	return info.SHA256, err
}

// witnessLifetime is longer than any stage takes.
const witnessLifetime = 24 * time.Hour

// witness is the name of a certificate of the authority of before, with which it is tried whether
// servers let it in.
func witness(authority string) string { return filepath.Join("certs", "former-"+authority) }

// CloseWayBack deletes the key of the authority of before, so that it issues nothing any more, and
// is trusted no more from the next load on. A certificate of it that ends in a day stays as a
// witness. Without that key it does nothing.
func (p Replacement) CloseWayBack() error {
	s, authority := p.state, p.authority
	if !p.Progress().Reversible {
		return nil
	}
	cert, err := s.Read(CAFile(oldName(authority), ".crt"))
	if err != nil {
		return err
	}
	key, err := s.Read(CAFile(oldName(authority), ".key"))
	if err != nil {
		return err
	}
	if ca, err := pki.LoadCA(cert, key); err == nil {
		// One that has ended issues nothing, and is worth nothing either.
		leaf, err := ca.Issue(pki.Request{CommonName: "pgha-witness", Usage: pki.ClientUsage,
			Lifetime: witnessLifetime})
		if err == nil {
			if err := s.Write(witness(authority)+".key", leaf.KeyPEM.Reveal()); err != nil {
				return err
			}
			if err := s.Write(witness(authority)+".crt", leaf.KeyPair().Cert); err != nil {
				return err
			}
		}
	}
	return s.Remove(CAFile(oldName(authority), ".key"))
}

// Witness returns the certificate of the authority of before, and one that it has issued, with
// which nobody must be let in any more; zero values where there is none.
func (p Replacement) Witness() (former []byte, shown pki.KeyPair, err error) {
	s, authority := p.state, p.authority
	former, err = s.Read(CAFile(oldName(authority), ".crt"))
	// A company's root has signed the next one, too.
	former = trustIn(former).Servers
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return nil, pki.KeyPair{}, err
	}
	cert, certErr := s.Read(witness(authority) + ".crt")
	key, keyErr := s.Read(witness(authority) + ".key")
	if certErr != nil || keyErr != nil {
		return former, pki.KeyPair{}, nil
	}
	return former, pki.KeyPair{Cert: cert, Key: pki.NewSecret(key)}, nil
}

// Forget ends the replacement: nothing of the authority of before stays. What was imported stays
// where it did not come into force.
func (p Replacement) Forget() error {
	s, authority := p.state, p.authority
	if err := p.settleImported(); err != nil {
		return err
	}
	for _, name := range []string{witness(authority) + ".crt", witness(authority) + ".key",
		CAFile(oldName(authority), ".key"), CAFile(oldName(authority), ".crt")} {
		if err := s.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// Choice says what becomes of a certificate when credentials are loaded.
type Choice int

const (
	// AsDue replaces it when it does not do any more (certs.Certificate.Judge).
	AsDue Choice = iota
	// Stay leaves it as it is, where it is there.
	Stay
	// Anew replaces it.
	Anew
)

// choose says what becomes of a certificate.
func (s *State) choose(of certs.Certificate) Choice {
	if s.Choose == nil {
		return AsDue
	}
	return s.Choose(of)
}
