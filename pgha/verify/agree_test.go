package verify

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/doctor"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// placed is a certificate that lies in the state directory and on the host.
type placed struct {
	cert, key []byte
	// doctor is the end of its finding's ID, verify a part of its problem; "" when all is well.
	doctor, verify string
}

// TestApplyVerifyAndDoctorAgree puts one certificate before all three, at the edge of each rule:
// apply keeps it exactly if verify has no problem with it and doctor no finding.
func TestApplyVerifyAndDoctorAgree(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	for _, name := range []string{layout.EtcdPeer, layout.EtcdClient, layout.RESTServer,
		layout.Postgres} {
		of := certs.Named(w.sp, w.host, name)
		for title, p := range w.cases(t, of) {
			t.Run(name+"/"+title, func(t *testing.T) {
				t.Parallel()
				now := time.Now()
				verify := judge(of, w.authorities[of.Authority].CertPEM(),
					w.authorities[of.Authority].CertPEM(),
					p.cert, publicOf(p.key), now)
				testkit.CheckSays(t, verify, p.verify)
				if kept := w.apply(t, of, p); kept != (verify == nil) {
					t.Errorf("apply keeps it: %v; verify: %v", kept, verify)
				}
				want := ""
				if p.doctor != "" {
					want = of.Authority + "-certificate-" + p.doctor
				}
				if found := w.diagnose(of, p, now); found != want {
					t.Errorf("doctor finds %q, want %q; verify: %v", found, want, verify)
				}
			})
		}
	}
}

// workshop has a cluster's authorities, two years old.
type workshop struct {
	sp          *spec.Spec
	host        spec.Host
	authorities map[string]*pki.CA
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	w := &workshop{sp: testkit.Spec(t), authorities: map[string]*pki.CA{}}
	w.host = w.sp.Databases()[0]
	for _, name := range []string{layout.EtcdAuthority, layout.PatroniAuthority,
		layout.PostgresAuthority} {
		w.authorities[name] = aged(t, vault.CAName(w.sp, name))
	}
	return w
}

// aged returns an authority that has been there for two years.
func aged(t *testing.T, name string) *pki.CA {
	t.Helper()
	ca, err := pki.NewCA(name, pki.WithClock(func() time.Time {
		return time.Now().Add(-2 * 365 * vault.Day)
	}))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// cases has a certificate for each edge of each rule.
func (w *workshop) cases(t *testing.T, of certs.Certificate) map[string]placed {
	t.Helper()
	ca := w.authorities[of.Authority]
	issue := func(from *pki.CA, age time.Duration, change func(*pki.Request), doctor,
		verify string) placed {
		then, err := pki.LoadCA(from.CertPEM(), from.KeyPEM().Reveal(),
			pki.WithClock(func() time.Time { return time.Now().Add(-age) }))
		if err != nil {
			t.Fatal(err)
		}
		req := of.Request
		if change != nil {
			change(&req)
		}
		leaf, err := then.Issue(req)
		if err != nil {
			t.Fatal(err)
		}
		return placed{leaf.CertPEM, leaf.KeyPEM.Reveal(), doctor, verify}
	}
	// when so old, a third of the whole validity is left
	third := of.Request.Lifetime - (of.Request.Lifetime+pki.Backdate)/3
	good := issue(ca, 0, nil, "", "")
	foreign := issue(ca, 0, nil, "key-mismatch", "private key does not belong")
	foreign.key = issue(ca, 0, nil, "", "").key
	all := map[string]placed{
		"just issued":         good,
		"a third and an hour": issue(ca, third-time.Hour, nil, "", ""),
		"a third less a minute": issue(ca, third+time.Minute, nil, "expiring",
			"due for renewal"),
		"ends in an hour": issue(ca, of.Request.Lifetime-time.Hour, nil, "expiring",
			"due for renewal"),
		"ended a second ago": issue(ca, of.Request.Lifetime+time.Second, nil, "expired",
			"has expired"),
		"begins in an hour": issue(ca, -pki.Backdate-time.Hour, nil, "not-yet-valid",
			"not yet valid"),
		"from a slow clock": issue(ca, -pki.Backdate+time.Minute, nil, "", ""),
		"another authority": issue(aged(t, "other"), 0, nil, "untrusted",
			"is not of the operator's CA"),
		"an authority of its name": issue(aged(t, vault.CAName(w.sp, of.Authority)), 0, nil,
			"untrusted", "is not of"),
		"another host's": issue(ca, 0, func(r *pki.Request) { r.CommonName = "pg9" },
			"outdated", "common name"),
		"longer than asked": issue(ca, 0, func(r *pki.Request) { r.Lifetime += time.Hour },
			"outdated", "lifetime"),
		"shorter than asked": issue(ca, 0, func(r *pki.Request) { r.Lifetime /= 2 }, "", ""),
		"another one's key":  foreign,
		"no key": {good.cert, []byte("no key"), "key-mismatch",
			"private key does not belong"},
		"no certificate": {[]byte("no certificate"), good.key, "missing", "holds no certificate"},
		"half of it": {good.cert[:len(good.cert)/2], good.key, "missing",
			"holds no certificate"},
		"the authority": {ca.CertPEM(), ca.KeyPEM().Reveal(), "", "it is an authority"},
	}
	authority := all["the authority"]
	authority.doctor = "outdated"
	if of.Server {
		authority.doctor = "names"
		all["a name too few"] = issue(ca, 0, func(r *pki.Request) { r.DNSNames = r.DNSNames[1:] },
			"names", "it lacks "+w.host.Name)
		all["an address too few"] = issue(ca, 0, func(r *pki.Request) {
			r.IPs = r.IPs[:len(r.IPs)-1]
		},
			"names", "it lacks ")
		all["a name too many"] = issue(ca, 0, func(r *pki.Request) {
			r.DNSNames = append(slices.Clone(r.DNSNames), "old")
		}, "outdated", "it should not name old")
		all["another address"] = issue(ca, 0, func(r *pki.Request) {
			r.IPs = append(slices.Clone(r.IPs[:len(r.IPs)-1]), netip.MustParseAddr("203.0.113.9"))
		}, "names", "it should not name 203.0.113.9")
	}
	all["the authority"] = authority
	usage := pki.PeerUsage
	if of.Request.Usage == pki.PeerUsage {
		usage = pki.ServerUsage
	}
	if of.Server {
		all["another usage"] = issue(ca, 0, func(r *pki.Request) { r.Usage = usage },
			"outdated", "usage is "+usage.String())
	}
	return all
}

// apply reports whether a state directory with the certificate keeps it.
func (w *workshop) apply(t *testing.T, of certs.Certificate, p placed) bool {
	t.Helper()
	dir := t.TempDir()
	files := map[string][]byte{"certs/" + of.Stored + ".crt": p.cert,
		"certs/" + of.Stored + ".key": p.key}
	for name, ca := range w.authorities {
		files["ca/"+name+".crt"], files["ca/"+name+".key"] = ca.CertPEM(), ca.KeyPEM().Reveal()
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cr, err := vault.LoadCredentials(t.Context(), &vault.State{Dir: dir}, w.sp)
	if err != nil {
		t.Fatal(err)
	}
	return string(cr.Hosts[w.host.Name][of.Name].Cert) == string(p.cert)
}

// diagnose returns what doctor finds of the certificate.
func (w *workshop) diagnose(of certs.Certificate, p placed, now time.Time) string {
	_, mismatch := tls.X509KeyPair(p.cert, p.key)
	f := doctor.Facts{Time: now, Spec: w.sp, Authorities: doctor.Authorities{
		Etcd:     w.authorities[layout.EtcdAuthority].CertPEM(),
		Patroni:  w.authorities[layout.PatroniAuthority].CertPEM(),
		Postgres: w.authorities[layout.PostgresAuthority].CertPEM(),
	}, Hosts: []*doctor.Host{{Name: w.host.Name, Role: spec.RoleDatabase,
		Patroni: &doctor.Patroni{}, Etcd: &doctor.Etcd{}, SQL: &doctor.SQL{}, Data: &doctor.Data{},
		Certificates: []doctor.Certificate{{Name: of.Label(), PEM: string(p.cert),
			KeyMatches: mismatch == nil}}}}}
	for _, found := range doctor.Diagnose(f).Findings {
		if strings.Contains(found.ID, "-certificate-") {
			return found.ID
		}
	}
	return ""
}

// publicOf is what "openssl pkey -pubout" prints of a key; nothing of what is none.
func publicOf(key []byte) []byte {
	block, _ := pem.Decode(key)
	if block == nil {
		return nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil
	}
	der, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}
