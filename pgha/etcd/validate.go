package etcd

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"

	"github.com/pgha/toolkit/internal/etcdrelease"
	"github.com/pgha/toolkit/internal/syntax"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/pki"
)

// What goes into unit, environment file and --initial-cluster unquoted is kept plain.
var (
	nameSyntax      = regexp.MustCompile(syntax.Name)
	directorySyntax = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`)
	// a backslash at the end joins the next line
	directiveSyntax = regexp.MustCompile(`^[A-Z][A-Za-z]*=([^\n\r\x00]*[^\n\r\x00\\])?$`)
)

// problems collects what is wrong.
type problems []error

func (p *problems) add(err error)                   { *p = append(*p, err) }
func (p *problems) addf(format string, args ...any) { p.add(fmt.Errorf(format, args...)) }

// Validate reports everything that is wrong with the options at once, joined by errs.Join. It looks
// at no host. Bootstrap and Install call it.
func (o Options) Validate() error {
	o = o.withDefaults()
	var p problems
	o.checkMembers(&p)
	o.checkCertificates(&p)
	o.checkSettings(&p)
	p.add(o.checkVersion())
	o.checkArchive(&p)
	return errs.Join(p...)
}

func (o Options) checkMembers(p *problems) {
	if n := len(o.Members); n == 0 || n%2 == 0 && !o.Even {
		p.addf("etcd needs an odd number of members, got %d: an even number survives no more "+
			"failures", len(o.Members))
	}
	names, addresses := map[string]bool{}, map[string]bool{}
	for _, m := range o.Members {
		switch {
		case !nameSyntax.MatchString(m.Name):
			p.addf("etcd member name %q: letters, digits, '.', '_' and '-' only, 63 at most",
				m.Name)
		case names[m.Name]:
			p.addf("etcd member name %q is used twice", m.Name)
		}
		switch ip := net.ParseIP(m.Address); {
		case ip == nil || ip.IsUnspecified():
			p.addf("etcd member %s: %q is not an IP address that others can reach", m.Name,
				m.Address)
		case addresses[ip.String()]:
			p.addf("etcd member %s: address %s is used twice", m.Name, m.Address)
		default:
			addresses[ip.String()] = true
		}
		if m.Target == nil {
			p.addf("etcd member %s has no target", m.Name)
		}
		names[m.Name] = true
	}
}

// checkCertificates finds before anything is changed what etcd would only tell in its log.
func (o Options) checkCertificates(p *problems) {
	if _, err := pki.Inspect(o.CA); err != nil {
		p.addf("etcd CA: there is no certificate in it")
		return
	}
	check := func(what string, pair pki.KeyPair, usage pki.Usage, address string) {
		_, err := pair.TLS()
		if err == nil {
			err = pki.Verify(pair.Cert, o.CA, pki.VerifyOptions{Usage: usage, Name: address})
		}
		if err != nil {
			p.addf("etcd certificate %s: %w", what, err)
		}
	}
	check("of the operator", o.Client, pki.ClientUsage, "")
	for _, m := range o.Members {
		check("for clients of "+m.Name, m.Server, pki.ServerUsage, m.Address)
		check("for peers of "+m.Name, m.Peer, pki.PeerUsage, m.Address)
		if m.Gateway.IsZero() {
			check("for clients of "+m.Name+", which is the gateway's too", m.Server,
				pki.ClientUsage, "")
		} else {
			check("for the gateway of "+m.Name, m.Gateway, pki.ClientUsage, "")
		}
	}
}

func (o Options) checkSettings(p *problems) {
	if o.ElectionTimeout < 5*o.HeartbeatInterval {
		p.addf("etcd's election timeout %s is less than five heartbeats of %s", o.ElectionTimeout,
			o.HeartbeatInterval)
	}
	if !directorySyntax.MatchString(o.DataDir) {
		p.addf("etcd's data directory %q is not a plain absolute path", o.DataDir)
	}
	if !nameSyntax.MatchString(o.Token) {
		p.addf("etcd's token %q: letters, digits, '.', '_' and '-' only, 63 at most", o.Token)
	}
	if o.ClientPort == o.PeerPort {
		p.addf("etcd cannot serve clients and peers on the same port %d", o.ClientPort)
	}
	if port := o.MetricsPort; port != 0 && (port == o.ClientPort || port == o.PeerPort) {
		p.addf("etcd cannot serve metrics on port %d, which clients or peers have", port)
	}
	if o.QuotaBytes < 0 {
		p.addf("etcd's quota of %d bytes is negative", o.QuotaBytes)
	}
	for _, line := range o.Unit {
		if !directiveSyntax.MatchString(line) {
			p.addf("etcd's unit: %q is not one line of the form Directive=value", line)
		}
	}
}

func (o Options) checkVersion() error {
	if o.Source == SourceDistribution {
		return nil
	}
	if err := etcdrelease.Check(o.Version); err != nil {
		return fmt.Errorf("%w; %s", err, etcdrelease.Remedy())
	}
	return nil
}

func (o Options) checkArchive(p *problems) {
	sources := []Source{SourceRelease, SourceArchive, SourceDistribution}
	if !slices.Contains(sources, o.Source) {
		p.addf("etcd source %q is none of %v", o.Source, sources)
	}
	if o.Source == SourceArchive && o.Archive == "" {
		p.add(errors.New("etcd source archive: no archive is named"))
	}
	if o.Source == SourceDistribution {
		return
	}
	sum, err := hex.DecodeString(o.SHA256)
	switch {
	case o.SHA256 == "" && (o.URL != "" || o.Source == SourceArchive):
		p.add(errors.New("etcd archive: its SHA256 is missing, and no program is installed " +
			"unchecked"))
	case o.SHA256 != "" && (err != nil || len(sum) != 32):
		p.addf("etcd archive: %q is not a SHA256", o.SHA256)
	}
}
