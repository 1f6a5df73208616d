package verify

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
	"strconv"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/internal/wire"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// local is a host that dials like this machine and runs nothing.
type local struct{ remote.Executor }

func (local) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, address)
}

func (local) String() string { return "local" }

// authority is a CA with leaves.
type authority struct{ *pki.CA }

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	ca, err := pki.NewCA(name)
	if err != nil {
		t.Fatal(err)
	}
	return authority{ca}
}

func (a authority) leaf(t *testing.T, usage pki.Usage, names ...string) pki.KeyPair {
	t.Helper()
	req := pki.Request{CommonName: "test", Usage: usage, DNSNames: names}
	if usage != pki.ClientUsage {
		req.IPs = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	}
	l, err := a.Issue(req)
	if err != nil {
		t.Fatal(err)
	}
	return l.KeyPair()
}

func (a authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AppendCertsFromPEM(a.CertPEM())
	return p
}

// onlyHost is a cluster of one database on this machine, all of whose endpoints are the given port.
func onlyHost(etcd, patroni, postgres authority, t *testing.T) *site.Site {
	t.Helper()
	sp := spec.New()
	sp.Hosts = []spec.Host{{Name: "db", Address: "127.0.0.1", Role: spec.RoleDatabase,
		Member: "db"}}
	return (&site.Site{
		Spec: sp, Unreachable: map[string]error{},
		Connections: map[string]*remote.Target{
			"db": {Host: remote.Host{Name: "db", Address: "127.0.0.1"}, Executor: local{}},
		},
		State: &vault.State{Dir: t.TempDir(), ReadOnly: true},
	}).Hold(&vault.Credentials{
		EtcdCA: etcd.CertPEM(), PatroniCA: patroni.CertPEM(), PostgresCA: postgres.CertPEM(),
		EtcdOperator:    etcd.leaf(t, pki.ClientUsage),
		PatroniOperator: patroni.leaf(t, pki.ClientUsage),
	})
}

// serve answers every request with this code over TLS as configured; nil is plain HTTP. It returns
// the port.
func serve(t *testing.T, config *tls.Config, code int) int {
	t.Helper()
	s := httptest.NewUnstartedServer(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshakes that are meant to fail
	if s.TLS = config; config == nil {
		s.Start()
	} else {
		s.StartTLS()
	}
	t.Cleanup(s.Close)
	return s.Listener.Addr().(*net.TCPAddr).Port
}

func serverTLS(t *testing.T, l pki.KeyPair, change func(*tls.Config)) *tls.Config {
	t.Helper()
	pair, err := l.TLS()
	if err != nil {
		t.Fatal(err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if change != nil {
		change(c)
	}
	return c
}

// TestTLSVersions: an endpoint that accepts an old version is found, and one that shows a
// stranger's certificate.
func TestTLSVersions(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t, "ours"), newAuthority(t, "other")
	own := ca.leaf(t, pki.ServerUsage)
	mutual := func(c *tls.Config) {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert,
			ca.pool()
	}
	for name, c := range map[string]struct {
		config   *tls.Config
		versions int
		says     string
	}{
		"1.2 and 1.3": {serverTLS(t, own, nil), 2, ""},
		"1.3 alone": {
			serverTLS(t, own, func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }), 1, "",
		},
		"1.2 alone, with client certificate": {
			serverTLS(t, own, func(c *tls.Config) {
				mutual(c)
				c.MaxVersion = tls.VersionTLS12
			}), 1, "",
		},
		"1.1, too": {
			serverTLS(t, own, func(c *tls.Config) { c.MinVersion = tls.VersionTLS11 }), 0,
			"accepts TLS 1.1",
		},
		"1.0, too": {
			serverTLS(t, own,
				func(c *tls.Config) {
					c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
				}),
			0, "accepts TLS 1.0",
		},
		"1.1 with client certificate": {
			serverTLS(t, own, func(c *tls.Config) { mutual(c); c.MinVersion = tls.VersionTLS11 }),
			0, "accepts TLS 1.1",
		},
		"another authority": {
			serverTLS(t, other.leaf(t, pki.ServerUsage), nil), 0,
			"certificate signed by unknown authority",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := wire.Endpoint{
				Name: "the server", Port: serve(t, c.config, http.StatusOK), CA: ca.CertPEM(),
				Own: ca.leaf(t, pki.ClientUsage),
			}
			cl := onlyHost(ca, ca, ca, t)
			versions, err := versions(t.Context(), cl.Connections["db"], d)
			testkit.CheckSays(t, err, c.says)
			if err == nil && len(versions) != c.versions {
				t.Errorf("got versions %v, want %d", versions, c.versions)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		d := wire.Endpoint{Name: "the server", Port: port, CA: ca.CertPEM()}
		_, err = versions(t.Context(), onlyHost(ca, ca, ca, t).Connections["db"], d)
		if err == nil || errors.Is(err, wire.ErrRefused) {
			t.Errorf("got %v: a door that is not there has refused nothing", err)
		}
	})
}

// TestPostgreSQLWithoutTLS: one that answers the request for TLS with N.
func TestPostgreSQLWithoutTLS(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(conn, make([]byte, 8))
			_, _ = conn.Write([]byte("N"))
			conn.Close()
		}
	}()
	ca := newAuthority(t, "ours")
	d := wire.Endpoint{Name: "PostgreSQL", Port: l.Addr().(*net.TCPAddr).Port, CA: ca.CertPEM(),
		Certificate: layout.Postgres}
	_, err = versions(t.Context(), onlyHost(ca, ca, ca, t).Connections["db"], d)
	testkit.CheckSays(t, err, "offers no TLS")
}

// TestStrangersAreRefused makes servers that let in clients they should refuse, for each check of
// strangers.
func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	etcd, patroni := newAuthority(t, "etcd"), newAuthority(t, "patroni")
	etcdLeaf, patroniLeaf := etcd.leaf(t, pki.ServerUsage), patroni.leaf(t, pki.ServerUsage)
	strict := func(ca authority) func(*tls.Config) {
		return func(c *tls.Config) {
			c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert,
				ca.pool()
		}
	}
	anyCertificate := func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }
	optional := func(c *tls.Config) {
		c.ClientAuth, c.ClientCAs = tls.VerifyClientCertIfGiven,
			patroni.pool()
	}
	for name, c := range map[string]struct {
		check       func(context.Context, *site.Site) (string, error)
		etcd, peer  *tls.Config
		rest        *tls.Config
		restAnswers int
		says        string
	}{
		"etcd wants a certificate": {
			checkEtcdStrangers, serverTLS(t, etcdLeaf, strict(etcd)),
			serverTLS(t, etcdLeaf, strict(etcd)), nil, 0, "",
		},
		"etcd wants none": {
			checkEtcdStrangers, serverTLS(t, etcdLeaf, nil),
			serverTLS(t, etcdLeaf, strict(etcd)), nil, 0,
			"/v3/kv/range",
		},
		"its peers want none": {
			checkEtcdStrangers, serverTLS(t, etcdLeaf, strict(etcd)), serverTLS(t, etcdLeaf, nil),
			nil, 0, "/members",
		},
		"Patroni forbids": {
			checkPatroniStrangers, nil, nil, serverTLS(t, patroniLeaf, optional), 403, "",
		},
		"Patroni lets everybody in": {
			checkPatroniStrangers, nil, nil, serverTLS(t, patroniLeaf, optional), 200,
			"POST /reload without a certificate was answered with HTTP 200",
		},
		"all with TLS": {
			checkPlainHTTP, serverTLS(t, etcdLeaf, nil), serverTLS(t, etcdLeaf, nil),
			serverTLS(t, patroniLeaf, nil), 200, "",
		},
		"etcd without TLS": {
			checkPlainHTTP, nil, serverTLS(t, etcdLeaf, nil), serverTLS(t, patroniLeaf, nil), 200,
			"without TLS with HTTP 200",
		},
		"Patroni without TLS": {
			checkPlainHTTP, serverTLS(t, etcdLeaf, nil), serverTLS(t, etcdLeaf, nil), nil, 503,
			"without TLS with HTTP 503",
		},
		"each trusts its own authority": {
			checkOtherDoors, serverTLS(t, etcdLeaf, strict(etcd)),
			serverTLS(t, etcdLeaf, strict(etcd)),
			serverTLS(t, patroniLeaf, optional), 200, "",
		},
		"etcd trusts Patroni's, too": {
			checkOtherDoors, serverTLS(t, etcdLeaf, strict(patroni)),
			serverTLS(t, etcdLeaf, strict(etcd)),
			serverTLS(t, patroniLeaf, optional), 200, "another authority",
		},
		"Patroni trusts any authority": {
			checkOtherDoors, serverTLS(t, etcdLeaf, strict(etcd)),
			serverTLS(t, etcdLeaf, strict(etcd)),
			serverTLS(t, patroniLeaf, anyCertificate), 200, "another authority",
		},
		"one shows another's certificate": {
			checkEtcdStrangers, serverTLS(t, patroniLeaf, nil),
			serverTLS(t, etcdLeaf, strict(etcd)), nil,
			0, "unknown authority",
		},
		"a version that is refused is all": {
			checkTLSVersions, serverTLS(t, etcdLeaf, strict(etcd)),
			serverTLS(t, etcdLeaf, func(c *tls.Config) { c.MinVersion = tls.VersionTLS10 }),
			serverTLS(t, patroniLeaf, nil), 200, "etcd's peer port accepts TLS 1.1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cl := onlyHost(etcd, patroni, etcd, t)
			cl.Spec.Etcd.ClientPort, cl.Spec.Etcd.PeerPort = serve(t, c.etcd, 200),
				serve(t, c.peer, 200)
			cl.Spec.Patroni.RESTPort = serve(t, c.rest, max(c.restAnswers, 200))
			_, err := c.check(t.Context(), cl)
			testkit.CheckSays(t, err, c.says)
			if err != nil && !strings.Contains(err.Error(), "db: ") {
				t.Errorf("it does not say on which host: %v", err)
			}
		})
	}
}

// TestNobodyThereHasRefusedNothing: a dead etcd must not pass for a careful one.
func TestNobodyThereHasRefusedNothing(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ours")
	cl := onlyHost(ca, ca, ca, t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cl.Spec.Etcd.ClientPort = l.Addr().(*net.TCPAddr).Port
	cl.Spec.Etcd.PeerPort, cl.Spec.Patroni.RESTPort = cl.Spec.Etcd.ClientPort,
		cl.Spec.Etcd.ClientPort
	l.Close()
	for _, check := range []func(context.Context, *site.Site) (string, error){
		checkEtcdStrangers, checkPatroniStrangers, checkPlainHTTP, checkOtherDoors,
		checkTLSVersions,
	} {
		if _, err := check(t.Context(), cl); err == nil ||
			!strings.Contains(err.Error(), strconv.Itoa(cl.Spec.Etcd.ClientPort)) {
			t.Errorf("got %v, want the connection that failed", err)
		}
	}
}

func TestLoginProblems(t *testing.T) {
	t.Parallel()
	good := []hbaRule{
		{1, "local", "peer", ""}, {2, "hostssl", "scram-sha-256", ""}, {3, "host", "reject", ""},
		{4, "hostssl", "cert", ""},
	}
	for name, c := range map[string]struct {
		logins logins
		says   string
	}{
		"as it should be": {logins{"scram-sha-256", nil, good}, ""},
		"md5 passwords":   {logins{"md5", nil, good}, "password_encryption is md5"},
		"an md5 role": {logins{"scram-sha-256", []string{"old", "older"}, good},
			"old, older is not kept"},
		"an md5 rule": {
			logins{"scram-sha-256", nil, append(good[:4:4], hbaRule{9, "hostssl", "md5", ""})},
			"line 9 of pg_hba.conf lets in by md5",
		},
		"trust": {logins{"scram-sha-256", nil, []hbaRule{{1, "local", "trust", ""}}},
			"lets in by trust"},
		"no TLS": {
			logins{"scram-sha-256", nil, []hbaRule{{5, "host", "scram-sha-256", ""}}},
			"line 5 of pg_hba.conf (host) lets in without TLS",
		},
		"no TLS at all": {
			logins{"scram-sha-256", nil, []hbaRule{{5, "hostnossl", "scram-sha-256", ""}}},
			"(hostnossl)",
		},
		"a broken rule": {
			logins{"scram-sha-256", nil, []hbaRule{{6, "", "", "invalid connection type"}}},
			"line 6 of pg_hba.conf is wrong: invalid",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.CheckSays(t, errs.Reasons(c.logins.problems()), c.says)
		})
	}
}

func TestJudgeFiles(t *testing.T) {
	t.Parallel()
	cl := &site.Site{Spec: spec.New()}
	good := strings.Join([]string{
		"750 root etcd /etc/etcd/certs", "640 root etcd /etc/etcd/certs/server.key",
		"640 root root /etc/etcd/certs/server.crt",
		"750 postgres postgres /etc/patroni", "700 postgres postgres /etc/patroni/certs",
		"600 postgres postgres /etc/patroni/certs/rest-server.key",
		"600 postgres postgres /etc/patroni/config.yml",
		"600 postgres postgres /etc/patroni/pgpass",
		"700 postgres postgres /var/lib/postgresql/data", "700 etcd etcd /var/lib/etcd",
		"700 root root /root/.config/patroni", "600 root root /root/.config/patroni/patronictl.yaml",
	}, "\n")
	for name, c := range map[string]struct{ old, new, says string }{
		"as it should be": {"", "", ""},
		"a key for everybody": {
			"640 root etcd /etc/etcd/certs/server.key", "644 root etcd /etc/etcd/certs/server.key",
			"server.key has mode 0644, at most 0640",
		},
		"a key for a group": {
			"600 postgres postgres /etc/patroni/certs/rest",
			"640 postgres postgres /etc/patroni/certs/rest", "mode 0640, at most 0600",
		},
		"a key of somebody else": {
			"600 postgres postgres /etc/patroni/certs/rest",
			"600 nobody postgres /etc/patroni/certs/rest",
			"belongs to nobody:postgres",
		},
		"another group": {
			"640 root etcd /etc/etcd/certs/server.key", "640 root users /etc/etcd/certs/server.key",
			"belongs to root:users, not root:etcd",
		},
		"an open folder": {
			"700 postgres postgres /etc/patroni/certs", "755 postgres postgres /etc/patroni/certs",
			"/etc/patroni/certs has mode 0755",
		},
		"an open data directory": {
			"700 etcd etcd /var/lib/etcd", "755 etcd etcd /var/lib/etcd",
			"/var/lib/etcd has mode 0755",
		},
		"passwords for everybody": {
			"600 postgres postgres /etc/patroni/pgpass",
			"604 postgres postgres /etc/patroni/pgpass",
			"pgpass has mode 0604",
		},
		"no password file": {"600 postgres postgres /etc/patroni/pgpass", "",
			"there is no /etc/patroni/pgpass"},
		"a CA's key": {
			"640 root root /etc/etcd/certs/server.crt", "600 root root /etc/etcd/certs/ca.key",
			"the key of a CA must be on no host",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listing := good
			if c.old != "" {
				listing = strings.Replace(good, c.old, c.new, 1)
			}
			testkit.CheckSays(t,
				errs.Reasons(judgeFiles(listing,
					guardedFiles(site.Layout(cl.Spec, spec.Host{Role: spec.RoleDatabase})))), c.says)
		})
	}
}

func TestJudgeHAProxy(t *testing.T) {
	t.Parallel()
	good := "global\n    ssl-default-server-options ssl-min-ver TLSv1.2\ndefaults\n    " +
		"default-server inter 500ms verify required ca-file /etc/haproxy/certs/ca.crt\n" +
		"listen write\n    server pg1 192.0.2.1:5432 check check-ssl verifyhost pg1\n    server " +
		"in 192.0.2.1:5432 backup track write/pg1\n"
	for name, c := range map[string]struct{ old, new, says string }{
		"as it should be":   {"", "", ""},
		"any version":       {"ssl-min-ver TLSv1.2", "ssl-min-ver TLSv1.0", "TLS before 1.2"},
		"nobody verified":   {"verify required", "verify none", "do not verify"},
		"no authority":      {"ca-file /etc/haproxy/certs/ca.crt", "", "do not verify"},
		"one without names": {"verifyhost pg1", "", "server pg1 is checked without its name"},
		"one not verified":  {"verifyhost pg1", "verifyhost pg1 verify none", "server pg1"},
		"one without TLS":   {"check check-ssl", "check", "server pg1"},
		"only in a comment": {"    ssl-default", "#    ssl-default", "TLS before 1.2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := good
			if c.old != "" {
				config = strings.Replace(good, c.old, c.new, 1)
			}
			testkit.CheckSays(t, errs.Reasons(judgeHAProxy(config)), c.says)
		})
	}
}
