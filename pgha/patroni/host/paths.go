package host

import "github.com/pgha/toolkit/pgha/layout"

// Where the pieces of Patroni lie on a host. /etc/patroni is Patroni's alone, because each
// component keeps its certificates apart from the others'.
const (
	// ConfigPath is Patroni's configuration file, where Debian's package expects it.
	ConfigPath = "/etc/patroni/config.yml"
	// CertsDir holds the certificates of Patroni and PostgreSQL; only postgres may look into it.
	CertsDir = layout.PatroniCerts
	// Unit is Patroni's systemd unit.
	Unit = layout.PatroniUnit
	// PasswordFile holds the passwords that replicas and pg_rewind log in with.
	PasswordFile = layout.PasswordFile
	// PostgresCAFile holds the authorities that signed the members' PostgreSQL certificates.
	PostgresCAFile = layout.PostgresCA

	configDir    = "/etc/patroni"
	callbackPath = "/usr/local/lib/pgha/move-etcd-leader"
	dropInDir    = unitsDir + Unit + ".d"
	dropInPath   = dropInDir + "/pgha.conf"
	createPath   = "/etc/postgresql-common/createcluster.d/pgha.conf"
	unitsDir     = "/etc/systemd/system/"
	rolesPath    = layout.RolesFile
	socketDir    = layout.SocketDir
	systemUser   = "postgres"
)

// serverUnits are those of PostgreSQL's own packages, which stand aside: the one that starts all
// clusters first.
func serverUnits() []string { return []string{"postgresql.service", "postgresql@.service"} }

func standAsidePath(unit string) string { return unitsDir + unit + ".d/pgha.conf" }

// StandAside are the files that keep the units of PostgreSQL's own packages from starting: whoever
// takes Patroni away takes them away, too.
func StandAside() []string {
	var list []string
	for _, unit := range serverUnits() {
		list = append(list, standAsidePath(unit))
	}
	return list
}
