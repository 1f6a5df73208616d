package verify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/connstring"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/wire"
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

// endpoints are the servers of a member's host that verify looks at; those of backups and of
// poolers have checks of their own.
func endpoints(c *site.Site, h spec.Host) []wire.Endpoint {
	return slices.DeleteFunc(wire.Of(c, h), func(e wire.Endpoint) bool {
		return e.Certificate == layout.Backup || e.Certificate == layout.Pooler
	})
}
