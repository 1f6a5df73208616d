package lb

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/syntax"
	"github.com/pgha/toolkit/pgha/errs"
)

// nameSyntax is what HAProxy accepts as the name of a server, without the colon that marks the
// primary's stand-in.
var nameSyntax = regexp.MustCompile(syntax.Name)

// Validate refuses options that cannot work, all flaws at once; the error matches ErrInvalid. It
// looks at no host and does without Balancers.
func (o Options) Validate() error {
	o = o.withDefaults()
	var flaws []error
	flaw := func(format string, args ...any) { flaws = append(flaws, fmt.Errorf(format, args...)) }
	names, addresses := map[string]bool{}, map[netip.Addr]bool{}
	if len(o.Backends) == 0 {
		flaw("there is no backend")
	}
	for _, b := range o.Backends {
		if !nameSyntax.MatchString(b.Name) {
			flaw("backend name %q: letters, digits, '.', '_' and '-' only, 63 at most", b.Name)
		}
		if b.CertName != "" && !nameSyntax.MatchString(b.CertName) {
			flaw("backend %q: certificate name %q is no DNS name", b.Name, b.CertName)
		}
		if names[b.Name] {
			flaw("backend name %q is there twice", b.Name)
		}
		names[b.Name] = true
		a, err := netip.ParseAddr(b.Address)
		if err != nil || a.Zone() != "" || a.IsUnspecified() {
			flaw("backend %q: address %q is no IP address of a host", b.Name, b.Address)
			continue
		}
		if addresses[a] {
			flaw("backend %q: address %s is there twice", b.Name, a)
		}
		addresses[a] = true
	}
	for what, networks := range map[string][]string{"clients": o.Clients,
		"metrics": o.MetricsNetworks} {
		for _, network := range networks {
			if _, err := netip.ParsePrefix(network); err != nil {
				flaw("%s: %q is not a network", what, network)
			}
		}
	}
	flaws = append(flaws, o.portFlaws()...)
	flaws = append(flaws, o.figureFlaws()...)
	if err := checkCA(o.PatroniCA); err != nil {
		flaws = append(flaws, err)
	}
	if len(flaws) > 0 {
		return fmt.Errorf("%w: %w", ErrInvalid, errs.Join(flaws...))
	}
	return nil
}

func (o Options) portFlaws() (flaws []error) {
	listening := map[int]string{}
	for _, p := range []struct {
		what    string
		port    int
		listens bool
	}{
		{"write port", o.WritePort, true},
		{"read port", o.ReadPort, true},
		{"former write port", o.FormerWritePort, o.FormerWritePort != 0},
		{"former read port", o.FormerReadPort, o.FormerReadPort != 0},
		{"health port", o.HealthPort, true},
		{"metrics port", o.MetricsPort, len(o.MetricsNetworks) > 0},
		{"PostgreSQL port", o.PostgresPort, false},
		{"REST port", o.RESTPort, false},
	} {
		if optional := strings.HasPrefix(p.what, "former"); optional && p.port == 0 {
			continue
		}
		if p.port < 1 || p.port > 65535 {
			flaws = append(flaws, fmt.Errorf("%s %d is not between 1 and 65535", p.what, p.port))
		}
		if !p.listens {
			continue
		}
		if other, taken := listening[p.port]; taken {
			flaws = append(flaws, fmt.Errorf("%s and %s are both %d", other, p.what, p.port))
		}
		listening[p.port] = p.what
	}
	return flaws
}

// longest is the longest time HAProxy can express, in milliseconds of a signed 32 bit number.
const longest = (1<<31 - 1) * time.Millisecond

func (o Options) figureFlaws() (flaws []error) {
	for _, d := range []struct {
		what  string
		value time.Duration
	}{
		{"check interval", o.Checks.Interval}, {"fast check interval", o.Checks.Fast},
		{"down check interval", o.Checks.Down},
		{"check timeout", o.Checks.Timeout}, {"connect timeout", o.ConnectTimeout},
		{"client timeout", o.ClientTimeout},
		{"server timeout", o.ServerTimeout},
	} {
		if d.value < 10*time.Millisecond || d.value > longest {
			flaws = append(flaws, fmt.Errorf("%s %s is not between 10ms and %s", d.what, d.value,
				longest))
		}
	}
	for _, n := range []struct {
		what       string
		value, max int
	}{{"fall", o.Checks.Fall, 100}, {"rise", o.Checks.Rise, 100},
		{"maximum of connections", o.MaxConn, 1_000_000}} {
		if n.value < 1 || n.value > n.max {
			flaws = append(flaws, fmt.Errorf("%s %d is not between 1 and %d", n.what,
				n.value, n.max))
		}
	}
	if o.ReadMaxLag < 0 {
		flaws = append(flaws, fmt.Errorf("maximum lag %d is negative", o.ReadMaxLag))
	}
	if o.Wait < 0 {
		flaws = append(flaws, fmt.Errorf("wait %s is negative", o.Wait))
	}
	return flaws
}

// checkCA makes sure that HAProxy will find at least one authority in the file, and nothing secret
// or broken.
func checkCA(bundle []byte) error {
	count := 0
	for rest := bundle; ; count++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("PatroniCA holds a %s", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("PatroniCA: %w", err)
		}
	}
	if count == 0 {
		return errors.New("PatroniCA holds no certificate")
	}
	return nil
}
