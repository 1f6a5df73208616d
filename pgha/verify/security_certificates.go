package verify

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/output"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/wire"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// checkCertificates looks at what lies on the hosts, and at what the servers show: they may not
// have read it yet. It calls wrong what apply would replace.
func checkCertificates(ctx context.Context, c *site.Site) (string, error) {
	members, err := c.MemberHosts()
	if err != nil {
		return "", err
	}
	now := time.Now()
	err = remote.Each(ctx, members, func(ctx context.Context, t *remote.Target) error {
		h, err := c.Spec.Host(t.Name)
		if err != nil {
			return err
		}
		shown := endpoints(c, h)
		problems := make([]error, 1+len(shown))
		var wg sync.WaitGroup
		wg.Go(func() { problems[0] = judgeHeld(ctx, c, t, h, now) })
		for i, d := range shown {
			wg.Go(func() { problems[i+1] = judgeShown(ctx, c, t, d, h, now) })
		}
		wg.Wait()
		return errs.Join(problems...)
	})
	return certificateDetail(c), err
}

// certificateDetail says how many there are: on each host, where all hosts have the same.
func certificateDetail(c *site.Site) string {
	held, shown := 0, 0
	members := c.Spec.MemberHosts()
	same := true
	for _, h := range members {
		list, servers := len(certs.OfHost(c.Spec, h)), len(endpoints(c, h))
		same = same && h.Has(spec.RoleDatabase) &&
			list == len(certs.OfHost(c.Spec, members[0]))
		held, shown = held+list, shown+servers
	}
	if same && len(members) > 0 {
		return fmt.Sprintf("%d on each database host, and what %d servers show",
			held/len(members), shown/len(members))
	}
	return fmt.Sprintf("%d on %d hosts, and what %d servers show", held, len(members), shown)
}

// judgeHeld looks at a host's certificates, with the authorities and the keys beside them. Of a
// key only the public half leaves the host.
func judgeHeld(ctx context.Context, c *site.Site, t *remote.Target, h spec.Host,
	now time.Time) error {
	cr, list := c.Credentials(), certs.OfHost(c.Spec, h)
	var paths []string
	for _, of := range list {
		paths = append(paths, of.File, of.CA)
	}
	slices.Sort(paths)
	argvs := [][]string{output.FilesQuestion(slices.Compact(paths)...)}
	for _, of := range list {
		argvs = append(argvs, []string{"openssl", "pkey", "-in", of.Key, "-pubout"})
	}
	res, err := t.Batch(ctx, argvs...)
	if err != nil {
		return err
	}
	files := output.Files(string(res[0].Stdout))
	var problems []error
	for i, of := range list {
		problems = append(problems, judge(of, cr.Authority(of.Authority), []byte(files[of.CA]),
			[]byte(files[of.File]),
			res[1+i].Stdout, now))
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
func judgeShown(ctx context.Context, c *site.Site, t *remote.Target, d wire.Endpoint, h spec.Host,
	now time.Time) error {
	state, err := d.Handshake(ctx, t, tls.VersionTLS12, 0, true)
	if err != nil {
		return err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE",
		Bytes: state.PeerCertificates[0].Raw})
	if err := certs.Named(c.Spec, h, d.Certificate).Judge(d.CA, cert, true, now); err != nil {
		return wrong(d.Name, err)
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
