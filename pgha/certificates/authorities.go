package certificates

import "github.com/pgha/toolkit/pgha/layout"

// Authorities are the certificates, in PEM, of the three authorities of a cluster. They are no
// secrets.
type Authorities struct {
	Etcd, Patroni, Postgres []byte
	// Chains are all authorities by the names that operators use, each with those above it.
	Chains map[string][]byte
}

// Authorities returns the certificates that the cluster's hosts have to trust, as the operator's
// state directory has them.
func (c Certificates) Authorities() Authorities {
	cr := c.site.Credentials()
	a := Authorities{Etcd: cr.EtcdCA, Patroni: cr.PatroniCA, Postgres: cr.PostgresCA,
		Chains: map[string][]byte{}}
	for _, authority := range every() {
		if chain := cr.Chain(authority); len(chain) > 0 {
			a.Chains[layout.AuthorityName(authority)] = chain
		}
	}
	return a
}
