package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

// callTimeout bounds one question to one member. An etcd that works answers within milliseconds;
// the rest is for hosts that are out of breath, such as a lab's on two busy processors, where 2 s
// made healthy members silent.
const callTimeout = 4 * time.Second

// ask opens a client of m alone, calls f with a bounded context and closes the client. One attempt
// is made: clientv3 would wait for a connection and try again until its time is over, and then only
// tell that it is over.
func (o Options) ask(ctx context.Context, m Member,
	f func(context.Context, *clientv3.Client) error) error {
	config, err := o.tlsConfig(o.Client)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c, err := clientv3.New(clientv3.Config{
		Endpoints: []string{o.clientURL(m)},
		TLS:       config,
		DialOptions: []grpc.DialOption{
			grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn,
				error) {
				return o.dial(ctx, m, address)
			}),
			grpc.WithChainUnaryInterceptor(failFast),
		},
		MaxUnaryRetries: 1,
		Logger:          zap.NewNop(), // the default writes to standard error
		Context:         ctx,
	})
	if err != nil {
		return fmt.Errorf("make a client of etcd: %w", err)
	}
	defer c.Close()
	return remote.OnHost(m.Target.Name, plain(f(ctx, c)))
}

// failFast makes a call fail with what is wrong with the connection.
func failFast(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
	invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return invoke(ctx, method, req, reply, cc, append(opts, grpc.WaitForReady(false))...)
}

// plain takes gRPC's wrapping off an error that comes from the connection. gRPC has a deadline of
// its own kind.
func plain(err error) error {
	s, ok := status.FromError(err)
	switch {
	case !ok || err == nil:
		return err
	case s.Code() == codes.DeadlineExceeded:
		return context.DeadlineExceeded
	}
	return errors.New(s.Message())
}

// tlsConfig is for dialling a member with the given certificate. gRPC and HTTP set the server's
// name: the address.
func (o Options) tlsConfig(pair pki.KeyPair) (*tls.Config, error) {
	cert, err := pair.TLS()
	if err != nil {
		return nil, fmt.Errorf("load the certificate for asking etcd: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(o.CA) {
		return nil, errors.New("load etcd's CA: there is no certificate in it")
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: roots,
		MinVersion: tls.VersionTLS12}, nil
}

// dial connects to an address of m through m's own host, so that one dead host spoils nothing for
// the others. Should the way to that host be broken, etcd on it may still be well: another member's
// host is tried. The error is the first one.
func (o Options) dial(ctx context.Context, m Member, address string) (net.Conn, error) {
	conn, first := m.Target.Dial(ctx, "tcp", address)
	if first == nil {
		return conn, nil
	}
	for _, other := range o.Members {
		if other.Target == m.Target || ctx.Err() != nil {
			continue
		}
		if conn, err := other.Target.Dial(ctx, "tcp", address); err == nil {
			return conn, nil
		}
	}
	return nil, first
}
