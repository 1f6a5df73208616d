package status

import (
	"maps"
	"slices"
)

// Part is the part of a cluster that a problem is about.
type Part string

// The parts, in the order in which their problems are told.
const (
	// PartWrites is whether applications can write now, the way that they do it.
	PartWrites Part = "writes"
	// PartMembers are PostgreSQL and Patroni.
	PartMembers Part = "patroni"
	PartEtcd    Part = "etcd"
	// PartBalancers are the HAProxies, PartAddress is the virtual IP.
	PartBalancers Part = "haproxy"
	PartAddress   Part = "keepalived"
	// PartPoolers are the PgBouncers on the balancers.
	PartPoolers Part = "pooler"
	// PartHosts is whether hosts can be asked at all, PartServices what systemd says of the
	// cluster's units there, PartDisks whether the data can grow.
	PartHosts        Part = "hosts"
	PartServices     Part = "services"
	PartDisks        Part = "disks"
	PartCertificates Part = "certificates"
	// PartReset is a reset that was begun and not finished.
	PartReset Part = "reset"
	// PartChange is a change of many steps that was begun and not finished.
	PartChange Part = "change"
)

// Problem is one thing that keeps a cluster from being healthy, in words.
type Problem struct {
	Part Part
	Text string
}

// Judge is the one definition of a healthy cluster: it lists what is not as the specification wants
// it. Writes are possible through the address, every member does what its tags promise and answers
// the balancers, reads have all their members, etcd and the address are in one hand, a failover
// would come by itself, units run and start at boot, disks have room, and no certificate has ended.
// A restart that settings wait for is no problem: members say it of themselves. Pure computation.
func (s Status) Judge() []Problem {
	var found []Problem
	told := map[Part]bool{}
	for _, p := range judges() {
		for _, text := range p.judge(s) {
			found = append(found, Problem{p.part, text})
			told[p.part] = true
		}
	}
	// What could not be looked at is not known to be well.
	for _, name := range slices.Sorted(maps.Keys(s.Errors)) {
		if part := Part(name); !told[part] {
			found = append(found, Problem{part, s.Errors[name]})
		}
	}
	return found
}

// judge says what is wrong with one part of a cluster.
type judge struct {
	part  Part
	judge func(Status) []string
}

// judges are in the order in which problems are told: an outage first.
func judges() []judge {
	return []judge{
		{PartWrites, writeProblems}, {PartMembers, memberProblems}, {PartEtcd, etcdProblems},
		{PartBalancers, balancerProblems}, {PartPoolers, poolerProblems},
		{PartAddress, addressProblems},
		{PartHosts, hostProblems},
		{PartServices, serviceProblems}, {PartDisks, diskProblems},
		{PartCertificates, certificateProblems}, {PartReset, resetProblems},
		{PartChange, changeProblems},
	}
}

// Parts lists the parts of a cluster that are judged.
func Parts() []Part {
	var parts []Part
	for _, j := range judges() {
		parts = append(parts, j.part)
	}
	return parts
}

// Problems says in words what is not as it should be; nil when all is well. See Judge.
func (s Status) Problems() []string {
	var texts []string
	for _, p := range s.Judge() {
		texts = append(texts, p.Text)
	}
	return texts
}

// ProblemsOf are the problems of some parts, in words.
func (s Status) ProblemsOf(parts ...Part) []string {
	var texts []string
	for _, p := range s.Judge() {
		if slices.Contains(parts, p.Part) {
			texts = append(texts, p.Text)
		}
	}
	return texts
}

// Healthy: there is nothing in Problems.
func (s Status) Healthy() bool { return len(s.Judge()) == 0 }
