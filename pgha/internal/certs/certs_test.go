package certs

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

func cluster() *spec.Spec {
	return &spec.Spec{Cluster: "c", VIP: &spec.VIP{Address: "10.0.0.9", FormerAddress: "10.0.0.8"},
		TLS: spec.TLS{LeafLifetimeDays: 90},
		Hosts: []spec.Host{
			{Name: "lb1", Address: "10.0.0.1", Role: spec.RoleBalancer,
				DNSNames: []string{"db.example.net"}},
			{Name: "db1", Address: "10.0.0.2", Member: "pg1", Role: spec.RoleDatabase,
				DNSNames: []string{"db1.example.net"}},
			{Name: "db2", Address: "10.0.0.3", Member: "pg2", Role: spec.RoleDatabase},
		}}
}

func hostOf(t *testing.T, sp *spec.Spec, name string) spec.Host {
	t.Helper()
	h, err := sp.Host(name)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func addresses(list ...string) []netip.Addr {
	all := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()}
	for _, a := range list {
		all = append(all, netip.MustParseAddr(a))
	}
	return all
}

// TestRequests: a client's certificate opens doors and names nobody, a server's names its host, and
// PostgreSQL's also whoever stands in front of it.
func TestRequests(t *testing.T) {
	t.Parallel()
	sp := cluster()
	own := []string{"db1", "localhost", "db1.example.net", "pg1"}
	for name, want := range map[string]pki.Request{
		layout.EtcdServer: {CommonName: "pg1", Usage: pki.ServerUsage, DNSNames: own,
			IPs: addresses("10.0.0.2")},
		layout.EtcdPeer: {CommonName: "pg1", Usage: pki.ServerUsage | pki.ClientUsage,
			DNSNames: own,
			IPs:      addresses("10.0.0.2")},
		layout.EtcdGateway: {CommonName: "gateway-pg1", Usage: pki.ClientUsage},
		layout.EtcdClient:  {CommonName: "patroni-pg1", Usage: pki.ClientUsage},
		layout.RESTServer: {CommonName: "pg1", Usage: pki.ServerUsage, DNSNames: own,
			IPs: addresses("10.0.0.2")},
		layout.RESTClient: {CommonName: "patroni-pg1", Usage: pki.ClientUsage},
		layout.Postgres: {CommonName: "pg1", Usage: pki.ServerUsage,
			DNSNames: append(slices.Clone(own), "lb1", "localhost", "db.example.net"),
			IPs: append(append(addresses("10.0.0.2"), netip.MustParseAddr("10.0.0.9"),
				netip.MustParseAddr("10.0.0.8")), addresses("10.0.0.1")...)},
	} {
		want.Lifetime = 90 * 24 * time.Hour
		got := Named(sp, hostOf(t, sp, "db1"), name)
		if fmt.Sprint(got.Request) != fmt.Sprint(want) {
			t.Errorf("%s:\n got %v\nwant %v", name, got.Request, want)
		}
		if got.Stored != "db1-"+name {
			t.Errorf("%s is kept as %s", name, got.Stored)
		}
	}
	if got := len(OfHost(sp, hostOf(t, sp, "db2"))); got != len(layout.Certificates())-2 {
		t.Errorf("db2 has %d certificates, the layout %d", got, len(layout.Certificates()))
	}
	sp.Backup = &spec.Backup{Repository: []spec.BackupRepository{{Host: "lb1"}}}
	if got := len(OfHost(sp, hostOf(t, sp, "db2"))); got != len(layout.Certificates())-1 {
		t.Errorf("with backups db2 has %d certificates, the layout %d", got,
			len(layout.Certificates()))
	}
	kept := OfHost(sp, hostOf(t, sp, "lb1"))
	if len(kept) != 1 || kept[0].Name != layout.Backup ||
		kept[0].Request.CommonName != hostOf(t, sp, "lb1").Address ||
		len(kept[0].Request.DNSNames) > 0 {
		t.Errorf("the host that keeps backups has %+v", kept)
	}
	sp.Backup, sp.Pooler = nil, &spec.Pooler{}
	pooled := OfHost(sp, hostOf(t, sp, "lb1"))
	if len(pooled) != 1 || pooled[0].Name != layout.Pooler ||
		!slices.Contains(pooled[0].Request.IPs, netip.MustParseAddr("10.0.0.9")) ||
		!slices.Contains(pooled[0].Request.DNSNames, "db.example.net") ||
		pooled[0].Request.CommonName != "lb1" || len(OfHost(sp, hostOf(t, sp, "db2"))) !=
		len(layout.Certificates())-2 {
		t.Errorf("the host with a pooler has %+v", pooled)
	}
	sp.Pooler = nil
	for _, c := range OfOperator(sp) {
		if c.Request.Usage != pki.ClientUsage || c.Server ||
			len(c.Request.DNSNames)+len(c.Request.IPs) > 0 {
			t.Errorf("the operator's %s: %+v", c.Name, c.Request)
		}
	}
}

// TestWithoutAVirtualIP: what does not stand in front of PostgreSQL is not in its certificate.
func TestWithoutAVirtualIP(t *testing.T) {
	t.Parallel()
	sp := cluster()
	sp.VIP, sp.Hosts = nil, sp.Hosts[1:]
	if _, ok := VIP(sp); ok {
		t.Error("there is a virtual IP")
	}
	got := Named(sp, hostOf(t, sp, "db2"), layout.Postgres).Request
	if want := addresses("10.0.0.3"); !slices.Equal(got.IPs, want) {
		t.Errorf("addresses %v, want %v", got.IPs, want)
	}
	sp.VIP = &spec.VIP{Address: "not yet looked up"}
	if _, ok := VIP(sp); ok {
		t.Error("a name counts as the virtual IP")
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	sp := cluster()
	ca, err := pki.NewCA("authority")
	if err != nil {
		t.Fatal(err)
	}
	c := Named(sp, hostOf(t, sp, "db1"), layout.RESTServer)
	leaf, err := ca.Issue(c.Request)
	if err != nil {
		t.Fatal(err)
	}
	other, err := pki.NewCA("another")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for name, tt := range map[string]struct {
		authorities, cert []byte
		keyFits           bool
		at                time.Time
		want              []error // none when it can stay
		not               []error
	}{
		"as it should be": {ca.CertPEM(), leaf.CertPEM, true, now, nil, nil},
		"of one of two": {slices.Concat(other.CertPEM(), ca.CertPEM()), leaf.CertPEM, true, now,
			nil, nil},
		"another's key": {ca.CertPEM(), leaf.CertPEM, false, now,
			[]error{pki.ErrNotCovered, pki.ErrKeyMismatch}, nil},
		"a third of its life on": {ca.CertPEM(), leaf.CertPEM, true, now.Add(30 * 24 * time.Hour),
			nil, nil},
		"less than a third left": {ca.CertPEM(), leaf.CertPEM, true, now.Add(61 * 24 * time.Hour),
			[]error{pki.ErrNotCovered}, []error{pki.ErrKeyMismatch}},
		"of another authority, with another key": {other.CertPEM(), leaf.CertPEM, false, now,
			[]error{pki.ErrNotCovered, pki.ErrKeyMismatch}, nil},
		"no certificate": {ca.CertPEM(), []byte("garbage"), true, now, []error{},
			[]error{pki.ErrKeyMismatch}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := c.Judge(tt.authorities, tt.cert, tt.keyFits, tt.at)
			if (err == nil) != (tt.want == nil) {
				t.Fatalf("%v", err)
			}
			for _, want := range tt.want {
				if !errors.Is(err, want) {
					t.Errorf("%v, want %v in it", err, want)
				}
			}
			for _, not := range tt.not {
				if errors.Is(err, not) {
					t.Errorf("%v says %v", err, not)
				}
			}
		})
	}
}

func TestKeyFits(t *testing.T) {
	t.Parallel()
	ca, err := pki.NewCA("authority")
	if err != nil {
		t.Fatal(err)
	}
	issue := func() pki.KeyPair {
		t.Helper()
		leaf, err := ca.Issue(pki.Request{CommonName: "x", Usage: pki.ClientUsage})
		if err != nil {
			t.Fatal(err)
		}
		return leaf.KeyPair()
	}
	one, two := issue(), issue()
	if !KeyFits(one.Cert, publicOf(t, one)) {
		t.Error("its own key does not fit")
	}
	for name, public := range map[string][]byte{
		"another's": publicOf(t, two), "none": nil, "garbage": []byte("x"),
		"a certificate": one.Cert,
	} {
		if KeyFits(one.Cert, public) {
			t.Errorf("%s fits", name)
		}
	}
	if KeyFits([]byte("x"), publicOf(t, one)) {
		t.Error("a key fits no certificate")
	}
}

// publicOf is what "openssl pkey -pubout" prints.
func publicOf(t *testing.T, pair pki.KeyPair) []byte {
	t.Helper()
	cert, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: parsed.RawSubjectPublicKeyInfo})
}

// TestCertificatesOfRoles: a host has the certificates of what runs on it, and no other.
func TestCertificatesOfRoles(t *testing.T) {
	t.Parallel()
	sp := cluster()
	sp.Hosts[1].Role, sp.Hosts[1].Roles = "", []spec.Role{spec.RoleDatabase, spec.RoleEtcd}
	sp.Hosts = append(sp.Hosts,
		spec.Host{Name: "w", Address: "10.0.0.4", Member: "w", Role: spec.RoleEtcd})
	etcd := []string{layout.EtcdServer, layout.EtcdPeer, layout.EtcdGateway}
	database := []string{layout.EtcdClient, layout.RESTServer, layout.RESTClient, layout.Postgres}
	for name, want := range map[string][]string{
		"lb1": nil, "db1": slices.Concat(etcd, database), "db2": database, "w": etcd,
	} {
		var got []string
		for _, c := range OfHost(sp, hostOf(t, sp, name)) {
			got = append(got, c.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", name, got, want)
		}
	}
}
