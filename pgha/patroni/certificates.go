package patroni

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"slices"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/patroni/host"
	"github.com/pgha/toolkit/pgha/remote"
)

// SetRESTCertificates gives the REST API of a running cluster the certificates of the options
// (RESTCA, and REST and RESTClient of each member), one member after the other, the leader last:
// each is reloaded, and must present its certificate and be healthy before the next one begins.
// PostgreSQL and its sessions are not touched. The REST API itself is away for half a second at
// most.
//
// Patroni reads its CA again only together with a new server certificate, so anyone who changes
// RESTCA reissues REST as well.
//
// Safe to repeat. The error matches ErrInvalid, ErrUnavailable or ErrTimeout (bounded by Wait for
// each member); members behind the one that failed are left as they were. When the targets only
// plan, the changes are reported and nothing is waited for.
func SetRESTCertificates(ctx context.Context, o Options) error {
	o = o.WithDefaults()
	if err := setRESTCertificates(ctx, o); err != nil {
		return fmt.Errorf("set the REST API's certificates: %w", err)
	}
	return nil
}

func setRESTCertificates(ctx context.Context, o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	c := newOperator(o)
	state, err := c.Cluster(ctx)
	if err != nil {
		return err
	}
	for _, i := range inTurn(o.Members, state) {
		m := o.Members[i]
		if err := c.setRESTCertificate(ctx, m); err != nil {
			return remote.OnHost(m.Target.Name, err)
		}
	}
	return nil
}

func (c *operator) setRESTCertificate(ctx context.Context, m Member) error {
	var list remote.Together
	var paths []string
	server, client := layout.CertificateOf(layout.RESTServer),
		layout.CertificateOf(layout.RESTClient)
	for _, f := range host.Certificates(c.options, m) {
		if slices.Contains([]string{server.CA, server.File, server.Key, client.File, client.Key},
			f.Path) {
			list, paths = append(list, f), append(paths, f.Path)
		}
	}
	if _, err := m.Target.Ensure(ctx, list, remote.Unit{Name: Unit, ReloadOn: paths}); err != nil ||
		c.options.Planning() {
		return err
	}
	if err := c.awaitPresented(ctx, m); err != nil {
		return err
	}
	return c.waitHealthy(ctx, c.options.Wait)
}

// present makes the REST API of a member that has reloaded present its certificate. A reload that
// brings another config.yml does not look at the certificate (Patroni 4.1.5), the next one does.
func (c *operator) present(ctx context.Context, m Member) error {
	want, _ := pem.Decode(m.REST.Cert)
	if got, err := c.Presented(ctx, m.Name); err != nil || want != nil &&
		bytes.Equal(got, want.Bytes) {
		return err
	}
	if err := c.reload(ctx, m); err != nil {
		return err
	}
	return c.awaitPresented(ctx, m)
}

// awaitPresented waits until the REST API of a member that was told to reload presents its
// certificate.
func (c *operator) awaitPresented(ctx context.Context, m Member) error {
	want, _ := pem.Decode(m.REST.Cert)
	if want == nil {
		return fmt.Errorf("%w: the REST server certificate is no PEM", ErrInvalid)
	}
	wake := c.waker()
	what := poll.Options{What: m.Name + " to present its new certificate", Bound: c.options.Wait}
	err := poll.Until(ctx, what, func(ctx context.Context) (string, error) {
		got, err := c.Presented(ctx, m.Name)
		if err != nil || bytes.Equal(got, want.Bytes) {
			return "", err
		}
		wake(ctx) // it reloads when it looks at its cluster the next time
		return "another certificate", nil
	})
	return remote.WithHint(err, "see `journalctl -u patroni -n 50` on "+m.Target.Name)
}
