package patroni

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/hostport"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

// fakeREST is a Patroni's REST API: TLS, and a client certificate for whatever is not a GET.
type fakeREST struct {
	mu     sync.Mutex
	calls  []string
	bodies []string
}

func (f *fakeREST) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.calls...)
}

// serve starts a fake REST API for the member at index i of o, reached through the member's fake
// host. For tests in a bubble.
func serve(t *testing.T, o Options, i int, handler http.HandlerFunc) *fakeREST {
	t.Helper()
	f := &fakeREST{}
	cert, err := o.Members[i].REST.TLS()
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(o.RESTCA)
	api := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		f.calls, f.bodies = append(f.calls, r.Method+" "+r.URL.Path), append(f.bodies, string(body))
		f.mu.Unlock()
		if r.Method != http.MethodGet && len(r.TLS.PeerCertificates) == 0 {
			http.Error(w, "client certificate required", http.StatusForbidden)
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		handler(w, r)
	}
	listener := pipes{accept: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{
		Handler: http.HandlerFunc(api),
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert},
			ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool,
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() { _ = server.Close() })
	host := o.Members[i].Target.Executor.(*fakeHost)
	host.dial = func(ctx context.Context, _, address string) (net.Conn, error) {
		if want := hostport.Join(o.Members[i].Address, 8008); address != want {
			t.Errorf("dialled %s, want %s", address, want)
		}
		return listener.DialContext(ctx)
	}
	return f
}

func answer(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

func TestClusterAsksAnotherMember(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		serve(t, o, 1,
			func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, "no", http.StatusInternalServerError)
			})
		third := serve(t, o, 2, answer(cluster41))
		// the first member is unreachable, the second in trouble
		state, err := NewClient(o).Cluster(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if leader, ok := state.Leader(); !ok || leader.Name != "pg1" {
			t.Errorf("leader %v %v", leader, ok)
		}
		if diff := cmp.Diff([]string{"GET /cluster"}, third.seen()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSlowMemberDoesNotHoldUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		serve(t, o, 0, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		serve(t, o, 1, answer(cluster41))
		start := time.Now()
		if _, err := NewClient(o).Cluster(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	o := fullOptions(t)
	_, err := NewClient(o).Cluster(t.Context())
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, remote.ErrUnreachable) ||
		remote.Hint(err) == "" {
		t.Errorf("got %v", err)
	}
	for _, m := range o.Members {
		if !strings.Contains(err.Error(), m.Name) {
			t.Errorf("%s is missing in: %v", m.Name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewClient(o).Cluster(ctx); !errors.Is(err, context.Canceled) &&
		!errors.Is(err, ErrUnavailable) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestClientVerifiesTheServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		o.Members = o.Members[:1]
		// covers no address and is no server certificate
		o.Members[0].REST = o.Members[0].RESTClient
		serve(t, o, 0, answer(cluster41))
		var unknown *tls.CertificateVerificationError
		if _, err := NewClient(o).Cluster(t.Context()); !errors.As(err, &unknown) {
			t.Errorf("got %v", err)
		}
	})
}

func TestEndpointAndStatus(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		serve(t, o, 0, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/replica" {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
		c := NewClient(o)
		for path, want := range map[string]int{"/primary": 200, "/replica": 503} {
			if code, err := c.Endpoint(t.Context(), "postgresql-01", path); err != nil ||
				code != want {
				t.Errorf("%s: %d %v", path, code, err)
			}
		}
		if _, err := c.Endpoint(t.Context(), "nobody", "/primary"); !errors.Is(err, ErrInvalid) {
			t.Errorf("unknown member: %v", err)
		}
		if _, err := c.Endpoint(t.Context(), "postgresql-02", "/primary"); !errors.Is(err,
			remote.ErrUnreachable) {
			t.Errorf("unreachable member: %v", err)
		}
	})
}

func TestPatchSendsTheClientCertificate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := serve(t, o, 0, answer(`{"ttl": 20}`))
		got, err := NewClient(o).PatchConfig(t.Context(),
			map[string]any{"ttl": 20, "loop_wait": nil})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]any{"ttl": json.Number("20")}, got); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{`{"loop_wait":null,"ttl":20}`}, f.bodies); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPlanningSendsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := serve(t, o, 0, answer(`{}`))
		for i := range o.Members {
			o.Members[i].Target.Executor = remote.Plan(o.Members[i].Target.Executor)
		}
		if _, err := NewClient(o).PatchConfig(t.Context(), map[string]any{"ttl": 20}); err == nil {
			t.Error("sent")
		}
		changes, err := SyncConfig(t.Context(), o)
		if err != nil || len(changes) == 0 || !changes[0].Planned {
			t.Errorf("%v %v", changes, err)
		}
		if diff := cmp.Diff([]string{"GET /config"}, f.seen()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestUnusableCertificates(t *testing.T) {
	t.Parallel()
	o := fullOptions(t)
	o.Operator.Key = pki.Secret{}
	if _, err := NewClient(o).Cluster(t.Context()); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

const cluster41 = `{"members": [
 {"name": "pg1", "role": "master", "state": "running", "host": "192.168.0.203", "port": 5432, "timeline": 1},
 {"name": "pg2", "role": "quorum_standby", "state": "streaming", "timeline": 1, "receive_lag": 16, "receive_lsn": "0/3000060", "replay_lag": 32, "replay_lsn": "0/3000050", "lag": 32, "lsn": "0/3000060"},
 {"name": "pg3", "role": "replica", "state": "streaming", "timeline": 1, "receive_lag": "unknown", "receive_lsn": "unknown", "lag": "unknown", "lsn": "unknown", "scheduled_restart": {"schedule": "2026-11-24T10:00:00+00:00"}}
], "scope": "orders"}`

func ptr[T any](v T) *T { return &v }
