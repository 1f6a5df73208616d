package rest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

// authority is a REST CA with the certificates of a member and of the operator.
type authority struct {
	ca               []byte
	server, operator pki.KeyPair
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	ca, err := pki.NewCA("demo patroni")
	if err != nil {
		t.Fatal(err)
	}
	issue := func(r pki.Request) pki.KeyPair {
		leaf, err := ca.Issue(r)
		if err != nil {
			t.Fatal(err)
		}
		return leaf.KeyPair()
	}
	return authority{ca: ca.CertPEM(),
		server: issue(pki.Request{CommonName: "m", Usage: pki.ServerUsage,
			IPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, DNSNames: []string{"localhost"}}),
		operator: issue(pki.Request{CommonName: "operator", Usage: pki.ClientUsage})}
}

// dialling is a host that opens the connections to one member's API.
type dialling struct {
	remote.Executor
	address string
}

func (d dialling) String() string { return "a host" }

func (d dialling) DialContext(ctx context.Context, network, _ string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, d.address)
}

// members starts an API for each handler, m1 and so on, and returns a client of them all. A nil
// handler is a member on which nothing listens.
func members(t *testing.T, a authority, handlers ...http.HandlerFunc) *Client {
	t.Helper()
	o := Options{CA: a.ca, Operator: a.operator}
	cert, err := a.server.TLS()
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.ca)
	for i, h := range handlers {
		s := httptest.NewUnstartedServer(h)
		s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: pool,
			ClientAuth: tls.VerifyClientCertIfGiven, MinVersion: tls.VersionTLS12}
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		address := s.Listener.Addr().String()
		if t.Cleanup(s.Close); h == nil {
			s.Close()
		}
		name := "m" + string(rune('1'+i))
		o.Members = append(o.Members, Member{Name: name, Address: "127.0.0.1",
			Target: &remote.Target{Host: remote.Host{Name: name},
				Executor: dialling{address: address}}})
	}
	return New(o)
}

// says answers everything with this.
func says(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// cut ends the connection in the middle of an answer.
func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"members": [`)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

const healthyCluster = `{"scope": "demo", "members": [{"name": "m1", "role": "leader", "state": "running", "timeline": 1}]}`

// TestAnswersThatAreNone: an answer that is not Patroni's is an error that names member and call,
// and a later member that answers makes up for it.
func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"nothing listens": {nil, "GET /cluster: m1: "},
		"a page of HTML":  {says(200, "<html>It works!</html>"), "invalid character '<'"},
		"half a document": {
			says(200, `{"members": [{"name": "m1"`), "m1: parse Patroni's answer: unexpected EOF",
		},
		"a list":                {says(200, `[]`), "cannot unmarshal array"},
		"nothing at all":        {says(200, ""), "m1: parse Patroni's answer: EOF"},
		"an error of Patroni's": {says(503, "no DCS"), "m1: GET /cluster: status 503: no DCS"},
		"a redirect": {http.RedirectHandler("/other", http.StatusFound).ServeHTTP,
			"status 302"},
		"an answer that is cut":    {cut, "unexpected EOF"},
		"a long text of something": {says(500, strings.Repeat("trouble ", 200)), "trou…"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := members(t, a, tt.answer).Cluster(t.Context())
			if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), tt.says) ||
				len(err.Error()) > 700 {
				t.Errorf("got %v, want %q", err, tt.says)
			}
			state, err := members(t, a, tt.answer, tt.answer,
				says(200, healthyCluster)).Cluster(t.Context())
			if err != nil || state.Scope != "demo" || !state.Healthy("m1") {
				t.Errorf("the third member answers: %+v, %v", state, err)
			}
		})
	}
}

// TestSilentMember: a member that is silent for a second is overtaken by the next, and not asked
// first the next time.
func TestSilentMember(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []string
	release := make(chan struct{})
	c := members(t, newAuthority(t), func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		asked = append(asked, "m1")
		mu.Unlock()
		<-release
	}, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, "m2")
		mu.Unlock()
		says(200, healthyCluster)(w, r)
	})
	defer close(release)
	for range 2 {
		if _, err := c.Cluster(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(asked, []string{"m1", "m2", "m2"}) {
		t.Errorf("asked %q", asked)
	}
}

// TestNobodyToAsk: without members, or an operator's certificate, nothing is asked; an interrupted
// question ends at once.
func TestNobodyToAsk(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	if _, err := members(t, a).Cluster(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("no members: %v", err)
	}
	for name, o := range map[string]Options{
		"no authority":   {Operator: a.operator},
		"no certificate": {CA: a.ca},
		"half a pair":    {CA: a.ca, Operator: pki.KeyPair{Cert: a.operator.Cert}},
	} {
		c := New(o)
		if c.Err() == nil || errs.KindOf(c.Err()) != errs.Refused {
			t.Errorf("%s: %v", name, c.Err())
		}
	}
	c := members(t, a, says(200, healthyCluster))
	if _, err := c.Patroni(t.Context(), "m9"); !errors.Is(err, ErrInvalid) {
		t.Errorf("a member of another cluster: %v", err)
	}
	if _, err := c.Endpoint(t.Context(), "m1", "primary"); !errors.Is(err, ErrInvalid) {
		t.Errorf("a path without a slash: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Cluster(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// TestStrangersCertificate: a member whose certificate is of another authority is not believed, and
// a refusal of the operator's says what to do.
func TestStrangersCertificate(t *testing.T) {
	t.Parallel()
	a, b := newAuthority(t), newAuthority(t)
	c := members(t, a, says(200, healthyCluster))
	c.options.CA = b.ca
	stranger := New(c.options)
	if _, err := stranger.Cluster(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("got %v", err)
	}
	if _, err := stranger.Presented(t.Context(), "m1"); err == nil {
		t.Error("a stranger's certificate is shown as the member's")
	}
	shown, err := c.Presented(t.Context(), "m1")
	if err != nil || !slices.Equal(shown, mustCertificate(t, a.server)) {
		t.Errorf("what m1 presents: %d bytes, %v", len(shown), err)
	}
	_, err = members(t, a, says(403, "forbidden")).ConfigOf(t.Context(), "m1")
	if next := errs.NextOf(err).Render(func(errs.Call) string {
		return ""
	}); !strings.Contains(next,
		"REST CA that m1 knows") {
		t.Errorf("%v, and then: %q", err, next)
	}
}

func mustCertificate(t *testing.T, pair pki.KeyPair) []byte {
	t.Helper()
	cert, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	return cert.Certificate[0]
}

// TestCommands: what was never sent is an error; what was sent and not answered may have happened.
func TestCommands(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for name, tt := range map[string]struct {
		answer                  http.HandlerFunc
		unsent, good, uncertain bool
	}{
		"done":                {says(200, "restarted"), false, true, false},
		"accepted":            {says(202, "scheduled"), false, true, false},
		"refused":             {says(412, "no candidate"), false, false, false},
		"tried and failed":    {says(503, "restart failed"), false, false, true},
		"the answer was lost": {cut, false, false, true},
		"nothing listens":     {nil, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := members(t, a, tt.answer)
			r, err := c.Command(t.Context(), "m1", http.MethodPost, "/restart",
				map[string]any{"timeout": 5})
			if (err != nil) != tt.unsent || err == nil &&
				(r.Good() != tt.good || r.Uncertain() != tt.uncertain) {
				t.Errorf("unsent: %v, good %v, uncertain %v", err, r.Good(), r.Uncertain())
			}
			if err == nil && !tt.good && (r.Err() == nil ||
				!strings.Contains(r.Err().Error(), "/restart")) {
				t.Errorf("the answer as an error: %v", r.Err())
			}
		})
	}
	c := members(t, a, func(http.ResponseWriter, *http.Request) {
		t.Error("a plan sends a command")
	})
	c.options.Members[0].Target.Executor = remote.Plan(c.options.Members[0].Target.Executor)
	if _, err := c.Quick(t.Context(), "m1", http.MethodDelete, "/switchover", nil); err == nil ||
		!strings.Contains(err.Error(), "not sent, because the run only plans") {
		t.Errorf("a plan: %v", err)
	}
	// A member that never answers keeps its caller only as long as the context lets it.
	release := make(chan struct{})
	slow := members(t, a, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if answered := <-slow.Background(ctx, "m1", http.MethodPost, "/reinitialize",
		nil); answered.Err != nil ||
		!answered.Response.Uncertain() {
		t.Errorf("cut short: %+v", answered)
	}
}
