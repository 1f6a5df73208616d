package host

import (
	"sync"
	"testing"

	"github.com/pgha/toolkit/internal/testpki"
	"github.com/pgha/toolkit/pgha/internal/scram"
	"github.com/pgha/toolkit/pgha/pki"
)

// plainOptions are the options of the reference cluster, without certificates and targets.
func plainOptions() Options {
	return Options{
		Members: []Member{
			{Name: "postgresql-01", Address: "192.168.0.203"},
			{Name: "postgresql-02", Address: "192.168.0.204"},
			{Name: "postgresql-03", Address: "192.168.0.205"},
		},
		EtcdEndpoints:     []string{"192.168.0.203:2379", "192.168.0.204:2379", "192.168.0.205:2379"},
		Superuser:         roles()[0],
		Replication:       roles()[1],
		Rewind:            roles()[2],
		PostgreSQLVersion: 18,
	}
}

// roles are the credentials of the three roles, once for all tests: verifiers take time.
var roles = sync.OnceValue(func() [3]Credentials {
	return [3]Credentials{
		credentials("super-password"), credentials("replication-password"), credentials("rewind-password"),
	}
})

// credentials have a verifier that is always the same.
func credentials(password string) Credentials {
	secret := pki.NewSecret([]byte(password))
	stored, _ := scram.Salted(secret, []byte("0123456789abcdef"))
	return Credentials{Password: secret, Verifier: stored}
}

// fullOptions are plainOptions with certificates.
func fullOptions(t *testing.T) Options {
	t.Helper()
	o := plainOptions()
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
