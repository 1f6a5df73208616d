// Package reference describes the cluster that the tests of package patroni and of what is below it
// have in common.
package reference

import (
	"sync"
	"testing"

	"github.com/pgha/toolkit/internal/testpki"
	"github.com/pgha/toolkit/pgha/internal/scram"
	"github.com/pgha/toolkit/pgha/patroni/host"
	"github.com/pgha/toolkit/pgha/pki"
)

// Options returns the cluster's options without certificates and targets.
func Options() host.Options {
	return host.Options{
		Members: []host.Member{
			{Name: "postgresql-01", Address: "192.168.0.203"},
			{Name: "postgresql-02", Address: "192.168.0.204"},
			{Name: "postgresql-03", Address: "192.168.0.205"},
		},
		EtcdEndpoints: []string{
			"192.168.0.203:2379", "192.168.0.204:2379", "192.168.0.205:2379",
		},
		Superuser:         roles()[0],
		Replication:       roles()[1],
		Rewind:            roles()[2],
		PostgreSQLVersion: 18,
	}
}

// WithCertificates returns the cluster's options with certificates, and without targets.
func WithCertificates(t *testing.T) host.Options {
	t.Helper()
	o := Options()
	authority := testpki.CA(t).CertPEM()
	o.EtcdCA, o.RESTCA, o.PostgresCA = authority, authority, authority
	client := testpki.Issue(t, pki.ClientUsage)
	o.Operator = client
	for i := range o.Members {
		m := &o.Members[i]
		server := testpki.Issue(t, pki.ServerUsage, m.Address)
		m.EtcdClient, m.RESTClient, m.REST, m.Postgres = client, client, server, server
	}
	return o
}

// roles are the credentials of the three roles, once for all tests: verifiers take time.
var roles = sync.OnceValue(func() [3]host.Credentials {
	return [3]host.Credentials{
		Credentials("super-password"), Credentials("replication-password"),
		Credentials("rewind-password"),
	}
})

// Credentials returns credentials whose verifier is always the same.
func Credentials(password string) host.Credentials {
	secret := pki.NewSecret([]byte(password))
	stored, _ := scram.Salted(secret, []byte("0123456789abcdef"))
	return host.Credentials{Password: secret, Verifier: stored}
}
