package change

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/etcdrelease"
	"github.com/pgha/toolkit/pgha/spec"
)

// etcd compares what etcd's members run with.
func (j *judge) etcd() {
	of := func(value func(Etcd) string) func(spec.Host, Host) string {
		return func(_ spec.Host, h Host) string {
			if h.Etcd == nil {
				return ""
			}
			return value(*h.Etcd)
		}
	}
	j.same("etcd.client_port", number(j.Etcd.ClientPort), "etcd answers its clients on port",
		of(func(e Etcd) string { return number(e.ClientPort) }))
	j.same("etcd.peer_port", number(j.Etcd.PeerPort), "etcd's members meet on port",
		of(func(e Etcd) string { return number(e.PeerPort) }))
	j.same("etcd.data_dir", j.Etcd.DataDir, "etcd's data is in",
		of(func(e Etcd) string { return e.DataDir }))
	j.etcdVersion()
}

// etcdVersion refuses the way down, and a way up that leaves a minor release out.
func (j *judge) etcdVersion() {
	if j.store == nil || j.Etcd.Source == spec.SourceDistribution {
		return
	}
	if instead := etcdrelease.Step(j.store.Version, j.Etcd.Version); instead != "" {
		j.differ("etcd.version", fmt.Sprintf("etcd.version is %s, but etcd %s runs", j.Etcd.Version,
			j.store.Version), instead)
	}
}

// hosts compares who belongs to the cluster: etcd's members, Patroni's, and the balancers that know
// each other.
func (j *judge) hosts() {
	if j.store != nil {
		j.etcdMembers()
		j.patroniMembers()
	}
	j.newVoters()
}

// etcdMembers looks for the specification's host of each of etcd's members.
func (j *judge) etcdMembers() {
	hosts := j.EtcdHosts()
	for _, m := range j.store.Members {
		byName := slices.IndexFunc(hosts, func(h spec.Host) bool { return h.Member == m.Name })
		byURL := slices.IndexFunc(hosts, func(h spec.Host) bool {
			return hasAddress(m.PeerURLs, h.Address)
		})
		switch {
		case byURL < 0 && byName < 0:
			j.strangeMember(m)
		case byURL < 0:
			h := hosts[byName]
			j.differ("hosts[].address", fmt.Sprintf("%s has the address %s, but etcd knows its "+
				"member %s as %s",
				h.Name, h.Address, m.Name, strings.Join(m.PeerURLs, ", ")),
				fmt.Sprintf("address: %s (%s)", hostOf(m.PeerURLs), h.Name), h.Name)
		case m.Name != "" && byName != byURL:
			h := hosts[byURL]
			j.differ("hosts[].member",
				fmt.Sprintf("the member of %s is %s, but etcd knows it as %s", h.Name,
					h.Member, m.Name), fmt.Sprintf("%s (%s)", m.Name, h.Name), h.Name)
		}
	}
}

// strangeMember reports a member of etcd's that no host of the specification has.
func (j *judge) strangeMember(m StoreMember) {
	urls := strings.Join(m.PeerURLs, ", ")
	members := j.MemberHosts()
	if i := slices.IndexFunc(members, func(h spec.Host) bool {
		return hasAddress(m.PeerURLs, h.Address)
	}); i >= 0 {
		h := members[i]
		j.differ("hosts[].roles", fmt.Sprintf("etcd runs on %s, which has not the role etcd in "+
			"the specification", h.Name), "etcd among the roles of "+h.Name, h.Name)
		return
	}
	if m.Name == "" {
		j.add(Refusal{Field: "hosts",
			Problem: fmt.Sprintf(
				"etcd has a member at %s that is not in the specification and has never started: "+
					"it counts for the majority, which is gone with one host less than you think",
				urls),
			Way: "remove it (etcdctl member list, etcdctl member remove ID), then apply"})
		return
	}
	j.differ("hosts", fmt.Sprintf("etcd has the member %s at %s, which is not in the specification",
		m.Name, urls), m.Name+" has the address "+hostOf(m.PeerURLs))
}

// patroniMembers looks for members that Patroni has and the specification has not.
func (j *judge) patroniMembers() {
	own, _ := j.ownScope()
	for _, m := range own.Members {
		is := func(h spec.Host) bool {
			return h.Member == m.Name || strings.HasPrefix(m.REST, bracketed(h.Address)+":")
		}
		known := slices.ContainsFunc(j.Databases(), is)
		if i := slices.IndexFunc(j.EtcdHosts(), is); i >= 0 && !known {
			h := j.EtcdHosts()[i]
			j.differ("hosts[].roles", fmt.Sprintf("Patroni runs on %s, which has not the role "+
				"database in the specification", h.Name), "database among the roles of "+h.Name,
				h.Name)
			continue
		}
		inEtcd := slices.ContainsFunc(j.store.Members,
			func(e StoreMember) bool { return e.Name == m.Name })
		if !known && !inEtcd { // etcdMembers has reported the others
			j.differ("hosts", fmt.Sprintf("Patroni has the member %s at %s, which is not in the "+
				"specification",
				m.Name, m.REST), m.Name+" has the address "+
				m.REST[:max(0, strings.LastIndexByte(m.REST, ':'))])
		}
	}
}

// newVoters looks for hosts of etcd that the cluster has never heard of. They are added, but not
// while etcd does not say who its members are. A member that etcd has lost, as one whose data was
// lost and that was removed to join again, is still in what the others were configured with.
func (j *judge) newVoters() {
	if j.store != nil {
		return
	}
	var strangers, names []string
	for _, h := range j.EtcdHosts() {
		if j.knows(h) {
			names = append(names, h.Member)
			continue
		}
		strangers = append(strangers, h.Name)
	}
	if len(names) == 0 || len(strangers) == 0 || j.differs("hosts[].address") ||
		j.differs("hosts[].member") {
		return
	}
	j.add(Refusal{Field: "hosts", Hosts: strangers,
		Problem: fmt.Sprintf("the cluster runs without %s, which can be added only while etcd "+
			"answers", strings.Join(strangers, ", ")),
		Way: "mend etcd first, with the hosts of etcd as they run: " + strings.Join(names, ", ")})
}

// knows tells whether etcd, or any member's configuration, has the host.
func (j *judge) knows(h spec.Host) bool {
	if j.store != nil && slices.ContainsFunc(j.store.Members,
		func(m StoreMember) bool {
			return m.Name == h.Member || hasAddress(m.PeerURLs, h.Address)
		}) {
		return true
	}
	for _, seen := range j.seen {
		if seen.Etcd != nil && seen.Etcd.Peers[h.Member] != "" {
			return true
		}
	}
	return false
}

// hasAddress tells whether one of the URLs is of the address.
func hasAddress(urls []string, address string) bool {
	return slices.ContainsFunc(urls, func(u string) bool {
		return strings.HasPrefix(withoutScheme(u), bracketed(address)+":")
	})
}

func withoutScheme(url string) string { return url[strings.Index(url, "//")+len("//"):] }

// hostOf is the address in the first of the URLs.
func hostOf(urls []string) string {
	if len(urls) == 0 {
		return "unknown"
	}
	u := withoutScheme(urls[0])
	return strings.Trim(u[:max(0, strings.LastIndexByte(u, ':'))], "[]")
}

// bracketed is an address as it stands before a port.
func bracketed(address string) string {
	if strings.Contains(address, ":") {
		return "[" + address + "]"
	}
	return address
}
