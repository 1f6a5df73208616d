package host_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/testpki"
	"github.com/pgha/toolkit/pgha/internal/reference"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/patroni/host"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

func TestCallbackCommand(t *testing.T) {
	t.Parallel()
	elsewhere := reference.Options()
	elsewhere.EtcdEndpoints = []string{"192.168.0.10:2379", "192.168.0.11:2379"}
	partly := reference.Options()
	partly.Namespace, partly.Scope = "//db//", "orders"
	partly.EtcdEndpoints = []string{"192.168.0.204:12379", "192.168.0.10:2379"}
	for name, c := range map[string]struct {
		options host.Options
		want    string
	}{
		"etcd has hosts of its own": {elsewhere, ""},
		"etcd is on one of ours": {
			partly,
			host.CallbackPath +
				" --certs /etc/patroni/certs --leader-key /db/orders/leader --etcd " +
				"192.168.0.204:12379@postgresql-02 --etcd 192.168.0.10:2379",
		},
	} {
		got, err := c.options.WithDefaults().Callback()
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v\nwant %q", name, got, err, c.want)
		}
	}
	if config, err := host.Config(elsewhere, elsewhere.Members[0]); err != nil ||
		bytes.Contains(config, []byte("callbacks")) {
		t.Errorf("callbacks without an etcd to move: %v", err)
	}
}

// TestCallbackIsInstalled: Patroni runs the command as postgres, who must be able to start it and
// unable to change it. It comes before the configuration that names it, and a new one needs no
// reload.
func TestCallbackIsInstalled(t *testing.T) {
	t.Parallel()
	o := reference.WithCertificates(t)
	resources, err := host.Resources(o, o.Members[0])
	if err != nil {
		t.Fatal(err)
	}
	config := slices.IndexFunc(resources, func(r remote.Resource) bool {
		return r.String() == "file "+host.ConfigPath
	})
	script := slices.IndexFunc(resources, func(r remote.Resource) bool {
		return r.String() == "file "+host.CallbackPath
	})
	if script < 0 || script > config {
		t.Fatalf("%s is resource %d, the configuration is %d", host.CallbackPath, script, config)
	}
	want := remote.File{FileMeta: remote.FileMeta{Path: host.CallbackPath, Mode: 0o755},
		Content: host.CallbackScript}
	if diff := cmp.Diff(want, resources[script].(remote.File),
		cmp.Comparer(func(a, b func(string) remote.Cmd) bool {
			return a == nil && b == nil
		})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if slices.Contains(host.ReloadOn(o, o.Members[0]), host.CallbackPath) {
		t.Error("a new command reloads Patroni")
	}
}

// gateway plays the HTTP gateways of an etcd cluster. Members count from 1; 0 is nobody.
type gateway struct {
	t        *testing.T
	mu       sync.Mutex
	servers  []*httptest.Server
	leader   int
	noLeader int          // so many statuses are answered without a leader first
	down     map[int]bool // does not answer
	unfit    map[int]string
	refuses  map[int]bool // does not take over
	cutOff   int          // still takes itself for the leader, in an earlier term
	primary  string       // the value of Patroni's leader key
	calls    []string     // transfers that were asked for, and others' mistakes
}

func newGateway(t *testing.T, client *x509.CertPool, server pki.KeyPair) *gateway {
	t.Helper()
	g := &gateway{t: t, leader: 1, primary: "m1"}
	pair, err := server.TLS()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		s := httptest.NewUnstartedServer(
			http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.serve(i+1, w, r) }))
		s.TLS = &tls.Config{
			MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: client,
		}
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		g.servers = append(g.servers, s)
	}
	return g
}

// memberID is beyond what a JSON number in floating point can hold, as etcd's are.
func memberID(n int) uint64 { return 10501334649042878790 + uint64(n) }

func (g *gateway) serve(n int, w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var body map[string]string
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.Method != http.MethodPost {
		g.calls = append(g.calls, fmt.Sprintf("%s %s: %v", r.Method, r.URL, err))
	}
	switch {
	case g.down[n]:
		panic(http.ErrAbortHandler)
	case r.URL.Path == "/v3/maintenance/status":
		reply(w, g.status(n))
	case r.URL.Path == "/v3/kv/range" && body["key"] == "L3NlcnZpY2UvYy9sZWFkZXI=":
		kvs := []any{}
		if g.primary != "" {
			kvs = append(kvs, map[string]any{"key": body["key"], "value": []byte(g.primary)})
		}
		reply(w, map[string]any{"kvs": kvs})
	case r.URL.Path == "/v3/maintenance/transfer-leadership":
		g.transfer(n, body["targetID"], w)
	default:
		g.calls = append(g.calls, fmt.Sprintf("%s with %v", r.URL, body))
	}
}

func (g *gateway) status(n int) map[string]any {
	leader, term := g.leader, 7
	switch {
	case n == g.cutOff:
		leader, term = n, 6
	case g.noLeader > 0:
		g.noLeader--
		leader = 0
	}
	status := map[string]any{
		"header":           map[string]any{"member_id": fmt.Sprint(memberID(n))},
		"raftTerm":         fmt.Sprint(term),
		"raftAppliedIndex": fmt.Sprint(100 + n),
	}
	if leader != 0 {
		status["leader"] = fmt.Sprint(memberID(leader))
	}
	switch g.unfit[n] {
	case "learner":
		status["isLearner"] = true
	case "alarm":
		status["errors"] = []string{"memberID:1 alarm:NOSPACE"}
	}
	return status
}

func (g *gateway) transfer(n int, target string, w http.ResponseWriter) {
	for to := range 4 {
		if target != fmt.Sprint(memberID(to)) {
			continue
		}
		g.calls = append(g.calls, fmt.Sprintf("m%d: to m%d", n, to))
		if n != g.leader || g.refuses[to] {
			w.WriteHeader(http.StatusServiceUnavailable)
			reply(w, map[string]any{"code": 14, "message": "etcdserver: request timed out"})
			return
		}
		g.leader = to
		reply(w, map[string]any{})
		return
	}
	g.calls = append(g.calls, fmt.Sprintf("m%d: to %q", n, target))
}

func reply(w http.ResponseWriter, body any) { _ = json.NewEncoder(w).Encode(body) }

// run runs the real script against the gateways as Patroni does, and returns what it says and its
// exit code.
func (g *gateway) run(certs, seconds string) (string, int) {
	g.t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		g.t.Skip("python3 is not installed")
	}
	args := []string{
		"-I", "callback_etcd.py", "--certs", certs, "--leader-key", "/service/c/leader",
		"--seconds", seconds,
	}
	for i, s := range g.servers {
		args = append(args, "--etcd", fmt.Sprintf("%s@m%d", s.Listener.Addr(), i+1))
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(g.t.Context(), python,
		append(args, "on_role_change", "primary", "c")...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		g.t.Fatal(err)
	}
	return strings.TrimSpace(out.String()), cmd.ProcessState.ExitCode()
}

// certsFolder is what install puts on a host of what the script reads.
func certsFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	client := testpki.Issue(t, pki.ClientUsage)
	at := layout.CertificateOf(layout.EtcdClient)
	for path, content := range map[string][]byte{
		at.CA: testpki.CA(t).CertPEM(), at.File: client.Cert, at.Key: client.Key.Reveal(),
	} {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), content,
			0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCallbackMovesEtcdsLeader(t *testing.T) {
	t.Parallel()
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(testpki.CA(t).CertPEM())
	server := testpki.Issue(t, pki.ServerUsage, "127.0.0.1")
	const moved = "pgha: etcd's leadership moved from m1, where PostgreSQL's primary is, to "
	const left = "pgha: etcd's leadership was left where it is: "
	for name, c := range map[string]struct {
		prepare func(*gateway)
		seconds string // "" is 5
		calls   []string
		says    string
		code    int
	}{
		"the primary's host leads": {calls: []string{"m1: to m3"}, says: moved + "m3"},
		"another host leads":       {prepare: func(g *gateway) { g.leader = 2 }},
		"nobody is primary":        {prepare: func(g *gateway) { g.primary = "" }},
		"the leader is not ours":   {prepare: func(g *gateway) { g.primary = "m9" }},
		"the best is down": {
			prepare: func(g *gateway) { g.down = map[int]bool{3: true} },
			calls:   []string{"m1: to m2"},
			says:    moved + "m2",
		},
		"the best is a learner": {
			prepare: func(g *gateway) { g.unfit = map[int]string{3: "learner"} },
			calls:   []string{"m1: to m2"}, says: moved + "m2",
		},
		"the best has an alarm": {
			prepare: func(g *gateway) { g.unfit = map[int]string{3: "alarm"} },
			calls:   []string{"m1: to m2"}, says: moved + "m2",
		},
		"the best refuses": {
			prepare: func(g *gateway) { g.refuses = map[int]bool{3: true} },
			calls:   []string{"m1: to m3", "m1: to m2"}, says: moved + "m2",
		},
		"etcd is electing": {
			prepare: func(g *gateway) { g.noLeader = 6 }, calls: []string{"m1: to m3"},
			says: moved + "m3",
		},
		"a former leader is cut off": {
			prepare: func(g *gateway) { g.cutOff = 3 }, calls: []string{"m1: to m2"},
			says: moved + "m2",
		},
		"the primary's was the former": {prepare: func(g *gateway) { g.cutOff, g.leader = 1, 2 }},
		"nobody else is up": {
			prepare: func(g *gateway) { g.down = map[int]bool{2: true, 3: true} }, seconds: "0.5",
			says: left + "no other member of etcd is healthy", code: 1,
		},
		"the leader is down": {
			prepare: func(g *gateway) { g.down = map[int]bool{1: true} }, seconds: "0.5",
			says: left + "etcd's leader does not answer", code: 1,
		},
		"no leader is elected": {
			prepare: func(g *gateway) { g.noLeader = 1 << 20 }, seconds: "0.5",
			says: left + "etcd has no leader", code: 1,
		},
		"both others refuse, and go on so": {
			prepare: func(g *gateway) { g.refuses = map[int]bool{2: true, 3: true} },
			seconds: "0.1",
			calls:   []string{"m1: to m3"},
			says: left +
				"m3 did not take over: etcd answered 503: etcdserver: request timed out", code: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, clients, server)
			if c.prepare != nil {
				c.prepare(g)
			}
			seconds := "5"
			if c.seconds != "" {
				seconds = c.seconds
			}
			says, code := g.run(certsFolder(t), seconds)
			if diff := cmp.Diff(c.calls, g.calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if says != c.says || code != c.code {
				t.Errorf("exit code %d, want %d; it says\n%s\nwant\n%s", code, c.code, says, c.says)
			}
		})
	}
}

// TestCallbackTrustsOnlyEtcdsCA: anyone who has no certificate of etcd's authority learns nothing
// and is asked for nothing.
func TestCallbackTrustsOnlyEtcdsCA(t *testing.T) {
	t.Parallel()
	other, err := pki.NewCA("another")
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(testpki.CA(t).CertPEM())
	stranger, err := other.Issue(pki.Request{
		CommonName: "x", Usage: pki.ServerUsage,
		IPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, server := range map[string]pki.KeyPair{
		"another authority": stranger.KeyPair(),
		"another address":   testpki.Issue(t, pki.ServerUsage, "192.0.2.1"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, clients, server)
			says, code := g.run(certsFolder(t), "0.1")
			if len(g.calls) > 0 || code != 1 || !strings.Contains(says,
				"certificate verify failed") {
				t.Errorf("calls %v, exit code %d, it says %s", g.calls, code, says)
			}
		})
	}
}
