package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/pgha/toolkit/pgha/remote"
)

// callTimeout bounds one question to one member.
const callTimeout = 2 * time.Second

// connection is a client of one member, through that member's own host. clientv3.New connects lazily and forgets why it
// could not, so the reason is kept here.
type connection struct {
	*clientv3.Client
	dialErr atomic.Pointer[error]
}

// client opens a client that talks to member m alone.
func (o Options) client(m Member) (*connection, error) {
	cert, err := tls.X509KeyPair(o.Client.Cert, o.Client.Key)
	if err != nil {
		return nil, fmt.Errorf("load the operator's certificate for etcd: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(o.CA) {
		return nil, errors.New("load etcd's CA: no certificate in it")
	}
	c := &connection{}
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := m.Target.Dial(ctx, "tcp", address)
		if err != nil {
			c.dialErr.Store(&err)
		}
		return conn, err
	}
	c.Client, err = clientv3.New(clientv3.Config{
		Endpoints:   []string{o.clientURL(m)},
		TLS:         &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialOptions: []grpc.DialOption{grpc.WithContextDialer(dial)},
		Logger:      zap.NewNop(),
	})
	if err != nil {
		return nil, fmt.Errorf("make a client of etcd: %w", err)
	}
	return c, nil
}

// explain puts back the reason that the client lost.
func (c *connection) explain(err error) error {
	if cause := c.dialErr.Load(); err != nil && cause != nil {
		return *cause
	}
	return err
}

// ask opens a client of m, calls f with a bounded context and closes the client.
func (o Options) ask(ctx context.Context, m Member, f func(context.Context, *clientv3.Client) error) error {
	c, err := o.client(m)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return remote.OnHost(m.Target.Name, c.explain(f(ctx, c.Client)))
}
