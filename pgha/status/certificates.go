package status

import (
	"fmt"
	"time"

	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
)

// CertificateStatus is one certificate: as it lies on its host, or in the state directory.
type CertificateStatus struct {
	Name     string    `json:"name"`
	NotAfter time.Time `json:"not_after"`
	DaysLeft int       `json:"days_left"`
	// Host is where it lies; "" for the authorities and the operator's own, which lie in the state
	// directory, and for those of a host that cannot be asked: these are as it got them last.
	Host string `json:"host,omitempty"`
	// Authority is the name of an authority for operators; "" of another certificate. EndsSoon: it,
	// or one above it, wants to be replaced (pki.Info.EndsSoon).
	Authority string `json:"authority,omitempty"`
	EndsSoon  bool   `json:"ends_soon,omitempty"`
	// Error is why it is worth nothing now: it has ended, has not begun, or cannot be read.
	Error string `json:"error,omitempty"`
}

// certificateOf describes a certificate at a moment.
func certificateOf(name, host string, pem []byte, now time.Time) CertificateStatus {
	info, err := pki.Inspect(pem)
	if err != nil {
		return CertificateStatus{Name: name, Host: host, Error: "cannot be read"}
	}
	c := CertificateStatus{Name: name, Host: host, NotAfter: info.NotAfter,
		DaysLeft: info.DaysLeft(now)}
	switch {
	case now.After(info.NotAfter):
		c.Error = "ended on " + info.NotAfter.Format(time.DateTime) + " UTC"
	case now.Before(info.NotBefore):
		c.Error = "begins on " + info.NotBefore.Format(time.DateTime) + " UTC"
	}
	return c
}

// authorityStatus describes the first of an authority and those above it to end.
func authorityStatus(authority string, chain []byte, now time.Time) CertificateStatus {
	c := certificateOf(authority+" CA", "", chain, now)
	c.Authority = layout.AuthorityName(authority)
	first, err := pki.FirstEnd(chain)
	if err != nil {
		return c
	}
	if c.EndsSoon = first.EndsSoon(now); first.NotAfter.Before(c.NotAfter) {
		c.NotAfter, c.DaysLeft = first.NotAfter, first.DaysLeft(now)
		if now.After(c.NotAfter) {
			c.Error = "ended on " + c.NotAfter.Format(time.DateTime) + " UTC"
		}
	}
	return c
}

// certificateStatus describes the certificates of the state directory, then those of the hosts as
// they lie there.
func certificateStatus(c *site.Site, said map[string]hostSaid, now time.Time) []CertificateStatus {
	cr := c.Credentials()
	var all []CertificateStatus
	type own struct {
		name string
		pem  []byte
	}
	for _, authority := range []string{layout.EtcdAuthority, layout.PatroniAuthority,
		layout.PostgresAuthority, layout.BackupAuthority} {
		if authority == layout.BackupAuthority && c.Spec.Backup == nil {
			continue
		}
		all = append(all, authorityStatus(authority, cr.Chain(authority), now))
	}
	here := []own{
		{"operator to etcd", cr.EtcdOperator.Cert},
		{"operator to patroni", cr.PatroniOperator.Cert},
	}
	for _, own := range here {
		all = append(all, certificateOf(own.name, "", own.pem, now))
	}
	for _, h := range c.Spec.CertifiedHosts() {
		files := said[h.Name].certificates
		for _, at := range certs.OfHost(c.Spec, h) {
			host, pem := h.Name, files[at.File]
			if files == nil {
				host, pem = "", cr.Hosts[h.Name][at.Name].Cert
			}
			all = append(all, certificateOf(h.Name+" "+at.Label(), host, pem, now))
		}
	}
	return all
}

// certificateProblems says once for each place what is wrong with its certificates.
func certificateProblems(s Status) []string {
	var places []string
	bad := map[string][]CertificateStatus{}
	total := map[string]int{}
	for _, c := range s.Certificates {
		total[c.Host]++
		if c.Error == "" {
			continue
		}
		if bad[c.Host] == nil {
			places = append(places, c.Host)
		}
		bad[c.Host] = append(bad[c.Host], c)
	}
	var found []string
	for _, place := range places {
		first := bad[place][0]
		text := fmt.Sprintf("the certificate %s %s", first.Name, first.Error)
		if n := len(bad[place]); n > 1 {
			text = fmt.Sprintf("%d of %d certificates %s are worth nothing: %s %s, ...", n,
				total[place],
				where(place), first.Name, first.Error)
		}
		found = append(found, text)
	}
	return found
}

// where a certificate lies.
func where(host string) string {
	if host == "" {
		return "in the state directory"
	}
	return "on " + host
}
