package sitetest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

// Answering is the site of HeldHosts on hosts that give their locks and fail at every other
// command, with those servers that a test has set up behind the addresses of the specification.
// Connections to other addresses are refused.
type Answering struct {
	*site.Site
	t    *testing.T
	mu   sync.Mutex
	ways map[string]string // what really listens, by the address of the specification
}

// NewAnswering makes one without any server. more are lines of its specification.
func NewAnswering(t *testing.T, more ...string) *Answering {
	t.Helper()
	c, _ := HeldHosts(t, more...)
	a := &Answering{Site: c, t: t, ways: map[string]string{}}
	for _, h := range c.Spec.Hosts {
		a.On(h.Name, Lockable(h.Name, "locked\n", nil))
	}
	return a
}

// On gives a host another Executor; connections still lead to the servers of the test.
func (a *Answering) On(host string, e remote.Executor) {
	c := a.Connections[host]
	a.Connections[host] = &remote.Target{Host: c.Host, Executor: &answeringHost{e, a}}
}

// Silence takes all servers away.
func (a *Answering) Silence() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.ways)
}

// Away makes a host one that was not reached.
func (a *Answering) Away(hosts ...string) {
	for _, h := range hosts {
		delete(a.Connections, h)
		if a.Unreachable == nil {
			a.Unreachable = map[string]error{}
		}
		a.Unreachable[h] = remote.OnHost(h, remote.ErrUnreachable)
	}
}

// REST lets the Patroni of a database host answer. Requests that change something need a
// certificate of the client's, as Patroni wants it.
func (a *Answering) REST(host string, answer http.HandlerFunc) {
	a.t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet && len(r.TLS.PeerCertificates) == 0 {
				http.Error(w, "client certificate required", http.StatusForbidden)
				return
			}
			answer(w, r)
		}))
	srv.TLS = a.tls(host, layout.RESTServer, a.Credentials().PatroniCA)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	a.t.Cleanup(srv.Close)
	a.lead(a.address(host, a.Spec.Patroni.RESTPort), srv.Listener.Addr().String())
}

// tls is what a server of a host shows, and whose clients it knows.
func (a *Answering) tls(host, certificate string, authority []byte) *tls.Config {
	a.t.Helper()
	pair, err := a.Credentials().Hosts[host][certificate].TLS()
	if err != nil {
		a.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair},
		ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool}
}

func (a *Answering) address(host string, port int) string {
	a.t.Helper()
	h, err := a.Spec.Host(host)
	if err != nil {
		a.t.Fatal(err)
	}
	return net.JoinHostPort(h.Address, fmt.Sprint(port))
}

// lead makes connections to an address of the specification end at a real one.
func (a *Answering) lead(address, really string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ways[address] = really
}

type answeringHost struct {
	remote.Executor
	a *Answering
}

// Unwrap implements remote.Unwrapper.
func (h *answeringHost) Unwrap() remote.Executor { return h.Executor }

// DialContext implements remote.Dialer.
func (h *answeringHost) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	h.a.mu.Lock()
	really, known := h.a.ways[address]
	h.a.mu.Unlock()
	if !known {
		return nil, &net.OpError{Op: "dial", Net: network,
			Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	return (&net.Dialer{}).DialContext(ctx, network, really)
}
