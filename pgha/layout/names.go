package layout

// The units of the components: what makes one and what judges it know it by this name.
const (
	EtcdUnit       = "etcd.service"
	PatroniUnit    = "patroni.service"
	WatchUnit      = "pgha-watch.service"    // wakes Patroni when PostgreSQL dies
	FailoverUnit   = "pgha-failover.service" // fails over before the leader's lease ends
	LiftTimer      = "pgha-failover-lift.timer"
	LiftService    = "pgha-failover-lift.service" // removes a fence that is too old
	HAProxyUnit    = "haproxy.service"
	KeepalivedUnit = "keepalived.service"
	BackupUnit     = "pgbackrest.service"
	// PoolerWriteUnit and PoolerReadUnit are PgBouncer, for writes and for reads.
	PoolerWriteUnit = "pgha-pooler-write.service"
	PoolerReadUnit  = "pgha-pooler-read.service"
)

// Files of a component that others read or judge.
const (
	// PasswordFile holds the passwords that replicas and pg_rewind log in with.
	PasswordFile = "/etc/patroni/pgpass"
	// RolesFile holds the verifiers of a new cluster's roles, on the first member's host.
	RolesFile = "/etc/patroni/roles.sql"
	// CheckScript tells keepalived whether HAProxy serves.
	CheckScript = "/etc/keepalived/check_haproxy.sh"
	// PoolerCheckScript tells it whether the poolers do.
	PoolerCheckScript = "/etc/keepalived/check_pooler.sh"
	// AdminSocket is HAProxy's runtime API, MasterSocket that of its master process.
	AdminSocket  = "/run/haproxy/admin.sock"
	MasterSocket = "/run/haproxy-master.sock"
	// SocketDir is where PostgreSQL's own socket lies, as Debian's programs expect.
	SocketDir = "/var/run/postgresql"
)
