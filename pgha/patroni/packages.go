package patroni

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/pgha/toolkit/pgha/remote"
)

// PackageNames returns the Debian packages of a member with this major version of PostgreSQL.
//
// pg_rewind and the contrib modules are part of postgresql-<version>. Debian's patroni does not bring what its etcd v3
// client needs, python3-etcd and python3-dnspython, and finds no DCS without them.
func PackageNames(version int) []string {
	return []string{fmt.Sprintf("postgresql-%d", version), "patroni", "python3-etcd", "python3-dnspython"}
}

// QuietUnits are the units that these packages would start by themselves: Patroni before it has a configuration, and
// PostgreSQL beside Patroni.
func QuietUnits() []string { return []string{Unit, "postgresql.service"} }

// PrePackageResources must be ensured before the packages are installed. They keep postgresql-common from making a
// cluster of its own, which would occupy PostgreSQL's port.
func PrePackageResources() []remote.Resource {
	return []remote.Resource{
		remote.Dir{FileMeta: remote.FileMeta{Path: "/etc/postgresql-common/createcluster.d"}},
		remote.File{
			FileMeta: remote.FileMeta{Path: "/etc/postgresql-common/createcluster.d/pgha.conf"},
			Content:  []byte("# Written by pgha: Patroni makes the only cluster of this host.\ncreate_main_cluster = false\n"),
		},
	}
}

// NeedrestartResources keep needrestart (often run after unattended upgrades) from restarting the services of the
// cluster: on all hosts at once that would be an outage. Security updates are still installed; they take effect with
// the next restart by an operator. The file fits every host, balancers too, and does no harm where needrestart is not
// installed.
func NeedrestartResources() []remote.Resource {
	return []remote.Resource{
		remote.Dir{FileMeta: remote.FileMeta{Path: "/etc/needrestart"}},
		remote.Dir{FileMeta: remote.FileMeta{Path: "/etc/needrestart/conf.d"}},
		remote.File{FileMeta: remote.FileMeta{Path: NeedrestartFile}, Content: []byte(needrestart)},
	}
}

// NeedrestartFile is the file of NeedrestartResources that keeps needrestart from the services.
const NeedrestartFile = "/etc/needrestart/conf.d/pgha.conf"

const needrestart = `# Written by pgha: services of the cluster are restarted one host after the other, by an operator.
$nrconf{override_rc}->{qr(^(patroni|postgresql|etcd|haproxy|keepalived)(@.*)?\.service$)} = 0;
`

// MinimumVersion is the oldest Patroni that works: 4.0 knows quorum commit, keeps the slots of absent members and can
// validate the configuration of a member that runs.
const MinimumVersion = "4.0"

var versionPattern = regexp.MustCompile(`^(?:patroni )?(?:\d+:)?(\d+)\.(\d+)`)

// CheckVersion refuses a Patroni older than MinimumVersion with an error that matches ErrVersion. It takes what
// `patroni --version` prints, what the REST API says, or the version of a Debian package. Pure computation.
func CheckVersion(output string) error {
	match := versionPattern.FindStringSubmatch(output)
	if match == nil {
		return fmt.Errorf("%w: %.40q is no version", ErrVersion, output)
	}
	major, err := strconv.Atoi(match[1])
	if err != nil {
		return fmt.Errorf("%w: %.40q is no version", ErrVersion, output)
	}
	if major < 4 {
		return remote.WithHint(
			fmt.Errorf("%w: %s.%s is older than %s, which is needed for quorum commit, for keeping slots of absent members and for validating a running member's configuration",
				ErrVersion, match[1], match[2], MinimumVersion),
			"install Patroni from PostgreSQL's own apt repository")
	}
	return nil
}
