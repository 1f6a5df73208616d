package wire

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/pgha/toolkit/internal/hostport"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// Endpoint is a TLS server on a host.
type Endpoint struct {
	Name string
	// Host is the name of its host, and Address where it is dialled and what its certificate has to
	// name; "" is the address of the host that dials.
	Host, Address string
	Port          int
	// CA are the authorities that its certificate must come from.
	CA []byte
	// Own is shown to servers that ask, so that they have no other reason to refuse.
	Own pki.KeyPair
	// Certificate is the name in the layout of what it shows.
	Certificate string
	// Authority is the layout's name of the authority of that certificate.
	Authority string
}

// Of returns the servers of a host: etcd's client and peer port, Patroni's REST API, PostgreSQL,
// pgBackRest and the poolers, as far as they run there.
func Of(c *site.Site, h spec.Host) []Endpoint {
	cr := c.Credentials()
	all := []Endpoint{
		{Name: "etcd's client port", Port: c.Spec.Etcd.ClientPort, CA: cr.EtcdCA,
			Own: cr.EtcdOperator, Certificate: layout.EtcdServer},
		{Name: "etcd's peer port", Port: c.Spec.Etcd.PeerPort, CA: cr.EtcdCA,
			Own: cr.EtcdOperator, Certificate: layout.EtcdPeer},
		{Name: "Patroni's REST API", Port: c.Spec.Patroni.RESTPort, CA: cr.PatroniCA,
			Own: cr.PatroniOperator, Certificate: layout.RESTServer},
		{Name: "PostgreSQL", Port: c.Spec.PostgreSQL.Port, CA: cr.PostgresCA,
			Certificate: layout.Postgres},
	}
	if c.Spec.Backup != nil {
		all = append(all, Endpoint{Name: "pgBackRest", Port: cmp.Or(c.Spec.Backup.Port, 8432),
			CA: cr.BackupCA, Own: cr.Hosts[h.Name][layout.Backup], Certificate: layout.Backup})
	}
	if c.Spec.Pooler != nil {
		for what, port := range map[string]int{"the pooler for writes": c.Spec.Pooler.WritePort,
			"the pooler for reads": c.Spec.Pooler.ReadPort} {
			all = append(all, Endpoint{Name: what, Port: port, CA: cr.PostgresCA,
				Certificate: layout.Pooler})
		}
	}
	held := certs.OfHost(c.Spec, h)
	all = slices.DeleteFunc(all, func(e Endpoint) bool {
		return !slices.ContainsFunc(held, func(of certs.Certificate) bool {
			return of.Name == e.Certificate
		})
	})
	for i := range all {
		all[i].Host, all[i].Address = h.Name, h.Address
		all[i].Authority = layout.CertificateOf(all[i].Certificate).Authority
	}
	slices.SortStableFunc(all, func(a, b Endpoint) int { return cmp.Compare(a.Port, b.Port) })
	return all
}

// ErrRefused: the server ended a handshake.
var ErrRefused = errors.New("the handshake was refused")

// Handshake opens a TLS session from a host, with versions in this range, and returns its state.
// With verify the server's certificate must be of the endpoint's authorities and name its address.
// An error that matches ErrRefused comes from the server, one of a certificate matches
// *tls.CertificateVerificationError; any other one means that it could not be asked. Whether a
// server lets a certificate in is known at the end of a handshake up to TLS 1.2 alone.
func (d Endpoint) Handshake(ctx context.Context, from *remote.Target, least, most uint16,
	verify bool) (tls.ConnectionState, error) {
	var state tls.ConnectionState
	address := cmp.Or(d.Address, from.Address)
	raw, err := from.Dial(ctx, "tcp", hostport.Join(address, d.Port))
	if err != nil {
		return state, fmt.Errorf("%s: %w", d.Name, err)
	}
	defer raw.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = raw.SetDeadline(deadline) // a connection that cannot is ended by HandshakeContext
	}
	if d.Certificate == layout.Postgres || d.Certificate == layout.Pooler {
		if err := askForTLS(raw); err != nil {
			return state, fmt.Errorf("%s: %w", d.Name, err)
		}
	}
	config := &tls.Config{MinVersion: least, MaxVersion: most, ServerName: address,
		RootCAs: x509.NewCertPool(), InsecureSkipVerify: !verify}
	config.RootCAs.AppendCertsFromPEM(d.CA)
	if d.Own.Cert != nil {
		pair, err := d.Own.TLS()
		if err != nil {
			return state, fmt.Errorf("load the certificate to show: %w", err)
		}
		// A server names the authorities that it trusts; this one is shown all the same.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &pair, nil
		}
	}
	conn := tls.Client(raw, config)
	err = conn.HandshakeContext(ctx)
	var unknown *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil:
		return state, fmt.Errorf("%s: %w", d.Name, ctx.Err())
	case errors.As(err, &unknown):
		return state, fmt.Errorf("%s: %w", d.Name, err)
	case err != nil:
		return state, fmt.Errorf("%s: %w: %w", d.Name, ErrRefused, err)
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
