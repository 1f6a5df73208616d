package patroni

// Where the pieces of Patroni lie on a host. /etc/patroni is Patroni's alone, because each component keeps its
// certificates apart from the others'.
const (
	// ConfigPath is Patroni's configuration file, where Debian's package expects it.
	ConfigPath = "/etc/patroni/config.yml"
	// CertsDir holds the certificates of Patroni and PostgreSQL; only postgres may look into it.
	CertsDir = "/etc/patroni/certs"
	// Unit is Patroni's systemd unit.
	Unit = "patroni.service"

	configDir      = "/etc/patroni"
	callbackPath   = "/usr/local/lib/pgha/move-etcd-leader"
	dropInDir      = "/etc/systemd/system/patroni.service.d"
	passPath       = configDir + "/pgpass"
	rolesPath      = configDir + "/roles.sql"
	socketDir      = "/var/run/postgresql"
	systemUser     = "postgres"
	etcdCA         = CertsDir + "/etcd-ca.crt"
	etcdCert       = CertsDir + "/etcd-client.crt"
	etcdKey        = CertsDir + "/etcd-client.key"
	restCA         = CertsDir + "/rest-ca.crt"
	restCert       = CertsDir + "/rest-server.crt"
	restKey        = CertsDir + "/rest-server.key"
	restClientCert = CertsDir + "/rest-client.crt"
	restClientKey  = CertsDir + "/rest-client.key"
	postgresCA     = CertsDir + "/postgres-ca.crt"
	postgresCert   = CertsDir + "/postgres-server.crt"
	postgresKey    = CertsDir + "/postgres-server.key"
)
