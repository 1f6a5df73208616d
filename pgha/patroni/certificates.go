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
// (RESTCA, and REST and RESTClient of each member), as SetCertificates does.
func SetRESTCertificates(ctx context.Context, o Options) error {
	o = o.WithDefaults()
	if err := setCertificates(ctx, o, layout.RESTServer, layout.RESTClient); err != nil {
		return fmt.Errorf("set the REST API's certificates: %w", err)
	}
	return nil
}

// SetCertificates gives a running cluster the certificates and authorities of the options, and
// nothing else of them: one member after the other, the leader last. Each is reloaded, and must
// present its certificate of the REST API and be healthy before the next one begins. PostgreSQL is
// told to read its own again, too; its sessions are not touched. The REST API itself is away for
// half a second at most.
//
// Patroni reads its RESTCA again only together with a new server certificate, so anyone who changes
// RESTCA reissues REST as well. What it asks etcd with it reads for each new connection.
//
// Members whose Target is left out stay as they are. Safe to repeat. The error matches ErrInvalid,
// ErrUnavailable or ErrTimeout (bounded by Wait for each member); members behind the one that
// failed are left as they were. When the targets only plan, the changes are reported and nothing is
// waited for.
func SetCertificates(ctx context.Context, o Options) error {
	o = o.WithDefaults()
	err := setCertificates(ctx, o, layout.EtcdClient, layout.RESTServer, layout.RESTClient,
		layout.Postgres)
	if err != nil {
		return fmt.Errorf("set the certificates of Patroni and PostgreSQL: %w", err)
	}
	return nil
}

func setCertificates(ctx context.Context, o Options, names ...string) error {
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
		if m.Target.LeftOut {
			continue
		}
		if err := setCertificatesOf(ctx, c, m, names); err != nil {
			return remote.OnHost(m.Target.Name, err)
		}
	}
	return nil
}

// setCertificatesOf gives a member its certificates of these names, and the authorities beside
// them.
func setCertificatesOf(ctx context.Context, c *operator, m Member, names []string) error {
	var wanted, paths []string
	for _, name := range names {
		at := layout.CertificateOf(name)
		wanted = append(wanted, at.CA, at.File, at.Key)
	}
	var list remote.Together
	for _, f := range host.Certificates(c.options, m) {
		if slices.Contains(wanted, f.Path) {
			list, paths = append(list, f), append(paths, f.Path)
		}
	}
	changes, err := m.Target.Ensure(ctx, list, remote.Unit{Name: Unit, ReloadOn: paths})
	if err != nil || c.options.Planning() {
		return err
	}
	// What it presents shows that it has reloaded; without a new one the rounds of its loop do.
	if changes.Touched(Unit) && !changes.Touched(layout.CertificateOf(layout.RESTServer).File) {
		if err := c.waitReloaded(ctx, m); err != nil {
			return err
		}
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
