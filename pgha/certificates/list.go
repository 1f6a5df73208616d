package certificates

import (
	"context"
	"encoding/pem"
	"time"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
)

// Certificates are those of one cluster.
type Certificates struct{ site *site.Site }

// Of returns the certificates of a cluster. It contacts no host.
func Of(c *site.Site) Certificates { return Certificates{c} }

// Seen is a certificate as it was found in one place.
type Seen struct {
	// Serial is in hexadecimal, and SHA256 the fingerprint of the DER form; both lower case.
	Serial string `json:"serial,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	// Issuer is the name of the authority.
	Issuer    string    `json:"issuer,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	DaysLeft  int       `json:"days_left"`
	// Error is why it could not be seen, or is none; "" otherwise.
	Error string `json:"error,omitempty"`
}

// Shown is what a server showed in a handshake that its own host opened.
type Shown struct {
	// Server is for people: "etcd's client port".
	Server string `json:"server"`
	Port   int    `json:"port"`
	Seen
}

// Certificate is one certificate in all places where it is.
type Certificate struct {
	// Name is for people: "etcd server". Host has it; "" for the operator's own.
	Name string `json:"name"`
	Host string `json:"host,omitempty"`
	// Component uses it: "etcd", "patroni", "backup" or "pooler"; "" for the operator's own.
	Component string `json:"component,omitempty"`
	// Authority that issued it: etcd, postgres, rest or backup.
	Authority string `json:"authority"`
	// File is where it lies on the host.
	File string `json:"file,omitempty"`
	// State is as the state directory has it, Disk as it lies on its host, Wire what the servers
	// that use it show. Disk is nil for the operator's own and where the host could not be asked.
	State Seen    `json:"state"`
	Disk  *Seen   `json:"disk,omitempty"`
	Wire  []Shown `json:"wire,omitempty"`
	// Due: less than a third of its lifetime is left, so renewing replaces it.
	Due bool `json:"due,omitempty"`
	// Problem is what is wrong with it: it has ended, is not what it has to be, or differs between
	// these places. "" is none.
	Problem string `json:"problem,omitempty"`
}

// Authority is one that the state directory has.
type Authority struct {
	// Name is etcd, postgres, rest or backup. Role is "issues", and while it is replaced "next" for
	// the one that will, "former" for the one that has; "imported" for one of a company that waits
	// for its replacement, "requested" for a request that nothing was imported for.
	Name string `json:"name"`
	Role string `json:"role"`
	// File is relative to the state directory.
	File string `json:"file"`
	// Key: its private key is there.
	Key bool `json:"key"`
	Seen
	// ChainEnds is when the first ends of it and those above it, the end of every certificate that
	// it issues; it has none above it where that is its own end.
	ChainEnds time.Time `json:"chain_ends,omitzero"`
	// Root is the subject of the root that it comes from; "" where it is one itself.
	Root string `json:"root,omitempty"`
	// CutsShort: certificates of it end with it, or with one above it, a day or more before their time;
	// renewing does not help them, and replacing it does.
	CutsShort bool   `json:"cuts_short,omitempty"`
	Due       bool   `json:"due,omitempty"`
	Problem   string `json:"problem,omitempty"`
}

// Trust is a file of authorities on a host.
type Trust struct {
	Host      string `json:"host"`
	Component string `json:"component"`
	Authority string `json:"authority"`
	File      string `json:"file"`
	// SHA256 are the fingerprints of the authorities in it.
	SHA256  []string `json:"sha256"`
	Problem string   `json:"problem,omitempty"`
}

// Inventory is every certificate and every authority of a cluster at one moment. Its JSON form is
// stable: fields are added, never renamed.
type Inventory struct {
	Time         time.Time     `json:"time"`
	Authorities  []Authority   `json:"authorities"`
	Trust        []Trust       `json:"trust"`
	Certificates []Certificate `json:"certificates"`
}

// Problems are those of all, each with its place.
func (i Inventory) Problems() []string {
	var list []string
	for _, a := range i.Authorities {
		if a.Problem != "" {
			list = append(list, a.File+": "+a.Problem)
		}
	}
	for _, t := range i.Trust {
		if t.Problem != "" {
			list = append(list, t.Host+" "+t.File+": "+t.Problem)
		}
	}
	for _, c := range i.Certificates {
		if c.Problem != "" {
			list = append(list, where(c)+": "+c.Problem)
		}
	}
	return list
}

// Due counts what renewing replaces, and authorities that want to be replaced.
func (i Inventory) Due() int {
	n := 0
	for _, a := range i.Authorities {
		if a.Due {
			n++
		}
	}
	for _, c := range i.Certificates {
		if c.Due {
			n++
		}
	}
	return n
}

// where names a certificate with its host.
func where(c Certificate) string {
	if c.Host == "" {
		return c.Name
	}
	return c.Host + " " + c.Name
}

// List looks at every certificate and authority: in the state directory, on the hosts' disks, and
// as the servers show them. What cannot be asked is a problem in the inventory and no error.
// Changes nothing. Connect with AllowUnreachable and ReadOnly.
func (c Certificates) List(ctx context.Context) (Inventory, error) {
	now := time.Now()
	i := Inventory{Time: now.UTC(), Trust: []Trust{}}
	i.Authorities = authorities(c.site, now)
	hosts := lookAtHosts(ctx, c.site)
	i.Certificates = ownCertificates(c.site, now)
	for _, h := range c.site.Spec.Hosts {
		said := hosts[h.Name]
		i.Trust = append(i.Trust, trustOf(c.site, h, said)...)
		i.Certificates = append(i.Certificates, certificatesOf(c.site, h, said, now)...)
	}
	return i, ctx.Err()
}

// seen describes a certificate in PEM.
func seen(text []byte, now time.Time) Seen {
	info, err := pki.Inspect(text)
	if err != nil {
		return Seen{Error: "cannot be read as a certificate"}
	}
	s := Seen{Serial: info.Serial, SHA256: info.SHA256, Issuer: info.Issuer,
		NotBefore: info.NotBefore, NotAfter: info.NotAfter, DaysLeft: info.DaysLeft(now)}
	return s
}

// ended says in words that a certificate is out of its time; "" where it is not.
func (s Seen) ended(now time.Time) string {
	switch {
	case s.NotAfter.IsZero():
		return ""
	case now.After(s.NotAfter):
		return "ended on " + s.NotAfter.Format(time.DateTime) + " UTC"
	case now.Before(s.NotBefore):
		return "begins on " + s.NotBefore.Format(time.DateTime) + " UTC"
	}
	return ""
}

// shownPEM is the form in which certificates are compared and judged.
func shownPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// name is how operators call an authority.
func name(authority string) string { return layout.AuthorityName(authority) }
