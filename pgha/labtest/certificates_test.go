package labtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/certificates"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/probe"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestCertificates renews every certificate and replaces every authority of a cluster with backups
// and poolers, while a session writes and ten new ones a second are opened: none of them fails, the
// leader stays, and no PostgreSQL, Patroni or HAProxy is started again.
func TestCertificates(t *testing.T) {
	t.Parallel()
	wantTime(t, 9*time.Minute)
	s := newSite(t, startLab(t, lab.Options{Name: "e2e-certificates", Installed: true}),
		func(text string) string {
			return text + "pooler: {}\nbackup: {repository: [{type: host, host: haproxy-03}]}\n"
		})
	s.apply(t, pgha.ApplyOptions{})
	s.awaitHealthy(t)
	for _, p := range []part{
		{"renewed", testRenewed},
		{"all authorities", testAllAuthorities},
		{"killed and undone", testRotationUndone},
		{"killed and continued", testRotationKilled},
		{"left out", testRotationWithout},
		{"by a timer", testTimer},
		{"short lives", rare(testShortLives)},
		{"each authority", rare(testEachAuthority)},
		{"of a company", testCompany},
	} {
		runPart(t, p.name, func(t *testing.T) { p.run(t, s) })
	}
	s.awaitHealthy(t)
	s.applyNothing(t)
}

// undisturbed runs f beside a session that writes and ten new connections a second, which trust
// what the file of applications has at that moment.
func (s site) undisturbed(t *testing.T, f func()) {
	t.Helper()
	sp := s.spec(t)
	leader, _ := s.leader(t)
	before := s.processesOfSessions(t)
	file := filepath.Join(sp.StateDir, "postgres-ca.crt")
	w, err := probe.Start(t.Context(), probe.Options{Config: s.writerConfig(t)})
	if err != nil {
		t.Fatal(err)
	}
	// unless it was stopped before
	defer func() { _, _ = w.Stop(context.WithoutCancel(t.Context())) }()
	ctx, stop := context.WithCancel(t.Context())
	var opened, failed int
	var mu sync.Mutex
	var all sync.WaitGroup
	cfg := s.writerConfig(t)
	all.Go(func() {
		for tick := time.NewTicker(100 * time.Millisecond); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
			}
			all.Go(func() {
				err := openOnce(t.Context(), cfg, file)
				mu.Lock()
				defer mu.Unlock()
				if opened++; err != nil {
					if failed++; failed <= 3 {
						t.Errorf("a new connection failed: %v", err)
					}
				}
			})
		}
	})
	end := sync.OnceFunc(func() { stop(); all.Wait() })
	defer end() // also when f ends the test
	f()
	end()
	result, err := w.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lost := result.Count(probe.Failed) + result.Count(probe.Unknown)
	t.Logf("%d rows written, %d failed; %d connections opened, %d failed",
		result.Count(probe.Acked), lost, opened, failed)
	if lost+failed > 0 || result.Count(probe.Acked) == 0 || opened == 0 {
		t.Errorf("%d writes and %d connections failed", lost, failed)
	}
	if now, _ := s.leader(t); now != leader {
		t.Errorf("%s leads in place of %s", now, leader)
	}
	if after := s.processesOfSessions(t); after != before {
		t.Errorf("something was started again: processes %q, then %q", before, after)
	}
	s.sql(t, leader, "DROP TABLE pgha_probe")
}

// openOnce opens a session that trusts the authorities of a file, as an application does.
func openOnce(ctx context.Context, cfg *pgx.ConnConfig, file string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	own := cfg.Copy()
	own.TLSConfig.RootCAs = x509.NewCertPool()
	own.TLSConfig.RootCAs.AppendCertsFromPEM(text)
	conn, err := pgx.ConnectConfig(ctx, own)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return conn.Ping(ctx)
}

// inventory is what certificates list finds; the exit code has to be this one.
func (s site) inventory(t *testing.T, code int) (found certificates.Inventory) {
	t.Helper()
	got := s.cli(t, "certificates", "list", "--output", "json")
	if err := json.Unmarshal([]byte(got.stdout), &found); err != nil {
		t.Fatal(err, got.stderr)
	}
	if got.code != code {
		t.Errorf("certificates list: exit code %d, want %d: %v", got.code, code, found.Problems())
	}
	return found
}

// testRenewed renews all certificates, then finds a certificate that a server has not read, and one
// that is another one than the state directory has.
func testRenewed(t *testing.T, s site) {
	before := s.inventory(t, 0)
	var result certificates.RenewResult
	s.undisturbed(t, func() {
		s.verb(t, &result, "certificates", "renew", "--all")
	})
	after := s.inventory(t, 0)
	t.Logf("%d certificates renewed in %s", len(result.Renewed), result.Elapsed)
	if len(result.Renewed) != len(before.Certificates) || result.Checked == 0 {
		t.Errorf("%d of %d were renewed, %d servers asked", len(result.Renewed),
			len(before.Certificates), result.Checked)
	}
	for i, c := range after.Certificates {
		if c.State.Serial == before.Certificates[i].State.Serial {
			t.Errorf("%s %s is the old one", c.Host, c.Name)
		}
		for _, w := range c.Wire {
			if w.Serial != c.State.Serial {
				t.Errorf("%s port %d shows serial %s, want %s", c.Host, w.Port, w.Serial,
					c.State.Serial)
			}
		}
	}
	s.applyNothing(t)
	s.verb(t, &result, "certificates", "renew", "--due")
	if len(result.Renewed) > 0 {
		t.Errorf("again it renewed %+v", result.Renewed)
	}
	// What lies on the disk is not what is shown.
	host := s.databases()[0].Name
	s.mustInHost(t, host, "cd /etc/patroni/certs && cp -p postgres-server.crt postgres-server.key "+
		"/run && cp rest-server.crt postgres-server.crt && cp rest-server.key postgres-server.key")
	found := strings.Join(s.inventory(t, 1).Problems(), "\n")
	if !strings.Contains(found, host+" postgres: ") {
		t.Errorf("problems: %s", found)
	}
	s.verb(t, &result, "certificates", "renew", "--due", host)
	s.inventory(t, 0)
}

// testEachAuthority replaces one authority after the other; testCompany does the others.
func testEachAuthority(t *testing.T, s site) {
	for _, name := range []string{"rest", "backup"} {
		old := s.keepOld(t)
		var result certificates.RotateResult
		s.undisturbed(t, func() {
			s.verb(t, &result, "certificates", "rotate-ca", name)
		})
		t.Logf("%s replaced in %s, %d handshakes", name, result.Elapsed, result.Handshakes)
		s.oldRefused(t, old, name)
		s.inventory(t, 0)
	}
	s.applyNothing(t)
}

// testAllAuthorities replaces all of them at once.
func testAllAuthorities(t *testing.T, s site) {
	old := s.keepOld(t)
	var result certificates.RotateResult
	s.undisturbed(t, func() {
		s.verb(t, &result, "certificates", "rotate-ca", "all")
		t.Logf("all replaced in %s, %d handshakes", result.Elapsed, result.Handshakes)
	})
	s.oldRefused(t, old, "etcd", "postgres", "rest", "backup")
	s.applyNothing(t)
}

// testRotationKilled kills a replacement in each step, and continues it each time.
func testRotationKilled(t *testing.T, s site) {
	old := s.keepOld(t)
	s.undisturbed(t, func() {
		if !s.killWhen(t, "step 1 of 3", "certificates", "rotate-ca", "all", "--yes") {
			t.Fatal("it was not cut off in its first step")
		}
		s.free(t)
		s.refused(t, "a change is half done", "apply")
		s.refused(t, "a change is half done", "certificates", "renew", "--all")
		for _, step := range []string{"step 2 of 3", "step 3 of 3"} {
			if !s.killWhen(t, step, "change", "continue", "--yes") {
				t.Fatal("it was not cut off in " + step)
			}
			s.free(t)
		}
		// The key of the former authority may be deleted by now, or not yet.
		s.verb(t, nil, "change", "continue")
	})
	s.oldRefused(t, old, "etcd", "postgres", "rest", "backup")
	s.inventory(t, 0)
	s.applyNothing(t)
}

// testRotationUndone takes a replacement back from its second step: what was before is good again.
func testRotationUndone(t *testing.T, s site) {
	before := s.inventory(t, 0)
	s.undisturbed(t, func() {
		var result certificates.RotateResult
		s.verb(t, &result, "certificates", "rotate-ca", "postgres", "rest", "etcd", "--pause")
		if !result.Paused || result.Reached != 1 {
			t.Errorf("it did not pause: %+v", result)
		}
		s.sawClients(t)
		if !s.killWhen(t, "reloaded", "change", "continue", "--yes") {
			t.Fatal("it was not cut off in its second step")
		}
		s.free(t)
		s.verb(t, nil, "change", "undo")
	})
	after := s.inventory(t, 0)
	for i, a := range after.Authorities {
		if a.SHA256 != before.Authorities[i].SHA256 || a.Role != "issues" {
			t.Errorf("the authority %s is another one: %+v", a.Name, a)
		}
	}
	s.applyNothing(t)
}

// testRotationWithout leaves a host out that is down, and brings it in afterwards. etcd's authority
// has to wait for it: of three members one may restart only while both others work.
func testRotationWithout(t *testing.T, s site) {
	_, other := s.leader(t)
	host := s.hostOf(t, other)
	if err := s.Kill(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	got := s.cli(t, "certificates", "rotate-ca", "all", "--yes")
	if got.code != 3 || !strings.Contains(got.stderr, host) {
		t.Errorf("with %s down: exit code %d\n%s", host, got.code, got.stderr)
	}
	s.refused(t, "no quorum", "certificates", "rotate-ca", "all", "--without", host)
	s.verb(t, nil, "certificates", "rotate-ca", "postgres", "rest", "backup", "--without", host)
	if err := s.StartHost(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	s.apply(t, pgha.ApplyOptions{})
	s.awaitHealthy(t)
	s.inventory(t, 0)
}

// free waits until the lock of a run that was killed is free.
func (s site) free(t *testing.T) {
	t.Helper()
	await(t, time.Minute, "the lock of the killed run to be free", func() (bool, string) {
		got := s.cli(t, "certificates", "renew", "--yes")
		return got.code != 5, got.stderr
	})
}

// old is what opened doors before.
type old struct {
	authorities map[string][]byte
	keys        map[string]tls.Certificate
}

// keepOld keeps the authorities, and certificates of each, with which servers are tried afterwards.
func (s site) keepOld(t *testing.T) old {
	t.Helper()
	dir := s.spec(t).StateDir
	pair := func(name string) tls.Certificate {
		stored := filepath.Join(dir, "certs", name)
		return must(tls.LoadX509KeyPair(stored+".crt", stored+".key"))(t)
	}
	o := old{map[string][]byte{}, map[string]tls.Certificate{"etcd": pair("operator-etcd"),
		"rest": pair("operator-patroni")}}
	files := map[string]string{"etcd": "etcd", "rest": "patroni", "postgres": "postgres"}
	if s.spec(t).Backup != nil {
		files["backup"], o.keys["backup"] = "backup", pair(s.databases()[0].Name+"-backup")
	}
	for name, file := range files {
		o.authorities[name] = must(os.ReadFile(filepath.Join(dir, "ca", file+".crt")))(t)
	}
	return o
}

// oldRefused tries every port of these authorities with what was good before.
func (s site) oldRefused(t *testing.T, o old, names ...string) {
	t.Helper()
	sp := s.spec(t)
	ports := map[string][]int{"etcd": {sp.Etcd.ClientPort, sp.Etcd.PeerPort},
		"rest": {sp.Patroni.RESTPort}, "backup": {8432}, "postgres": {sp.PostgreSQL.Port}}
	tried := 0
	for _, name := range names {
		for _, h := range sp.Databases() {
			for _, port := range ports[name] {
				s.refusesOld(t, h, port, o.authorities[name], o.keys[name])
				tried++
			}
		}
	}
	t.Logf("%d ports refuse the old authorities of %s", tried, strings.Join(names, ", "))
}

func (s site) refusesOld(t *testing.T, h spec.Host, port int, ca []byte, key tls.Certificate) {
	t.Helper()
	handshake := func(config *tls.Config) error {
		conn, err := s.DialContext(t.Context(), "tcp", fmt.Sprintf("%s:%d", h.Address, port))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if port == s.spec(t).PostgreSQL.Port {
			if _, err := conn.Write([]byte{0, 0, 0, 8, 4, 210, 22, 47}); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		// Whether a certificate is let in is known at the end of a handshake of 1.2 alone.
		config.MaxVersion = tls.VersionTLS12
		return tls.Client(conn, config).HandshakeContext(t.Context())
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	var unknown *tls.CertificateVerificationError
	if err := handshake(&tls.Config{RootCAs: roots, ServerName: h.Address}); !errors.As(err,
		&unknown) {
		t.Errorf("%s port %d with the old authority: %v", h.Name, port, err)
	}
	if key.Certificate == nil {
		return
	}
	shown := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &key, nil }
	if err := handshake(&tls.Config{InsecureSkipVerify: true,
		GetClientCertificate: shown}); err == nil {
		t.Errorf("%s port %d lets an old certificate in", h.Name, port)
	}
}
