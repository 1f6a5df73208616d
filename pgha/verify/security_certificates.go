package verify

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// checkCertificates looks at what lies on the hosts, and at what the servers show: they may not
// have read it yet. It calls wrong what apply would replace.
func checkCertificates(ctx context.Context, c *site.Site) (string, error) {
	databases, err := c.Databases()
	if err != nil {
		return "", err
	}
	now := time.Now()
	err = remote.Each(ctx, databases, func(ctx context.Context, t *remote.Target) error {
		h, err := c.Spec.Host(t.Name)
		if err != nil {
			return err
		}
		problems := make([]error, 1+len(endpoints(c)))
		var wg sync.WaitGroup
		wg.Go(func() { problems[0] = judgeHeld(ctx, c, t, h, now) })
		for i, d := range endpoints(c) {
			wg.Go(func() { problems[i+1] = judgeShown(ctx, c, t, d, h, now) })
		}
		wg.Wait()
		return errs.Join(problems...)
	})
	return fmt.Sprintf("%d on each database host, and what %d servers show",
		len(layout.Certificates()),
		len(endpoints(c))), err
}

// judgeHeld looks at a host's certificates, with the authorities and the keys beside them. Of a
// key only the public half leaves the host.
func judgeHeld(ctx context.Context, c *site.Site, t *remote.Target, h spec.Host,
	now time.Time) error {
	cr, list := c.Credentials(), certs.OfHost(c.Spec, h)
	const each = 3
	var argvs [][]string
	for _, of := range list {
		argvs = append(argvs, []string{"cat", of.File}, []string{"cat", of.CA},
			[]string{"openssl", "pkey", "-in", of.Key, "-pubout"})
	}
	res, err := t.Batch(ctx, argvs...)
	problems := []error{err}
	for i, of := range list[:len(res)/each] {
		cert, ca, public := res[each*i].Stdout, res[each*i+1].Stdout, res[each*i+2].Stdout
		problems = append(problems, judge(of, cr.Authority(of.Authority), ca, cert, public, now))
	}
	return errs.Join(problems...)
}

// judge looks at one certificate: the operator's authority must have signed it, and one of those
// beside it, by which its user trusts others.
func judge(of certs.Certificate, ours, beside, cert, public []byte, now time.Time) error {
	if err := of.Judge(ours, cert, certs.KeyFits(cert, public), now); err != nil {
		return wrong(of.File, err)
	}
	if err := of.Judge(beside, cert, true, now); errors.Is(err, pki.ErrUntrusted) {
		return fmt.Errorf("%s is not of %s", of.File, of.CA)
	}
	return nil
}

// judgeShown looks at the certificate that a server shows. The handshake has shown that it has the
// key.
func judgeShown(ctx context.Context, c *site.Site, t *remote.Target, d endpoint, h spec.Host,
	now time.Time) error {
	state, err := d.handshake(ctx, t, tls.VersionTLS12, 0, true)
	if err != nil {
		return err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE",
		Bytes: state.PeerCertificates[0].Raw})
	if err := certs.Named(c.Spec, h, d.certificate).Judge(d.ca, cert, true, now); err != nil {
		return wrong(d.name, err)
	}
	return nil
}

// wrong says in one line what is wrong with a certificate.
func wrong(what string, err error) error {
	var why pki.Reasons
	switch {
	case errors.Is(err, pki.ErrInvalidPEM):
		return fmt.Errorf("%s holds no certificate", what)
	case !errors.As(err, &why):
		return err
	case errors.Is(err, pki.ErrUntrusted):
		return fmt.Errorf("%s is not of the operator's CA: %w", what, why)
	}
	return fmt.Errorf("the certificate of %s: %w", what, why)
}
