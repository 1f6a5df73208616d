package vault

import (
	"time"

	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// Shortened reports whether certificates of an authority end with it, or with one above it, a day
// or more before their time, and when that is. Replacing the authority is what helps.
func (c *Credentials) Shortened(sp *spec.Spec, authority string) (end time.Time, short bool) {
	first, err := pki.FirstEnd(c.Chain(authority))
	if err != nil { // there is none
		return time.Time{}, false
	}
	for _, h := range sp.CertifiedHosts() {
		for _, of := range certs.OfHost(sp, h) {
			leaf, err := pki.Inspect(c.Hosts[h.Name][of.Name].Cert)
			if of.Authority != authority || err != nil || leaf.NotAfter.Before(first.NotAfter) {
				continue
			}
			wanted := leaf.NotBefore.Add(pki.Backdate + of.Request.Lifetime)
			if !wanted.Before(leaf.NotAfter.Add(Day)) {
				return first.NotAfter, true
			}
		}
	}
	return first.NotAfter, false
}
