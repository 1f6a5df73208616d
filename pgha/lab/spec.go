package lab

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/pgha/toolkit/internal/etcdrelease"
	"github.com/pgha/toolkit/internal/layouts"
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
		fmt.Fprintf(&b, "  - {name: %s, address: %s, %s", h.Name, h.Address,
			layouts.RolesField(h.roles()))
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
	if slices.ContainsFunc(l.record.Hosts, func(h hostPlan) bool {
		return h.has(RoleBalancer) && h.has(RoleDatabase)
	}) { // PostgreSQL has 5432 there
		fmt.Fprintf(&b, "balancer: {write_port: %d, read_port: %d}\n", layouts.SharedWritePort,
			layouts.SharedReadPort)
	}
	if l.balancers() > 1 { // one alone has nobody to hand the address to
		fmt.Fprintf(&b, "vip: {address: %s}\n", l.record.network().vip())
	}
	return b.Bytes(), nil
}

func (l *Lab) balancers() int {
	n := 0
	for _, h := range l.record.Hosts {
		if h.has(RoleBalancer) {
			n++
		}
	}
	return n
}

// quote writes a path as a YAML double-quoted scalar; those of the cache
// directory have no character that Go and YAML escape differently.
func quote(path string) string { return strconv.QuoteToASCII(path) }
