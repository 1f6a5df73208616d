package verify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/wire"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

// securityChecks are the security floor: what each endpoint lets in, and what lies on the hosts.
func securityChecks() []check {
	return []check{
		{"TLS before 1.2 is refused", errs.Text("the servers' oldest version must be TLS 1.2: %s",
			errs.Verb("apply")), checkTLSVersions},
		{"etcd and Patroni refuse plain HTTP",
			errs.Text("both must be set up with certificates: %s",
				errs.Verb("apply")), checkPlainHTTP},
		{"a certificate opens no other door",
			errs.Text("etcd, Patroni and PostgreSQL must each trust their own CA alone: %s",
				errs.Verb("apply")),
			checkOtherDoors},
		{"logins need SCRAM",
			errs.Text("remove what is named, or set the role's password again " +
				"(password_encryption is scram-sha-256)"),
			checkLogins},
		{"keys and passwords are readable by their owners alone",
			errs.Text("%s sets owner and mode", errs.Verb("apply")), checkKeyFiles},
		{"certificates are of their own CA, named right and in date",
			errs.Text("%s renews what is due", errs.Verb("apply")), checkCertificates},
		{"the hosts' password file opens replication",
			errs.Text("%s writes it; %s ends a rotation that was cut off",
				errs.Verb("apply"), errs.Verb("secrets", "rotate")), checkPasswordFile},
		{"balancers verify Patroni's certificates",
			errs.Text("%s renders haproxy.cfg again", errs.Verb("apply")),
			checkBalancersVerify},
	}
}

// checkTLSVersions tries each endpoint with old versions, which must fail, and with each of
// today's.
func checkTLSVersions(ctx context.Context, c *site.Site) (string, error) {
	members, err := c.MemberHosts()
	if err != nil {
		return "", err
	}
	var mu sync.Mutex
	accepted, ports := map[uint16]bool{}, 0
	err = remote.Each(ctx, members, func(ctx context.Context, t *remote.Target) error {
		h, err := c.Spec.Host(t.Name)
		if err != nil {
			return err
		}
		tried := endpoints(c, h)
		mu.Lock()
		ports = max(ports, len(tried))
		mu.Unlock()
		problems := make([]error, len(tried))
		var wg sync.WaitGroup
		for i, d := range tried {
			wg.Go(func() {
				versions, err := versions(ctx, t, d)
				problems[i] = err
				mu.Lock()
				defer mu.Unlock()
				for _, v := range versions {
					accepted[v] = true
				}
			})
		}
		wg.Wait()
		return errs.Join(problems...)
	})
	var names []string
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		if accepted[v] {
			names = append(names, tls.VersionName(v))
		}
	}
	what := fmt.Sprintf("%d ports of each database host", ports)
	if len(c.Spec.MemberHosts()) > len(c.Spec.Databases()) {
		what = "every port of " + everyMember(c)
	}
	return strings.Join(names, " and ") + " on " + what, err
}

// versions returns those of today's TLS versions that an endpoint accepts. It must accept one, and
// none from before.
func versions(ctx context.Context, t *remote.Target, d wire.Endpoint) ([]uint16, error) {
	state, err := d.Handshake(ctx, t, tls.VersionTLS10, tls.VersionTLS11, false)
	if err == nil {
		return nil, fmt.Errorf("%s accepts %s", d.Name, tls.VersionName(state.Version))
	}
	if !errors.Is(err, wire.ErrRefused) {
		return nil, err
	}
	var versions []uint16
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		_, err := d.Handshake(ctx, t, v, v, true)
		switch {
		case err == nil:
			versions = append(versions, v)
		case !errors.Is(err, wire.ErrRefused):
			return nil, err
		}
	}
	if len(versions) == 0 {
		return nil, fmt.Errorf("%s accepts neither TLS 1.2 nor 1.3", d.Name)
	}
	return versions, nil
}

// checkPlainHTTP asks without TLS what a server without TLS would answer. One with TLS answers 400,
// or nothing.
func checkPlainHTTP(ctx context.Context, c *site.Site) (string, error) {
	err := eachRequest(ctx, c, []request{
		{method: "GET", path: "/version", port: c.Spec.Etcd.ClientPort},
		{method: "GET", path: "/version", port: c.Spec.Etcd.PeerPort},
		{method: "GET", path: "/liveness", port: c.Spec.Patroni.RESTPort},
	}, func(k request, code int) error {
		if code != 0 && code != http.StatusBadRequest {
			return fmt.Errorf("port %d answered a request without TLS with HTTP %d", k.port, code)
		}
		return nil
	})
	return "nobody answers without TLS", err
}

// checkOtherDoors shows each server the operator's certificate for the other one.
func checkOtherDoors(ctx context.Context, c *site.Site) (string, error) {
	cr := c.Credentials()
	err := eachRequest(ctx, c, []request{
		{"POST", "/v3/kv/range", c.Spec.Etcd.ClientPort, cr.EtcdCA, cr.PatroniOperator},
		{"GET", "/members", c.Spec.Etcd.PeerPort, cr.EtcdCA, cr.PatroniOperator},
		{"PATCH", "/config", c.Spec.Patroni.RESTPort, cr.PatroniCA, cr.EtcdOperator},
	}, func(k request, code int) error {
		if !slices.Contains([]int{0, http.StatusUnauthorized, http.StatusForbidden}, code) {
			return fmt.Errorf("port %d answered a certificate of another authority with HTTP %d",
				k.port, code)
		}
		return nil
	})
	return "etcd and Patroni refuse each other's", err
}

// checkEtcdStrangers asks etcd for a key, and a peer for its members, without a client certificate.
func checkEtcdStrangers(ctx context.Context, c *site.Site) (string, error) {
	ca := c.Credentials().EtcdCA
	err := eachRequest(ctx, c, []request{
		{method: "POST", path: "/v3/kv/range", port: c.Spec.Etcd.ClientPort, ca: ca},
		{method: "POST", path: "/v3/kv/put", port: c.Spec.Etcd.ClientPort, ca: ca},
		{method: "GET", path: "/members", port: c.Spec.Etcd.PeerPort, ca: ca},
	}, func(k request, code int) error {
		if code != 0 {
			return fmt.Errorf("etcd answered a client without a certificate with HTTP %d (%s, "+
				"port %d)",
				code, k.path, k.port)
		}
		return nil
	})
	return "no certificate, no answer", err
}

// checkPatroniStrangers makes unsafe calls without a client certificate. Each is harmless should it
// be let through: a reload, an empty change of the configuration, and a switchover and a failover
// that name nobody.
func checkPatroniStrangers(ctx context.Context, c *site.Site) (string, error) {
	port, ca := c.Spec.Patroni.RESTPort, c.Credentials().PatroniCA
	err := eachRequest(ctx, c, []request{
		{method: "POST", path: "/reload", port: port, ca: ca},
		{method: "PATCH", path: "/config", port: port, ca: ca},
		{method: "POST", path: "/switchover", port: port, ca: ca},
		{method: "POST", path: "/failover", port: port, ca: ca},
	}, func(k request, code int) error {
		if !slices.Contains([]int{0, http.StatusUnauthorized, http.StatusForbidden}, code) {
			return fmt.Errorf("%s %s without a certificate was answered with HTTP %d", k.method,
				k.path, code)
		}
		return nil
	})
	return "unsafe calls without a certificate are forbidden", err
}

// eachRequest requests on every host on which something listens there, all at the same time, and
// judges the answers.
func eachRequest(ctx context.Context, c *site.Site, requests []request,
	judge func(request, int) error) error {
	members, err := c.MemberHosts()
	if err != nil {
		return err
	}
	return remote.Each(ctx, members, func(ctx context.Context, t *remote.Target) error {
		h, err := c.Spec.Host(t.Name)
		if err != nil {
			return err
		}
		ports := c.LayoutOf(h).Ports()
		problems := make([]error, len(requests))
		var wg sync.WaitGroup
		for i, k := range requests {
			if !slices.ContainsFunc(ports, func(p layout.Port) bool { return p.Number == k.port }) {
				continue
			}
			wg.Go(func() {
				code, err := tryRequest(ctx, c, t, k)
				if err == nil {
					err = judge(k, code)
				}
				problems[i] = err
			})
		}
		wg.Wait()
		return errs.Join(problems...)
	})
}
