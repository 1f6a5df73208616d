package labtest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/certificates"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/lab"
)

// testCompany makes the authorities of PostgreSQL and etcd intermediates of a company while a
// session writes. Whoever has the company's root alone verifies both, and no other certificate of
// the company opens etcd or the REST API.
func testCompany(t *testing.T, s site) {
	company, dir := testkit.NewCompany(t), t.TempDir()
	put := func(name string, text []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	root := put("root.crt", company.Root())
	s.refused(t, "cannot be an authority of a company", "certificates", "request", "rest")
	for _, name := range []string{"postgres", "etcd"} {
		request := filepath.Join(dir, name+".csr")
		var asked certificates.RequestResult
		s.verb(t, &asked, "certificates", "request", name, "--out", request)
		signed := company.Sign(t, must(os.ReadFile(request))(t))
		s.refused(t, "no certificate of it was imported", "certificates", "rotate-ca", name)
		half := put("half.crt", signed[:len(signed)-len(company.Root())])
		s.refused(t, "has no self-signed root", "certificates", "import", name, half)
		var taken certificates.ImportResult
		s.verb(t, &taken, "certificates", "import", name, put(name+".crt", signed))
		if taken.Root != "CN=Company Root,O=Company" || taken.Intermediates != 1 {
			t.Errorf("imported %+v", taken)
		}
	}
	if all() { // an authority of the tool's own, killed and undone, is always shown
		s.killedAndUndone(t, "postgres")
	}
	for _, name := range []string{"etcd", "postgres"} {
		old := s.keepOld(t)
		if all() {
			s.killedAndContinued(t, name)
			s.oldRefused(t, old, name)
			continue
		}
		var result certificates.RotateResult
		s.undisturbed(t, func() {
			s.verb(t, &result, "certificates", "rotate-ca", name)
		})
		t.Logf("%s brought in within %s, %d handshakes", name, result.Elapsed, result.Handshakes)
		if !slices.Equal(result.Imported, []string{name}) {
			t.Errorf("brought in: %v", result.Imported)
		}
		s.oldRefused(t, old, name)
	}
	for _, h := range s.databases() {
		s.companyServes(t, h, company)
		s.strangerRefused(t, h, company)
	}
	if err := openOnce(t.Context(), s.writerConfig(t), root); err != nil {
		t.Errorf("an application with the root alone: %v", err)
	}
	s.refused(t, "is one of your company", "certificates", "rotate-ca", "etcd")
	s.verb(t, nil, "certificates", "renew", "--all", s.databases()[0].Name)
	for _, a := range s.inventory(t, 0).Authorities {
		if of := a.Name == "etcd" || a.Name == "postgres"; of != (a.Root != "") || a.Role != "issues" {
			t.Errorf("authority %+v", a)
		}
	}
	got := s.cli(t, "verify") // the cluster has no backup yet
	if strings.Count(got.stdout, "✗ ") != 1 || !strings.Contains(got.stdout, "✗ backups are") {
		t.Errorf("verify: %s\n%s", got.stdout, got.stderr)
	}
	if got := s.cli(t, "doctor"); strings.Contains(got.stdout, "ertificate") ||
		strings.Contains(got.stdout, "authority") {
		t.Errorf("doctor: %s\n%s", got.stdout, got.stderr)
	}
	s.applyNothing(t)
}

// companyServes asks openssl, psql and etcdctl, who have the root of the company and nothing else.
func (s site) companyServes(t *testing.T, h lab.Host, company *testkit.Company) {
	t.Helper()
	cfg := s.writerConfig(t)
	encoded := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	pass := fmt.Sprintf("*:*:*:%s:%s\n", cfg.User, cfg.Password)
	out, code := s.inHost(t, h.Name, fmt.Sprintf(`set -eu
umask 077; mkdir -p /run/company; cd /run/company
echo %s | base64 -d >root.crt; echo %s | base64 -d >pass
for server in "5432 -starttls postgres" 2379; do
	set -- $server; port=$1; shift
	openssl s_client -connect %s:$port -CAfile root.crt -no-CApath -no-CAstore \
		-verify_return_error -verify_ip %s "$@" </dev/null 2>&1 | grep "Verify return code: 0"
done
PGPASSFILE=pass psql -XAtc "SELECT 'psql', ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()" \
	"host=%s port=5432 user=%s dbname=postgres sslmode=verify-full sslrootcert=root.crt"
etcdctl --cacert root.crt --cert /etc/patroni/certs/etcd-client.crt \
	--key /etc/patroni/certs/etcd-client.key --endpoints https://%s:2379 endpoint health
rm -r /run/company`, encoded(string(company.Root())), encoded(pass), h.Address, h.Address, h.Address,
		cfg.User, h.Address))
	if code != 0 || strings.Count(out, "Verify return code: 0") != 2 ||
		!strings.Contains(out, "psql|t") || !strings.Contains(out, "is healthy") {
		t.Errorf("%s: exit code %d\n%s", h.Name, code, out)
	}
}

// strangerRefused shows each server that verifies its clients a certificate of the company that no
// authority of the cluster has signed.
func (s site) strangerRefused(t *testing.T, h lab.Host, company *testkit.Company) {
	t.Helper()
	pair, err := company.Stranger(t, "patroni-"+h.Member, netip.MustParseAddr(h.Address)).TLS()
	if err != nil {
		t.Fatal(err)
	}
	own := s.keepOld(t).keys["etcd"]
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(company.Root())
	sp := s.spec(t)
	for port, verified := range map[int]bool{sp.Etcd.ClientPort: true, sp.Etcd.PeerPort: true,
		sp.Patroni.RESTPort: false} {
		// Whether a certificate is let in is known at the end of a handshake of 1.2 alone.
		try := func(shown tls.Certificate) error {
			conn, err := s.DialContext(t.Context(), "tcp",
				net.JoinHostPort(h.Address, fmt.Sprint(port)))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			return tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: h.Address,
				MaxVersion: tls.VersionTLS12, InsecureSkipVerify: !verified,
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					return &shown, nil
				}}).HandshakeContext(t.Context())
		}
		if err := try(pair); err == nil || !strings.Contains(err.Error(), "remote error") {
			t.Errorf("%s port %d lets another certificate of the company in: %v", h.Name, port, err)
		}
		if !verified {
			continue
		}
		if err := try(own); err != nil {
			t.Errorf("%s port %d, a Go client with the root alone: %v", h.Name, port, err)
		}
	}
}
