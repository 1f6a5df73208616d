package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/hosttest"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/remotetest"
)

// fleet is a number of simulated hosts.
type fleet struct {
	servers []*remotetest.Server
	hosts   []*hosttest.Host
}

// newFleet starts the hosts. A private key for all of them is written to the file identity.
func newFleet(hosts int, identity string) (*fleet, error) {
	if err := remotetest.WriteIdentity(identity); err != nil {
		return nil, err
	}
	f := &fleet{}
	for i := range hosts {
		h := hosttest.New(fmt.Sprintf("host-%03d", i+1),
			func(h *hosttest.Host, cmd remote.Cmd) (remote.Result, error) {
				return remote.Result{}, fmt.Errorf("%s: an unexpected command: %v", h, cmd.Argv)
			})
		server, err := remotetest.NewServer(remotetest.ServerOptions{Identity: identity,
			Latency: scaleLatency, Answer: h.Serve})
		if err != nil {
			f.close()
			return nil, err
		}
		f.servers, f.hosts = append(f.servers, server), append(f.hosts, h)
	}
	return f, nil
}

// counts are the connections and the commands that all hosts have seen so far.
func (f *fleet) counts() (connections, commands int) {
	for _, s := range f.servers {
		connections += s.Accepted()
		commands += s.Commands()
	}
	return connections, commands
}

func (f *fleet) close() {
	for _, s := range f.servers {
		s.Close()
	}
}

// facts are the questions of a preflight.
var facts = [][]string{
	{"date", "+%s.%N"}, {"cat", "/etc/os-release"}, {"dpkg", "--print-architecture"}, {"id", "-u"},
	{"cat", "/proc/1/comm"},
	{"timedatectl", "show", "--property=NTPSynchronized", "--property=Timezone"},
	{"df", "-Pk", "--", "/var/lib"}, {"ss", "-H", "-ltnp"},
	{"apt-cache", "policy", "--", "patroni", "postgresql-18", "etcd-server"},
}

// steps are about what Apply ensures on a database host, step by step: packages and what must stand
// before them, etcd, Patroni. Files are as large as the real ones.
func steps(host string) [][]remote.Resource {
	file := func(path, owner string, size int) remote.Resource {
		line := "# " + path + " of " + host + "\n"
		return remote.File{
			FileMeta: remote.FileMeta{Path: path, Mode: 0o640, Owner: owner, Group: owner},
			Content:  []byte(strings.Repeat(line, max(1, size/len(line)))),
		}
	}
	dir := func(path, owner string) remote.Resource {
		return remote.Dir{FileMeta: remote.FileMeta{Path: path, Mode: 0o750, Owner: owner,
			Group: owner}}
	}
	etcd := []remote.Resource{remote.User{Name: "etcd"}, dir("/etc/etcd", "root"),
		dir("/etc/etcd/certs", "etcd"), dir("/var/lib/etcd", "etcd")}
	patroni := []remote.Resource{dir("/etc/patroni", "postgres"),
		dir("/etc/patroni/certs", "postgres"),
		dir("/usr/local/lib/pgha", "root")}
	for _, name := range []string{"ca.crt", "server.crt", "server.key", "peer.crt", "peer.key",
		"gateway.crt", "gateway.key"} {
		etcd = append(etcd, file("/etc/etcd/certs/"+name, "etcd", 900))
	}
	for _, name := range []string{
		"etcd-ca.crt", "etcd-client.crt", "etcd-client.key", "rest-ca.crt", "rest-server.crt",
		"rest-server.key", "rest-client.crt",
		"rest-client.key", "postgres-ca.crt", "postgres-server.crt", "postgres-server.key",
	} {
		patroni = append(patroni, file("/etc/patroni/certs/"+name, "postgres", 900))
	}
	etcd = append(etcd, file("/etc/etcd/etcd.env", "root", 2000),
		file("/etc/systemd/system/etcd.service", "root", 2000),
		remote.Unit{Name: "etcd.service", Enabled: remote.Yes, Running: remote.Yes})
	patroni = append(patroni, file("/usr/local/lib/pgha/move-etcd-leader", "root", 5000),
		file("/etc/patroni/config.yml", "postgres", 5000),
		remote.Unit{Name: "patroni.service", Enabled: remote.Yes, Running: remote.Yes,
			ReloadOn: []string{"/etc/patroni/config.yml"}})
	packages := []remote.Resource{
		file("/etc/apt/sources.list.d/pgdg.sources", "root", 300),
		file("/etc/needrestart/conf.d/pgha.conf", "root", 200),
		remote.Packages{Names: []string{"postgresql-18", "postgresql-client-18", "patroni",
			"python3-etcd",
			"etcd-server", "etcd-client"}},
	}
	return [][]remote.Resource{packages, etcd, patroni}
}

func medianOf(figures []float64) float64 { return median(slices.Sorted(slices.Values(figures))) }
