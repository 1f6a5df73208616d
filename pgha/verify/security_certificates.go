package verify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/errlist"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// dueBefore is how long before its end a certificate is a problem; less for one that lasts less than ten times as long.
const dueBefore = 14 * vault.Day

// hostCertificate is a certificate that lies on a database host.
type hostCertificate struct {
	file, caFile string
	ca           []byte // the operator's
	server       bool   // it must carry the host's names
	client       bool
	postgres     bool // and the virtual IP's
}

func hostCertificates(c *site.Site) []hostCertificate {
	const e, p = "/etc/etcd/certs/", "/etc/patroni/certs/"
	cr := c.Credentials
	return []hostCertificate{
		{file: e + "server.crt", caFile: e + "ca.crt", ca: cr.EtcdCA, server: true},
		{file: e + "peer.crt", caFile: e + "ca.crt", ca: cr.EtcdCA, server: true, client: true},
		{file: e + "gateway.crt", caFile: e + "ca.crt", ca: cr.EtcdCA, client: true},
		{file: p + "etcd-client.crt", caFile: p + "etcd-ca.crt", ca: cr.EtcdCA, client: true},
		{file: p + "rest-server.crt", caFile: p + "rest-ca.crt", ca: cr.PatroniCA, server: true},
		{file: p + "rest-client.crt", caFile: p + "rest-ca.crt", ca: cr.PatroniCA, client: true},
		{file: p + "postgres-server.crt", caFile: p + "postgres-ca.crt", ca: cr.PostgresCA, server: true, postgres: true},
	}
}

// checkCertificates looks at what lies on the hosts, and at what the servers show: they may not have read it yet.
func checkCertificates(ctx context.Context, c *site.Site) (string, error) {
	databases, err := c.Databases()
	if err != nil {
		return "", err
	}
	list, now := hostCertificates(c), time.Now()
	err = remote.Each(ctx, databases, func(ctx context.Context, t *remote.Target) error {
		h, err := c.Spec.Host(t.Name)
		if err != nil {
			return err
		}
		var argvs [][]string
		for _, hc := range list {
			argvs = append(argvs, []string{"cat", hc.file}, []string{"cat", hc.caFile})
		}
		problems := make([]error, 1+len(doors(c)))
		var wg sync.WaitGroup
		wg.Go(func() {
			res, err := t.Batch(ctx, argvs...)
			problems[0] = err
			for i := range res[:min(len(res), 2*len(list))] {
				if i%2 == 0 {
					problems[0] = errlist.Join(problems[0], list[i/2].judge(res[i].Stdout, res[i+1].Stdout, c.Spec, h, now))
				}
			}
		})
		for i, d := range doors(c) {
			wg.Go(func() { problems[i+1] = judgeShown(ctx, c, t, d, h, now) })
		}
		wg.Wait()
		return errlist.Join(problems...)
	})
	return fmt.Sprintf("%d on each database host, and what %d servers show", len(list), len(doors(c))), err
}

// judgeShown looks at the certificate that a server shows.
func judgeShown(ctx context.Context, c *site.Site, t *remote.Target, d door, h spec.Host, now time.Time) error {
	state, err := d.handshake(ctx, t, tls.VersionTLS12, 0, true)
	if err != nil {
		return err
	}
	return judgeLeaf(d.name, state.PeerCertificates[0], neededNames(c.Spec, h, d.postgres), now)
}

// judge looks at a certificate file with the CA file beside it.
func (hc hostCertificate) judge(text, caText []byte, sp *spec.Spec, h spec.Host, now time.Time) error {
	block, _ := pem.Decode(text)
	if block == nil {
		return fmt.Errorf("%s holds no certificate", hc.file)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return fmt.Errorf("%s: %w", hc.file, err)
	}
	var usages []x509.ExtKeyUsage
	if hc.server {
		usages = append(usages, x509.ExtKeyUsageServerAuth)
	}
	if hc.client {
		usages = append(usages, x509.ExtKeyUsageClientAuth)
	}
	for _, authority := range []struct {
		name string
		pem  []byte
	}{{"the operator's CA", hc.ca}, {hc.caFile, caText}} {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(authority.pem)
		for _, usage := range usages {
			// The time is judged below, in words of its own.
			_, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{usage}, CurrentTime: cert.NotAfter.Add(-time.Second)})
			if err != nil {
				return fmt.Errorf("%s is not of %s: %w", hc.file, authority.name, err)
			}
		}
	}
	var names []string
	if hc.server {
		names = neededNames(sp, h, hc.postgres)
	}
	return judgeLeaf(hc.file, cert, names, now)
}

// judgeLeaf looks at names and dates.
func judgeLeaf(what string, cert *x509.Certificate, names []string, now time.Time) error {
	var missing []string
	for _, name := range names {
		if cert.VerifyHostname(name) != nil {
			missing = append(missing, name)
		}
	}
	var problems []error
	if len(missing) > 0 {
		problems = append(problems, fmt.Errorf("the certificate of %s does not name %s", what, strings.Join(missing, ", ")))
	}
	due := min(dueBefore, cert.NotAfter.Sub(cert.NotBefore)/10)
	switch left := cert.NotAfter.Sub(now); {
	case now.Before(cert.NotBefore):
		problems = append(problems, fmt.Errorf("the certificate of %s begins %s only", what, cert.NotBefore.UTC().Format(time.RFC3339)))
	case left <= 0:
		problems = append(problems, fmt.Errorf("the certificate of %s ended %s", what, cert.NotAfter.UTC().Format(time.RFC3339)))
	case left < due:
		problems = append(problems, fmt.Errorf("the certificate of %s ends in %s", what, left.Round(time.Minute)))
	}
	return errors.Join(problems...)
}

// neededNames are those by which clients reach a host's servers; PostgreSQL is reached by the balancers' and the virtual IP,
// too.
func neededNames(sp *spec.Spec, h spec.Host, postgres bool) []string {
	names, addresses := vault.ServerNames(h)
	if postgres {
		if vip, ok := vault.VipAddress(sp); ok {
			addresses = append(addresses, vip)
		}
		for _, b := range sp.Balancers() {
			bn, ba := vault.ServerNames(b)
			names, addresses = append(names, bn...), append(addresses, ba...)
		}
	}
	for _, a := range addresses {
		names = append(names, netip.Addr(a).String())
	}
	slices.Sort(names)
	return slices.Compact(names)
}
