package verify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/connstring"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// request is one HTTP request from a host to itself that tries whether an endpoint is open.
type request struct {
	method, path string
	port         int
	ca           []byte      // the server must have its certificate from; nil asks without TLS
	own          pki.KeyPair // the certificate that is shown; none where it is zero
}

// tryRequest returns the HTTP status of the answer, or 0 when the server ended the connection
// without one: a handshake that it refused. The error says that there was no connection to refuse.
func tryRequest(ctx context.Context, c *site.Site, t *remote.Target,
	k request) (code int, err error) {
	scheme, config := "http", &tls.Config{MinVersion: tls.VersionTLS12}
	if k.ca != nil {
		scheme, config.RootCAs = "https", x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(k.ca)
	}
	if k.own.Cert != nil {
		pair, err := k.own.TLS()
		if err != nil {
			return 0, fmt.Errorf("load the certificate to show: %w", err)
		}
		// A server names the authorities that it trusts; this one is shown all the same.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &pair, nil
		}
	}
	var dialErr error
	transport := &http.Transport{TLSClientConfig: config,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := t.Dial(ctx, network, address)
			dialErr = err
			return conn, err
		}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, k.method,
		scheme+"://"+connstring.HostPort(t.Address, k.port)+k.path,
		strings.NewReader("{}"))
	if err != nil {
		return 0, err
	}
	resp, err := transport.RoundTrip(req)
	var unknown *tls.CertificateVerificationError
	switch {
	case dialErr != nil:
		return 0, dialErr
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case errors.As(err, &unknown):
		return 0, err
	case err != nil:
		return 0, nil // refused, as it should be
	}
	return resp.StatusCode, resp.Body.Close()
}

// endpoint is a TLS server on the database hosts.
type endpoint struct {
	name string
	port int
	ca   []byte
	own  pki.KeyPair // shown to servers that ask, so that they have no other reason to refuse
	// certificate is the name in the layout of what it shows. PostgreSQL is asked for TLS first.
	certificate string
}

// endpoints are those of a host's servers.
func endpoints(c *site.Site, h spec.Host) []endpoint {
	cr := c.Credentials()
	all := []endpoint{
		{"etcd's client port", c.Spec.Etcd.ClientPort, cr.EtcdCA, cr.EtcdOperator,
			layout.EtcdServer},
		{"etcd's peer port", c.Spec.Etcd.PeerPort, cr.EtcdCA, cr.EtcdOperator, layout.EtcdPeer},
		{"Patroni's REST API", c.Spec.Patroni.RESTPort, cr.PatroniCA, cr.PatroniOperator,
			layout.RESTServer},
		{"PostgreSQL", c.Spec.PostgreSQL.Port, cr.PostgresCA, pki.KeyPair{}, layout.Postgres},
	}
	held := certs.OfHost(c.Spec, h)
	return slices.DeleteFunc(all, func(e endpoint) bool {
		return !slices.ContainsFunc(held, func(of certs.Certificate) bool {
			return of.Name == e.certificate
		})
	})
}

// errRefused: the server ended a handshake.
var errRefused = errors.New("the handshake was refused")

// handshake opens a TLS session to an endpoint of a host, with versions in this range, and returns
// its state. With verify the server's certificate must be of the endpoint's authority and name the
// host's address. An error that matches errRefused comes from the server; any other one means that
// it could not be asked.
func (d endpoint) handshake(ctx context.Context, t *remote.Target, least, most uint16,
	verify bool) (tls.ConnectionState, error) {
	var state tls.ConnectionState
	raw, err := t.Dial(ctx, "tcp", connstring.HostPort(t.Address, d.port))
	if err != nil {
		return state, fmt.Errorf("%s: %w", d.name, err)
	}
	defer raw.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = raw.SetDeadline(deadline) // a connection that cannot is ended by HandshakeContext
	}
	if d.certificate == layout.Postgres {
		if err := askForTLS(raw); err != nil {
			return state, fmt.Errorf("%s: %w", d.name, err)
		}
	}
	config := &tls.Config{MinVersion: least, MaxVersion: most, ServerName: t.Address,
		RootCAs: x509.NewCertPool(), InsecureSkipVerify: !verify}
	config.RootCAs.AppendCertsFromPEM(d.ca)
	if d.own.Cert != nil {
		pair, err := d.own.TLS()
		if err != nil {
			return state, fmt.Errorf("load the certificate to show: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	conn := tls.Client(raw, config)
	err = conn.HandshakeContext(ctx)
	var unknown *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil:
		return state, fmt.Errorf("%s: %w", d.name, ctx.Err())
	case errors.As(err, &unknown):
		return state, fmt.Errorf("%s: %w", d.name, err)
	case err != nil:
		return state, fmt.Errorf("%s: %w: %w", d.name, errRefused, err)
	}
	return conn.ConnectionState(), nil
}

// askForTLS is what PostgreSQL's protocol begins with (SSLRequest).
func askForTLS(conn io.ReadWriter) error {
	var request [8]byte
	binary.BigEndian.PutUint32(request[:], 8)
	binary.BigEndian.PutUint32(request[4:], 80877103)
	if _, err := conn.Write(request[:]); err != nil {
		return err
	}
	var answer [1]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return err
	}
	if answer[0] != 'S' {
		return errors.New("offers no TLS")
	}
	return nil
}
