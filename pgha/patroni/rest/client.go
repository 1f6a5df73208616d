package rest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pgha/toolkit/internal/hostport"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

const (
	// RequestTimeout bounds a call that Patroni answers at once.
	RequestTimeout = 5 * time.Second
	// hedgeAfter is how long one member may be silent before the next is asked as well.
	hedgeAfter = time.Second
	// maxBody bounds an answer; the largest is a long history.
	maxBody = 4 << 20
)

// Client calls the REST API of a cluster's members, from each member's own host
// (remote.Target.Dial), with the operator's client certificate, and trusts only certificates of the
// REST CA. It keeps no connections, so there is nothing to close. Safe for concurrent use.
type Client struct {
	options Options
	tls     *tls.Config
	err     error // what is wrong with the certificates; every call returns it

	answering atomic.Int32 // the index of the member that answered last: it is asked first
}

// New returns a client. It connects to nothing yet: the first call reports unusable certificates.
func New(o Options) *Client {
	o.Port = cmp.Or(o.Port, 8008)
	c := &Client{options: o}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(o.CA) {
		c.err = fmt.Errorf("%w: the REST CA holds no certificate", ErrInvalid)
		return c
	}
	cert, err := o.Operator.TLS()
	if err != nil {
		c.err = fmt.Errorf("%w: operator certificate: %w", ErrInvalid, err)
		return c
	}
	c.tls = &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert},
		MinVersion: tls.VersionTLS12}
	return c
}

// StatusError is an answer of the REST API that is not what was asked for.
type StatusError struct {
	Member, Method, Path string
	Code                 int
	// Body is the beginning of Patroni's explanation.
	Body string
}

// Error names the member, the call and Patroni's own words.
func (e *StatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s: %s %s: status %d: %s", e.Member, e.Method, e.Path,
		e.Code, e.Body))
}

// Next says what a refusal of access means.
func (e *StatusError) Next() errs.Next {
	if e.Code != http.StatusForbidden && e.Code != http.StatusUnauthorized {
		return errs.Next{}
	}
	return errs.Text("the operator's certificate is not one of the REST CA that %s knows; "+
		"apply again, or take the CA the cluster was made with", e.Member)
}

// unsentError is a request that never reached the member, so that it cannot have had an effect.
type unsentError struct{ error }

func (e *unsentError) Unwrap() error { return e.error }

// request makes one call of one member and returns status and body, whatever they are.
func (c *Client) request(ctx context.Context, m Member, method, path string,
	body any) (int, []byte, error) {
	if c.err != nil {
		return 0, nil, c.err
	}
	if m.Target == nil {
		return 0, nil, fmt.Errorf("%w: member %s has no target", ErrInvalid, m.Name)
	}
	if method != http.MethodGet && m.Target.Planning() {
		return 0, nil, remote.OnHost(m.Name, fmt.Errorf("%s %s: not sent, because the run "+
			"only plans", method, path))
	}
	var payload io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return 0, nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		payload = bytes.NewReader(encoded)
	}
	address := c.address(m)
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() {
		sent.Store(true)
	}})
	req, err := http.NewRequestWithContext(ctx, method, "https://"+address+path, payload)
	if err != nil {
		return 0, nil, err
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return m.Target.Dial(ctx, network, address)
		},
		TLSClientConfig:   c.tls,
		DisableKeepAlives: true,
	}
	// not an http.Client: a redirect is no answer of Patroni's
	resp, err := transport.RoundTrip(req)
	if err != nil {
		if !sent.Load() {
			err = &unsentError{err}
		}
		return 0, nil, remote.OnHost(m.Name, fmt.Errorf("%s %s: %w", method, path, err))
	}
	defer resp.Body.Close() //nolint:errcheck // nothing is lost: the body has been read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return 0, nil, remote.OnHost(m.Name, fmt.Errorf("%s %s: %w", method, path, err))
	}
	return resp.StatusCode, answer, nil
}

// call is request with a time limit, for answers that must be 200.
func (c *Client) call(ctx context.Context, m Member, method, path string,
	body any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, RequestTimeout)
	defer cancel()
	code, answer, err := c.request(ctx, m, method, path, body)
	if err != nil {
		return nil, err
	}
	if code != http.StatusOK {
		return nil, &StatusError{Member: m.Name, Method: method, Path: path, Code: code,
			Body: excerpt(answer)}
	}
	return answer, nil
}

// Any returns the first good answer of a cluster. Members are asked in turn, beginning with the one
// that answered last: the next one as soon as one fails, or is silent for a second. The error of
// all failing matches ErrUnavailable and holds every member's reason.
func Any[T any](ctx context.Context, c *Client,
	ask func(context.Context, Member) (T, error)) (T, error) {
	type answer struct {
		index int
		value T
		err   error
	}
	var zero T
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	members := c.options.Members
	first := int(c.answering.Load())
	answers := make(chan answer, len(members))
	problems := make([]error, len(members))
	asked, failed := 0, 0
	for {
		if asked < len(members) {
			i := (first + asked) % len(members)
			go func() {
				value, err := ask(ctx, members[i])
				answers <- answer{i, value, err}
			}()
			asked++
		}
		if failed == len(members) {
			return zero, unavailable(problems)
		}
		var hedge <-chan time.Time
		if asked < len(members) {
			hedge = time.After(hedgeAfter)
		}
		select {
		case a := <-answers:
			if a.err == nil {
				c.answering.Store(int32(a.index)) //nolint:gosec // a cluster has few members
				return a.value, nil
			}
			problems[a.index] = a.err
			failed++
		case <-hedge:
		case <-ctx.Done():
			return zero, ctx.Err()
		}
	}
}

func unavailable(problems []error) error {
	all := errs.Join(problems...)
	if all == nil {
		return ErrUnavailable
	}
	return remote.WithHint(fmt.Errorf("%w: %w", ErrUnavailable, all),
		"see `systemctl status patroni` on the hosts")
}

// Err returns what is wrong with the options' certificates, or nil. Every call returns it too.
func (c *Client) Err() error { return c.err }

// address is where a member's API listens.
func (c *Client) address(m Member) string {
	return hostport.Join(m.Address, c.options.Port)
}

// member finds a member of the options by name.
func (c *Client) member(name string) (Member, error) {
	for _, m := range c.options.Members {
		if m.Name == name {
			return m, nil
		}
	}
	return Member{}, fmt.Errorf("%w: no member is called %q", ErrInvalid, name)
}

func excerpt(body []byte) string {
	text := strings.ToValidUTF8(strings.Join(strings.Fields(string(body)), " "), "?")
	if len(text) > 300 {
		text = strings.ToValidUTF8(text[:300], "") + "…"
	}
	return text
}
