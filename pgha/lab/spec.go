package lab

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/pgha/toolkit/internal/etcdrelease"
)

// Spec returns the spec of the cluster to build on the lab's hosts, as YAML
// with the schema of package pgha: PostgreSQL from the release's own
// packages, etcd from the lab's archive (from the release's packages on
// trixie), and the virtual IP of the lab, ending in 210, where there are two balancers or
// more to share it.
func (l *Lab) Spec() ([]byte, error) {
	rel, err := releaseByName(l.Release())
	if err != nil {
		return nil, err
	}
	archive, sum, err := l.EtcdArchive()
	if err != nil {
		return nil, fmt.Errorf("render spec: %w", err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# The cluster of lab %s, which wrote this file.\n", l.Name())
	fmt.Fprintf(&b, "version: 1\ncluster: postgresql-cluster\nstate_dir: %s\n", quote(l.StateDir()))
	fmt.Fprintf(&b, "ssh:\n  user: root\n  identity_files: [%s]\n  known_hosts: %s\n  host_keys: "+
		"strict\n",
		quote(l.SSHKeyFile()), quote(l.KnownHostsFile()))
	fmt.Fprintln(&b, "hosts:")
	for _, h := range l.record.Hosts {
		fmt.Fprintf(&b, "  - {name: %s, address: %s, role: %s", h.Name, h.Address, h.Role)
		if h.Member != "" {
			fmt.Fprintf(&b, ", member: %s", h.Member)
		}
		fmt.Fprintln(&b, "}")
	}
	// Drills ask members as the superuser from the lab's own network: hosts may be dead.
	fmt.Fprintf(&b, "postgresql: {version: %d, source: distribution, superuser_networks: [%s]}\n",
		rel.postgres, l.record.network().machineOnly())
	if rel.hostEtcd {
		fmt.Fprintln(&b, "etcd: {source: distribution}")
	} else {
		fmt.Fprintf(&b, "etcd: {version: %s, source: archive, archive: %s, sha256: %s}\n",
			etcdrelease.Default, quote(archive), sum)
	}
	if l.balancers() > 1 { // one alone has nobody to hand the address to
		fmt.Fprintf(&b, "vip: {address: %s}\n", l.record.network().vip())
	}
	return b.Bytes(), nil
}

func (l *Lab) balancers() int {
	n := 0
	for _, h := range l.record.Hosts {
		if h.Role == RoleBalancer {
			n++
		}
	}
	return n
}

// quote writes a path as a YAML double-quoted scalar; those of the cache
// directory have no character that Go and YAML escape differently.
func quote(path string) string { return strconv.QuoteToASCII(path) }
