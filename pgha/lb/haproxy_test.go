package lb_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/testpki"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

// database is a host with a REST API as Patroni answers it and a "PostgreSQL" that says its name
// and then nothing more.
type database struct {
	name, address string
	role          atomic.Value // "primary", "replica" or "down"
	postgres      net.Listener
	aborts        atomic.Bool // ends sessions after a word, as they look over TLS
}

func (d *database) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodOptions || r.URL.Path != "/"+d.role.Load().(string) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func (d *database) start(t *testing.T, leaf *pki.Leaf, postgresPort, restPort int) {
	t.Helper()
	pair, err := tls.X509KeyPair(leaf.CertPEM, leaf.KeyPEM.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	rest, err := tls.Listen("tcp", net.JoinHostPort(d.address, strconv.Itoa(restPort)), &tls.Config{
		Certificates: []tls.Certificate{pair},
	})
	if err != nil {
		t.Fatal(err)
	}
	// refused handshakes are part of the tests
	server := &http.Server{Handler: d, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = server.Serve(rest) }()
	t.Cleanup(func() { _ = server.Close() })
	postgres, err := net.Listen("tcp", net.JoinHostPort(d.address, strconv.Itoa(postgresPort)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = postgres.Close() })
	d.postgres = postgres
	go func() {
		for {
			c, err := postgres.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, d.name+"\n")
			go func() {
				if b := make([]byte, 64); d.aborts.Load() {
					_, _ = c.Read(b)
					_ = c.(*net.TCPConn).SetLinger(0)
				} else {
					_, _ = io.Copy(io.Discard, c)
				}
				_ = c.Close()
			}()
		}
	}()
}

// balancer is a HAProxy on this machine that runs what Config rendered. It is an Executor whose
// runtime socket lies elsewhere.
type balancer struct {
	remote.Local
	socket string
}

func (b *balancer) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	for i, a := range cmd.Argv {
		cmd.Argv[i] = strings.ReplaceAll(a, "/run/haproxy/admin.sock", b.socket)
	}
	return b.Local.Run(ctx, cmd)
}

// stack is three databases behind one real HAProxy.
type stack struct {
	lb.Options
	databases []*database
}

// freePorts finds ports that are free on every loopback address.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "0.0.0.0:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports
}

// startStack starts everything; subnet is the third byte of the databases' loopback addresses and
// certNames are the names in their certificates.
func startStack(t *testing.T, subnet int, certNames ...string) *stack {
	t.Helper()
	return startStackWith(t, subnet, func(*lb.Options) {}, "", certNames...)
}

// startStackWith does it with other options, and another place for HAProxy's log unless that is "".
func startStackWith(t *testing.T, subnet int, adjust func(*lb.Options), log string,
	certNames ...string) *stack {
	t.Helper()
	program := haproxy(t)
	p := freePorts(t, 6)
	s := &stack{Options: lb.Options{
		PatroniCA: testpki.CA(t).CertPEM(), WritePort: p[0], ReadPort: p[1], HealthPort: p[2],
		PostgresPort: p[3], RESTPort: p[4], MetricsPort: p[5],
		Wait: 20 * time.Second,
	}}
	adjust(&s.Options)
	for i, certName := range certNames {
		d := &database{name: fmt.Sprintf("pg%d", i+1),
			address: fmt.Sprintf("127.77.%d.%d", subnet, i+1)}
		d.role.Store("replica")
		d.start(t, issue(t, d.address, certName), s.PostgresPort, s.RESTPort)
		s.databases = append(s.databases, d)
		s.Backends = append(s.Backends, lb.Backend{Name: d.name, Address: d.address})
	}
	cfg, err := lb.Config(s.Options)
	if err != nil {
		t.Fatal(err)
	}
	// A Unix socket's path may have some 100 characters, so not below t.TempDir.
	dir, err := os.MkdirTemp("", "lb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	// The write and read ports are bound on every address on a host; loopback is enough here.
	text := strings.ReplaceAll(string(cfg), "bind *:", "bind 127.0.0.1:")
	if log != "" {
		text = strings.Replace(text, "log /dev/log ", "log "+log+" ", 1)
	}
	cmd := exec.Command(program, "-db", "-f", relocate(t, []byte(text), s.PatroniCA, dir))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	s.Balancers = []*remote.Target{
		{Host: remote.Host{Name: "lb1"}, Executor: &balancer{socket: filepath.Join(dir, "s")}},
	}
	return s
}

// connect opens a session that the caller closes and returns it with the name of the database that
// it leads to, "" when there is none; the session is nil as long as HAProxy does not listen.
func connect(port int) (net.Conn, string) {
	c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		5*time.Second)
	if err != nil {
		return nil, ""
	}
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	b := make([]byte, 4)
	n, _ := io.ReadFull(c, b)
	return c, strings.TrimSpace(string(b[:n]))
}

// until polls until new sessions on the port lead to one of the names.
func until(t *testing.T, port int, names ...string) {
	t.Helper()
	last := ""
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(
		20 * time.Millisecond) {
		var c net.Conn
		if c, last = connect(port); c != nil {
			_ = c.Close()
		}
		for _, n := range names {
			if last == n {
				return
			}
		}
	}
	t.Fatalf("sessions lead to %q, want one of %q", last, names)
}

func TestHAProxyFollowsThePrimary(t *testing.T) {
	t.Parallel()
	s := startStack(t, 1, "pg1", "pg2", "pg3")
	s.databases[0].role.Store("primary")
	if err := lb.WaitPrimary(t.Context(), s.Options); err != nil {
		t.Fatal(err)
	}
	until(t, s.WritePort, "pg1")
	session, name := connect(s.WritePort)
	if name != "pg1" {
		t.Fatalf("a session leads to %q", name)
	}
	defer func() { _ = session.Close() }()
	until(t, s.ReadPort, "pg2", "pg3")

	start := time.Now()
	s.databases[0].role.Store("down")
	s.databases[1].role.Store("primary")
	until(t, s.WritePort, "pg2")
	t.Logf("new sessions reach the new primary after %s", time.Since(start).Round(time.Millisecond))
	if _, err := session.Read(make([]byte, 1)); err == nil ||
		errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the session on the former primary was not ended: %v", err)
	}

	states, err := lb.State(t.Context(), s.Options)
	if err != nil || states[0].Err != nil {
		t.Fatal(err, states[0].Err)
	}
	if p, ok := states[0].Primary(); p != "pg2" || !ok {
		t.Errorf("the primary is %q, %v; want pg2", p, ok)
	}
	if states[0].Version == "" || len(states[0].Servers) != 9 {
		t.Errorf("version %q and %d servers, want 9", states[0].Version, len(states[0].Servers))
	}
}

func TestReadersFallBackOnThePrimary(t *testing.T) {
	t.Parallel()
	s := startStack(t, 2, "pg1", "pg2")
	s.databases[0].role.Store("primary")
	until(t, s.ReadPort, "pg2")
	s.databases[1].role.Store("down")
	until(t, s.ReadPort, "pg1")
}

func TestCertificateMustCarryTheHostsName(t *testing.T) {
	t.Parallel()
	// pg1 shows pg2's certificate, from the right authority.
	s := startStack(t, 3, "pg2", "pg2")
	s.databases[0].role.Store("primary")
	const refused = "pg1 DOWN L6RSP" // the handshake failed
	s.Wait = 200 * time.Millisecond
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if err = lb.WaitPrimary(t.Context(), s.Options); err == nil ||
			strings.Contains(err.Error(), refused) {
			break
		}
	}
	if !errors.Is(err, lb.ErrNotReady) || !strings.Contains(err.Error(), refused) {
		t.Errorf("got %v, want ErrNotReady with %s", err, refused)
	}
	if c, name := connect(s.WritePort); c == nil || name != "" {
		t.Errorf("a session leads to %q", name)
	} else {
		_ = c.Close()
	}
}

func TestNoWriterReachesAReplicaAfterAStart(t *testing.T) {
	t.Parallel()
	s := startStack(t, 5, "pg1", "pg2", "pg3")
	s.databases[2].role.Store("primary")
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); {
		c, name := connect(s.WritePort)
		if c == nil {
			continue
		}
		_ = c.Close()
		if name != "" && name != "pg3" {
			t.Fatalf("a writer was led to the replica %s", name)
		}
	}
	until(t, s.WritePort, "pg3")
}

func TestHealth(t *testing.T) {
	t.Parallel()
	s := startStack(t, 4, "pg1")
	url := fmt.Sprintf("http://127.0.0.1:%d", s.HealthPort)
	var res *http.Response
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(
		20 * time.Millisecond) {
		if res, err = http.Get(url + "/health"); err == nil {
			break
		}
	}
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("GET /health: %v %v", res, err)
	}
	_ = res.Body.Close()
	res, err = http.Get(url + "/stats")
	if err != nil || res.StatusCode == http.StatusOK {
		t.Errorf("GET /stats without StatsPage: %v %v", res, err)
	}
	if err == nil {
		_ = res.Body.Close()
	}
}
