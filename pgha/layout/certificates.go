package layout

import (
	"io/fs"
	"slices"
	"strings"
)

// The names of the certificates of databases and of etcd's members.
const (
	EtcdServer  = "etcd-server"
	EtcdPeer    = "etcd-peer"
	EtcdGateway = "etcd-gateway"
	EtcdClient  = "etcd-client"
	RESTServer  = "rest-server"
	RESTClient  = "rest-client"
	Postgres    = "postgres"
	Backup      = "backup"
	Pooler      = "pooler"
)

// The authorities that sign them, each for one protocol: a certificate of one opens no other door.
const (
	EtcdAuthority     = "etcd"
	PatroniAuthority  = "patroni"
	PostgresAuthority = "postgres"
	BackupAuthority   = "backup"
)

// AuthorityNames are the authorities by the names that operators use, those that every cluster has
// first.
func AuthorityNames() []string { return []string{"etcd", "postgres", "rest", "backup"} }

// AuthorityName is how operators call an authority: that of Patroni's REST API is "rest".
func AuthorityName(authority string) string {
	if authority == PatroniAuthority {
		return "rest"
	}
	return authority
}

// AuthorityNamed is the authority that operators call so; false for a name that is none.
func AuthorityNamed(name string) (authority string, ok bool) {
	if name == "rest" {
		return PatroniAuthority, true
	}
	return name, name != PatroniAuthority && slices.Contains(AuthorityNames(), name)
}

// Where the components keep their certificates, and the authorities that they trust.
const (
	EtcdCerts = "/etc/etcd/certs"
	EtcdCA    = EtcdCerts + "/ca.crt"
	// EtcdRevoked is the list, in DER, of certificates that the authority has taken back.
	EtcdRevoked = EtcdCerts + "/revoked.crl"

	PatroniCerts  = "/etc/patroni/certs"
	PatroniEtcdCA = PatroniCerts + "/etcd-ca.crt"
	PatroniRESTCA = PatroniCerts + "/rest-ca.crt"
	PostgresCA    = PatroniCerts + "/postgres-ca.crt"

	BackupCerts = "/etc/pgbackrest/certs"
	BackupCA    = BackupCerts + "/ca.crt"
	// BackupBegins says that the data of the host, which Patroni need not have seen yet, was
	// restored to begin the cluster with.
	BackupBegins = "/var/lib/pgha/begins"

	PoolerCerts = "/etc/pgha-pooler/certs"
	PoolerCA    = PoolerCerts + "/postgres-ca.crt"

	// HAProxyCA are the authorities of Patroni's REST API, as the balancers' checks trust them.
	HAProxyCA = "/etc/haproxy/certs/patroni-ca.crt"
)

// Certificate is a certificate with its key and the authorities beside it.
type Certificate struct {
	// Name is unique on a host, and part of the name in the state directory.
	Name string
	// Component writes it: "etcd", "patroni", "backup" or "pooler".
	Component string
	// Authority signs it: EtcdAuthority, PatroniAuthority, PostgresAuthority or BackupAuthority.
	Authority string
	// File, Key and CA are paths; CA holds the authorities that its user trusts.
	File, Key, CA string
	// Owner and Group have both files. KeyMode is the mode of the key; everybody may read the
	// certificate.
	Owner, Group string
	KeyMode      fs.FileMode
	// Server: clients check the names in it. Client: it is shown to servers.
	Server, Client bool
}

// Certificates returns the certificates of a host that runs etcd and a database and has backups,
// those of one component together. It is
// the only list of them: etcd and Patroni write, apply issues, and verify, doctor and status look
// at what stands here.
func Certificates() []Certificate {
	etcd := func(name, file string, server, client bool) Certificate {
		return Certificate{Name: name, Component: "etcd", Authority: EtcdAuthority,
			File: EtcdCerts + "/" + file + ".crt", Key: EtcdCerts + "/" + file + ".key", CA: EtcdCA,
			Owner: "root", Group: "etcd", KeyMode: 0o640, Server: server, Client: client}
	}
	patroni := func(name, file, authority, ca string, server, client bool) Certificate {
		return Certificate{Name: name, Component: "patroni", Authority: authority,
			File: PatroniCerts + "/" + file + ".crt", Key: PatroniCerts + "/" + file + ".key",
			CA: ca, Owner: "postgres", Group: "postgres", KeyMode: 0o600, Server: server,
			Client: client}
	}
	return []Certificate{
		etcd(EtcdServer, "server", true, false),
		etcd(EtcdPeer, "peer", true, true),
		etcd(EtcdGateway, "gateway", false, true),
		patroni(EtcdClient, "etcd-client", EtcdAuthority, PatroniEtcdCA, false, true),
		patroni(RESTServer, "rest-server", PatroniAuthority, PatroniRESTCA, true, false),
		patroni(RESTClient, "rest-client", PatroniAuthority, PatroniRESTCA, false, true),
		patroni(Postgres, "postgres-server", PostgresAuthority, PostgresCA, true, false),
		{Name: Backup, Component: "backup", Authority: BackupAuthority,
			File: BackupCerts + "/host.crt", Key: BackupCerts + "/host.key", CA: BackupCA,
			Owner: "postgres", Group: "postgres", KeyMode: 0o600, Server: true, Client: true},
		{Name: Pooler, Component: "pooler", Authority: PostgresAuthority,
			File: PoolerCerts + "/server.crt", Key: PoolerCerts + "/server.key", CA: PoolerCA,
			Owner: "root", Group: "pgha-pooler", KeyMode: 0o640, Server: true},
	}
}

// CertificateOf returns the certificate of that name; the zero value if there is none, whose paths
// no layout lists.
func CertificateOf(name string) Certificate {
	for _, c := range Certificates() {
		if c.Name == name {
			return c
		}
	}
	return Certificate{}
}

// certificatesOf returns those that a component writes.
func certificatesOf(component string) []Certificate {
	return slices.DeleteFunc(Certificates(), func(c Certificate) bool {
		return c.Component != component
	})
}

// WithCertificates adds the component's certificates and their files.
func (l Layout) WithCertificates() Layout {
	for _, c := range certificatesOf(l.Component) {
		l.Certificates = append(l.Certificates, c)
		l.Files = append(l.Files,
			File{Path: c.File, Owner: c.Owner, Group: c.Group, Mode: 0o644, From: FromVault},
			File{Path: c.Key, Owner: c.Owner, Group: c.Group, Mode: c.KeyMode, Secret: true,
				From: FromVault})
	}
	return l
}

// Label names the certificate for people: "etcd server".
func (c Certificate) Label() string { return strings.ReplaceAll(c.Name, "-", " ") }
