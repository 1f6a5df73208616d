package certificates

// Authorities are the certificates, in PEM, of the three authorities of a cluster. They are no
// secrets.
type Authorities struct {
	Etcd, Patroni, Postgres []byte
}

// Authorities returns the certificates that the cluster's hosts have to trust, as the operator's
// state directory has them.
func (c Certificates) Authorities() Authorities {
	cr := c.site.Credentials()
	return Authorities{Etcd: cr.EtcdCA, Patroni: cr.PatroniCA, Postgres: cr.PostgresCA}

}
