package certificates

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/internal/wire"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/procedure"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

func authority(t *testing.T, name string) *pki.CA {
	t.Helper()
	ca, err := pki.NewCA(name)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func leaf(t *testing.T, ca *pki.CA, usage pki.Usage) pki.KeyPair {
	t.Helper()
	issued, err := ca.Issue(pki.Request{CommonName: "x", DNSNames: []string{"x"},
		IPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Usage: usage})
	if err != nil {
		t.Fatal(err)
	}
	return issued.KeyPair()
}

// server answers handshakes with a certificate, and lets in whoever the authority has signed.
func server(t *testing.T, own pki.KeyPair, clients *pki.CA) int {
	t.Helper()
	pair, err := own.TLS()
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	if clients != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		config.ClientCAs.AppendCertsFromPEM(clients.CertPEM())
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = conn.(*tls.Conn).Handshake()
				_ = conn.Close()
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// TestTrials: a server that shows a certificate of the former authority, or lets one in, is found.
func TestTrials(t *testing.T) {
	t.Parallel()
	former, now := authority(t, "former"), authority(t, "now")
	for name, c := range map[string]struct {
		shows              *pki.CA
		lets               *pki.CA
		trusted            *pki.CA
		shown              *pki.CA
		untrusted, refused bool
		says               string
	}{
		"new on both sides":             {shows: now, lets: now, trusted: now, shown: now},
		"it shows the former one":       {shows: former, lets: now, trusted: now, shown: now, says: "unknown authority"},
		"it lets no new one in":         {shows: now, lets: former, trusted: now, shown: now, says: "refused"},
		"the former one is not shown":   {shows: now, lets: now, trusted: former, untrusted: true},
		"the former one is still shown": {shows: former, lets: now, trusted: former, shown: now, untrusted: true, says: "shows a certificate of the former authority"},
		"a former one is refused":       {shows: now, lets: now, trusted: now, shown: former, refused: true},
		"a former one is let in":        {shows: now, lets: former, trusted: now, shown: former, refused: true, says: "lets in a certificate of the former authority"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := wire.Endpoint{Name: "the server", Host: "db", Address: "127.0.0.1",
				Port: server(t, leaf(t, c.shows, pki.ServerUsage), c.lets), CA: c.trusted.CertPEM()}
			if c.shown != nil {
				d.Own = leaf(t, c.shown, pki.ClientUsage)
			}
			from := &remote.Target{Host: remote.Host{Name: "other", Address: "127.0.0.1"},
				Executor: &remote.Local{Name: "other"}}
			err := trial{peer: peer{from, d}, most: tls.VersionTLS12, untrusted: c.untrusted,
				refused: c.refused}.try(t.Context())
			testkit.CheckSays(t, err, c.says)
		})
	}
}

// TestTrialsOnAClosedPort: nobody there is no refusal.
func TestTrialsOnAClosedPort(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	d := wire.Endpoint{Name: "the server", Address: "127.0.0.1", Port: port}
	from := &remote.Target{Host: remote.Host{Name: "other"}, Executor: &remote.Local{Name: "other"}}
	for _, one := range []trial{{refused: true}, {untrusted: true}, {}} {
		one.peer = peer{from, d}
		if one.try(t.Context()) == nil {
			t.Errorf("%+v passes", one)
		}
	}
}

func newWork(t *testing.T) (*work, Certificates) {
	t.Helper()
	c, _ := sitetest.HeldHosts(t)
	return &work{Job: &job.Job{Site: c, Out: &event.Emitter{Log: c.Log}}, state: c.State}, Of(c)
}

// TestPlannedRenewals: all, those of a host, and none; and no file is touched by that.
func TestPlannedRenewals(t *testing.T) {
	t.Parallel()
	w, c := newWork(t)
	count := func(all bool, hosts ...string) int {
		t.Helper()
		chosen, err := c.site.Chosen(hosts)
		if err != nil {
			t.Fatal(err)
		}
		r := &renewal{Job: w.Job, opts: RenewOptions{All: all, Hosts: hosts}, chosen: chosen,
			result: &RenewResult{}}
		if err := r.plan(t.Context(), r.away()); err != nil {
			t.Fatal(err)
		}
		for _, one := range r.result.Renewed {
			if len(hosts) > 0 && !slices.Contains(hosts, one.Host) {
				t.Errorf("%s on %q is renewed", one.Name, one.Host)
			}
			if time.Until(one.NotAfter) < 300*24*time.Hour {
				t.Errorf("%+v ends soon", one)
			}
		}
		return len(r.result.Renewed)
	}
	sp := c.site.Spec
	every := len(certs.OfOperator(sp))
	for _, h := range sp.CertifiedHosts() {
		every += len(certs.OfHost(sp, h))
	}
	h, err := sp.Host("pg1")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ got, want int }{
		"all":       {count(true), every},
		"of a host": {count(true, "pg1"), len(certs.OfHost(sp, h))},
		"none due":  {count(false), 0},
		"all twice": {count(true), every},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %d, want %d", name, tt.got, tt.want)
		}
	}
	delete(c.site.Connections, "pg1")
	if got, want := count(true), every-len(certs.OfHost(sp, h)); got != want {
		t.Errorf("without a connection to pg1: %d, want %d", got, want)
	}
}

// TestSteps: there is a way back until the last one, and none from it.
func TestSteps(t *testing.T) {
	t.Parallel()
	w, _ := newWork(t)
	w.Former = map[string]string{layout.EtcdAuthority: "x", layout.PatroniAuthority: "y"}
	if got := w.subject(); got != "etcd, rest" {
		t.Errorf("subject %q", got)
	}
	w.build()
	for i, s := range procedure.Outlines(w.steps) {
		if (s.Back == "") != (i == len(w.steps)-1) {
			t.Errorf("step %d: %+v", i+1, s)
		}
	}
	if w.steps[0].Cost == "" {
		t.Error("it does not say that etcd restarts")
	}
	w.Former, w.steps = map[string]string{layout.BackupAuthority: "x"}, nil
	if w.build(); w.steps[0].Cost != "" {
		t.Errorf("etcd does not restart for backups: %s", w.steps[0].Cost)
	}
}

// TestUndoWithoutTheKey: once the former key is deleted it is refused, and says how to go on.
func TestUndoWithoutTheKey(t *testing.T) {
	t.Parallel()
	w, c := newWork(t)
	former, err := w.state.Replacement(layout.EtcdAuthority).Issuing()
	if err == nil {
		err = errors.Join(w.state.Replacement(layout.EtcdAuthority).Introduce(w.Spec, ""),
			w.state.Replacement(layout.EtcdAuthority).Adopt(),
			w.state.Replacement(layout.EtcdAuthority).CloseWayBack())
	}
	if err != nil {
		t.Fatal(err)
	}
	r := procedure.Record{Verb: verbRotate, Order: []byte(`{"former": {"etcd": "` + former + `"}}`)}
	_, err = c.Undo(t.Context(), r, RotateOptions{}.Operation)
	if !errors.Is(err, vault.ErrNoWayBack) || errs.KindOf(err) != errs.Refused {
		t.Errorf("got %v", err)
	}
	if !Is(r) || Is(procedure.Record{Verb: "restore"}) {
		t.Error("it does not know its own records")
	}
}

// TestRefusedAuthorities: names that are none are refused before a host is asked.
func TestRefusedAuthorities(t *testing.T) {
	t.Parallel()
	_, c := newWork(t)
	for name, says := range map[string]string{"patroni": "there is no authority", "": "there is no",
		"backup": "has no backups"} {
		_, err := c.RotateCA(t.Context(), RotateOptions{Authorities: []string{name}})
		testkit.CheckSays(t, err, says)
	}
	if _, err := c.RotateCA(t.Context(), RotateOptions{}); err == nil {
		t.Error("nothing is replaced without an error")
	}
	if got := c.AllAuthorities(); !slices.Equal(got, []string{"etcd", "postgres", "rest"}) {
		t.Errorf("all: %q", got)
	}
}

// TestDifferences: the wire, the disk and the state directory are compared.
func TestDifferences(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ca := authority(t, "x")
	one, other := seen(leaf(t, ca, pki.ServerUsage).Cert, now), seen(leaf(t, ca,
		pki.ServerUsage).Cert, now)
	for says, c := range map[string]Certificate{
		"":                              {State: one, Disk: &one, Wire: []Shown{{Seen: one}}},
		"state directory has another":   {State: other, Disk: &one, Wire: []Shown{{Seen: one}}},
		"port 5 shows another one than": {State: one, Disk: &one, Wire: []Shown{{Port: 5, Seen: other}}},
		"port 6 shows none: no answer": {State: one, Disk: &one,
			Wire: []Shown{{Port: 6, Seen: Seen{Error: "no answer"}}}},
	} {
		if got := differences(c, now); !strings.Contains(got, says) || (says == "") != (got == "") {
			t.Errorf("got %q, want %q", got, says)
		}
	}
}

// TestJudged: what is due is no problem, and what has ended is.
func TestJudged(t *testing.T) {
	t.Parallel()
	_, c := newWork(t)
	cr, sp := c.site.Credentials(), c.site.Spec
	h, err := sp.Host("pg1")
	if err != nil {
		t.Fatal(err)
	}
	of := certs.Named(sp, h, layout.RESTServer)
	text := cr.Hosts["pg1"][layout.RESTServer].Cert
	for name, tt := range map[string]struct {
		text  []byte
		after time.Duration
		due   bool
		says  string
	}{
		"new":         {text, 0, false, ""},
		"due":         {text, 300 * 24 * time.Hour, true, ""},
		"ended":       {text, 400 * 24 * time.Hour, true, "expired"},
		"missing":     {nil, 0, false, "missing"},
		"no such":     {[]byte("x"), 0, false, "cannot be read"},
		"another one": {cr.Hosts["pg2"][layout.RESTServer].Cert, 0, true, "common name"},
	} {
		due, problem := judged(of, cr, tt.text, time.Now().Add(tt.after))
		if due != tt.due || !strings.Contains(problem, tt.says) ||
			(tt.says == "") != (problem == "") {
			t.Errorf("%s: %t, %q", name, due, problem)
		}
	}
	if got := fingerprints(bytes.Join([][]byte{cr.EtcdCA, cr.PatroniCA}, nil)); len(got) != 2 {
		t.Errorf("fingerprints %q", got)
	}
}

// TestRestartsWithoutAHost: two of three members of etcd have no quorum while one restarts.
func TestRestartsWithoutAHost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		authority, away string
		refused         bool
	}{
		{layout.EtcdAuthority, "", false}, {layout.EtcdAuthority, "pg3", true},
		{layout.EtcdAuthority, "lb1", false}, {layout.PostgresAuthority, "pg3", false},
	} {
		w, _ := newWork(t)
		w.Former = map[string]string{tt.authority: "x"}
		if tt.away != "" {
			h, err := w.Spec.Host(tt.away)
			if err != nil {
				t.Fatal(err)
			}
			w.Site = w.LeavingOut([]spec.Host{h})
		}
		if err := w.refuseRestarts(); (err != nil) != tt.refused ||
			tt.refused && errs.KindOf(err) != errs.Refused {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

// TestListCutsShort: the authority that ends before its certificates should is named, and no other.
func TestListCutsShort(t *testing.T) {
	t.Parallel()
	_, c := newWork(t)
	short := func() (names []string) {
		for _, a := range authorities(c.site, time.Now()) {
			if a.CutsShort {
				names = append(names, a.Name+" "+a.Role)
			}
		}
		return names
	}
	if got := short(); len(got) > 0 {
		t.Errorf("of long authorities: %v", got)
	}
	ca, err := pki.NewCA("short", pki.WithLifetime(100*vault.Day))
	if err != nil {
		t.Fatal(err)
	}
	for suffix, text := range map[string][]byte{".key": ca.KeyPEM().Reveal(), ".crt": ca.CertPEM()} {
		if err := c.site.State.Write(vault.CAFile(layout.EtcdAuthority, suffix), text); err != nil {
			t.Fatal(err)
		}
	}
	cr, err := vault.LoadCredentials(t.Context(), c.site.State, c.site.Spec)
	if err != nil {
		t.Fatal(err)
	}
	c.site.Hold(cr)
	if got := short(); !slices.Equal(got, []string{"etcd issues"}) {
		t.Errorf("cut short by %v", got)
	}
}
