package patroni

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
)

// SetRESTCertificates gives the REST API of a running cluster the certificates of the options (RESTCA, and REST and RESTClient
// of each member), one member after the other, the leader last: each is reloaded, and must present its certificate and be
// healthy before the next one begins. PostgreSQL and its sessions are not touched. The REST API itself is away for
// half a second at most.
//
// Patroni reads its CA again only together with a new server certificate, so whoever changes RESTCA issues REST anew as well.
//
// Safe to repeat. The error matches ErrInvalid, ErrUnavailable or ErrTimeout (bounded by Wait for each member); members
// behind the one that failed are left as they were. When the targets only plan, the changes are reported and nothing is
// waited for.
func SetRESTCertificates(ctx context.Context, o Options) error {
	o = o.withDefaults()
	if err := o.setRESTCertificates(ctx); err != nil {
		return fmt.Errorf("set the REST API's certificates: %w", err)
	}
	return nil
}

func (o Options) setRESTCertificates(ctx context.Context) error {
	if err := o.Validate(); err != nil {
		return err
	}
	c := NewClient(o)
	state, err := c.Cluster(ctx)
	if err != nil {
		return err
	}
	for _, i := range o.inTurn(state) {
		m := o.Members[i]
		if err := c.setRESTCertificate(ctx, m); err != nil {
			return remote.OnHost(m.Target.Name, err)
		}
	}
	return nil
}

func (c *Client) setRESTCertificate(ctx context.Context, m Member) error {
	var list remote.Together
	var paths []string
	for _, f := range c.options.certificates(m) {
		switch f.Path {
		case restCA, restCert, restKey, restClientCert, restClientKey:
			list, paths = append(list, f), append(paths, f.Path)
		}
	}
	if _, err := m.Target.Ensure(ctx, list, remote.Unit{Name: Unit, ReloadOn: paths}); err != nil || c.options.planning() {
		return err
	}
	want, _ := pem.Decode(m.REST.Cert)
	if want == nil {
		return fmt.Errorf("%w: the REST server certificate is no PEM", ErrInvalid)
	}
	var woken time.Time
	err := poll(ctx, c.options.Wait, m.Name+" to present its new certificate", func(ctx context.Context) (bool, string, error) {
		got, err := c.presented(ctx, m)
		if err != nil {
			return false, err.Error(), nil
		}
		if bytes.Equal(got, want.Bytes) {
			return true, "", nil
		}
		if time.Since(woken) >= wakeEvery { // it reloads when it looks at its cluster the next time
			c.wake(ctx)
			woken = time.Now()
		}
		return false, "another certificate", nil
	})
	if err != nil {
		return remote.WithHint(err, "see `journalctl -u patroni -n 50` on "+m.Target.Name)
	}
	return c.waitHealthy(ctx, c.options.Wait)
}

// presented returns the certificate that a member's REST API presents, as DER. Only one of the options' RESTCA passes.
func (c *Client) presented(ctx context.Context, m Member) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	conn, err := m.Target.Dial(ctx, "tcp", hostPort(m.Address, c.options.RESTPort))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	config := c.tls.Clone()
	config.ServerName = m.Address
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return secured.ConnectionState().PeerCertificates[0].Raw, nil
}
