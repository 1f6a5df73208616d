package inspect

import (
	"github.com/pgha/toolkit/pgha/change"
	"github.com/pgha/toolkit/pgha/preflight"
)

const quiet5 = "hosts: {pg4: {address: 10.0.0.14, role: database, member: m4}, pg5: {address: " +
	"10.0.0.15, role: database, member: m5}}"

// changePairs are fields that are read at start only, changed on a cluster that runs.
func changePairs() []specPair {
	return []specPair{
		{
			name: "another name", after: "cluster: staging",
			refused: "etcd holds the cluster /service/prod", way: "write prod again",
		},
		{
			name:    "another name with the old state directory",
			after:   "{cluster: staging, state_dir: /var/tmp/prod.state}",
			refused: "cluster is staging, but etcd holds", way: "write prod again",
		},
		{
			name: "another name while etcd is away", after: "cluster: staging", hosts: noStore,
			refused: "the cluster's name is prod on pg1, pg2, pg3", way: "write prod again",
		},
		{
			name: "another namespace", after: "patroni: {namespace: /prod/}",
			refused: "patroni.namespace is /prod/, but etcd holds the cluster /service/prod",
			way:     "write /service/ again",
		},
		{
			name: "another namespace while etcd is away", after: "patroni: {namespace: /prod/}",
			hosts: noStore, refused: "Patroni's keys are below /service/",
			way: "write /service/ again",
		},
		{
			name: "the same namespace written otherwise", after: "patroni: {namespace: /service}",
			does: "patroni.namespace: refused",
		},
		{name: "two clusters in one etcd", hosts: func(s *seen) {
			other := s.store.Scopes[0]
			other.Namespace, other.Members = "/prod/", other.Members[:1]
			s.store.Scopes = append(s.store.Scopes, other)
		}, refused: "a second cluster, /prod/prod, with the member m1",
			way: "stop patroni.service"},
		{name: "the remains of another cluster in etcd", hosts: func(s *seen) {
			other := s.store.Scopes[0]
			other.Namespace, other.Members = "/prod/", nil
			s.store.Scopes = append(s.store.Scopes, other)
		}, does: "nothing"},
		{
			name: "another port", after: "postgresql: {port: 5442}",
			refused: "PostgreSQL listens on port 5432 on pg1, pg2, pg3",
			way:     "write port: 5432 again",
		},
		{
			name: "another port on stopped members", after: "postgresql: {port: 5442}",
			hosts: servicesStopped, refused: "PostgreSQL listens on port 5432",
			way: "write port: 5432 again",
		},
		{name: "a port that one member has", after: "postgresql: {port: 5442}",
			hosts: func(s *seen) {
				s.store.Scopes[0].Members[1].PostgreSQL = "10.0.0.12:5442"
			}, refused: "on pg1, pg3", way: "write port: 5432 again"},
		{
			name: "another port for etcd's clients", after: "etcd: {client_port: 2479}",
			hosts:   noStore,
			refused: "etcd answers its clients on port 2379", way: "write client_port: 2379 again",
		},
		{
			name: "another port for etcd's members", after: "etcd: {peer_port: 2480}",
			refused: "etcd's members meet on port 2380", way: "write peer_port: 2380 again",
		},
		{
			name: "etcd's ports exchanged", after: "etcd: {client_port: 2380, peer_port: 2379}",
			hosts: noStore, refused: "etcd answers its clients on port 2379",
			way: "write client_port: 2379 again",
		},
		{
			name: "another port for Patroni", after: "patroni: {rest_port: 8009}",
			refused: "Patroni answers on port 8008", way: "write rest_port: 8008 again",
		},
		{
			name:  "another port for Patroni while etcd is away",
			after: "patroni: {rest_port: 8009}",
			hosts: noStore, refused: "Patroni answers on port 8008",
			way: "write rest_port: 8008 again",
		},
		{
			name: "another replication role", after: "postgresql: {replication_user: repl2}",
			refused: "the role is replicator", way: "write replication_user: replicator again",
		},
		{
			name: "another superuser", after: "postgresql: {superuser: admin}",
			refused: "the role is postgres", way: "write superuser: postgres again",
		},
		{
			name: "another role for pg_rewind", after: "postgresql: {rewind_user: rewinder}",
			refused: "the role is rewind_user", way: "write rewind_user: rewind_user again",
		},
		{
			name: "a role while PostgreSQL is down", after: "postgresql: {replication_user: repl2}",
			hosts: servicesStopped, refused: "the role is replicator",
			way: "write replication_user",
		},
		{name: "a role that has been made by hand", after: "postgresql: {rewind_user: rewinder}",
			hosts: func(s *seen) {
				for _, name := range []string{"pg1", "pg2", "pg3"} {
					s.change(name, func(f *preflight.Facts) {
						f.Running.Databases = &change.Databases{
							Encoding: "UTF8", Locale: "C.UTF-8",
							Roles: []string{"postgres", "replicator", "rewinder"},
						}
					})
				}
			}, does: "postgresql.rewind_user: refused"},
		{
			name: "an older PostgreSQL", after: "postgresql: {version: 17}",
			refused: "the data belongs to version 18", way: "write version: 18 again",
		},
		{
			name: "a newer PostgreSQL", before: "postgresql: {version: 17}",
			after: "postgresql: {version: 18}", refused: "the data belongs to version 17",
			way: "write version: 17 again",
		},
		{
			name: "the oldest PostgreSQL", after: "postgresql: {version: 14}",
			hosts:   servicesStopped,
			refused: "the data belongs to version 18", way: "write version: 18 again",
		},
		{
			name: "another data directory", after: "postgresql: {data_dir: /srv/pg/data}",
			refused: "the data is in /var/lib/postgresql/data",
			way:     "write data_dir: /var/lib/postgresql/data again",
		},
		{
			name:  "another data directory on stopped members",
			after: "postgresql: {data_dir: /srv/pg/data}", hosts: servicesStopped,
			refused: "the data is in /var/lib/postgresql/data", way: "write data_dir",
		},
		{
			name: "another encoding", after: "postgresql: {encoding: LATIN1}",
			refused: "the encoding is UTF8", way: "write encoding: UTF8 again",
		},
		{
			name: "the same encoding written otherwise", after: "postgresql: {encoding: utf-8}",
			does: "postgresql.encoding: refused",
		},
		{
			name: "another locale", after: "postgresql: {locale: de_DE.UTF-8}",
			refused: "the locale is C.UTF-8", way: "write locale: C.UTF-8 again",
		},
		{
			name: "the same locale written otherwise", before: "postgresql: {locale: en_US.utf8}",
			after: "postgresql: {locale: en_US.UTF-8}", does: "postgresql.locale: refused",
		},
		{
			name: "no checksums any more", after: "postgresql: {data_checksums: false}",
			refused: "data_checksums is true", way: "write data_checksums: true again",
		},
		{
			name: "checksums afterwards", before: "postgresql: {data_checksums: false}",
			after: "postgresql: {data_checksums: true}", refused: "data_checksums is false",
			way: "write data_checksums: false again",
		},
		{
			name: "etcd's data directory", after: "etcd: {data_dir: /srv/etcd/data}",
			refused: "etcd's data is in /var/lib/etcd", way: "write data_dir: /var/lib/etcd again",
		},
		{
			name: "etcd a minor release down", before: "etcd: {version: 3.6.14}",
			after: "etcd: {version: 3.5.33}", refused: "etcd 3.6.14 runs",
			way: "write version: 3.6.14 or later of 3.6",
		},
		{
			name: "etcd a patch down", before: "etcd: {version: 3.6.15}",
			after:   "etcd: {version: 3.6.14}",
			refused: "goes up one minor release at a time and never back",
			way:     "write version: 3.6.15",
		},
		{
			name: "etcd a patch up", before: "etcd: {version: 3.6.14}",
			after: "etcd: {version: 3.6.15}",
			does:  "etcd.version: rolled restart",
		},
		{
			name: "etcd a minor release up", before: "etcd: {version: 3.5.33}",
			after: "etcd: {version: 3.6.15}", does: "etcd.version: rolled restart",
		},
		{
			name: "etcd over a minor release", hosts: func(s *seen) { s.store.Version = "3.4.37" },
			after: "etcd: {version: 3.6.15}", refused: "etcd 3.4.37 runs",
			way: "write version: the newest of 3.5 first",
		},
		{name: "etcd of the distribution", after: "etcd: {source: distribution}",
			hosts: func(s *seen) {
				for _, name := range []string{"pg1", "pg2", "pg3"} {
					s.facts[name].Candidates["etcd-server"],
						s.facts[name].Candidates["etcd-client"] = "3.6.10-1",
						"3.6.10-1"
				}
			}, does: "etcd.version: rolled restart, etcd.source: rolled restart"},
		{name: "another cluster's data on a host", hosts: func(s *seen) {
			s.change("pg2", func(f *preflight.Facts) {
				f.Running.Data["/var/lib/postgresql/data"] = change.Data{Version: 18,
					SystemIdentifier: "42"}
			})
		}, refused: "on pg2 holds the data of another cluster, with the system identifier 42",
			way: "move it away"},
		{
			name: "no virtual IP any more", after: "vip: null",
			refused: "keepalived on lb1 has the address 10.0.0.30",
			way:     "write the section vip again, with address: 10.0.0.30",
		},
		{name: "somebody else has the virtual IP", hosts: func(s *seen) {
			s.change("pg1", func(f *preflight.Facts) {
				f.Running.Heard = []string{
					"02:00:00:00:00:21", "02:00:00:00:00:99",
				}
			})
		}, refused: "with the network address 02:00:00:00:00:99", way: "stop keepalived there"},
		{name: "somebody has the virtual IP before there is a cluster", hosts: func(s *seen) {
			pg1 := s.facts["pg1"]
			pg1.Listeners, pg1.Running = nil, change.Host{Heard: []string{"02:00:00:00:00:99"}}
			*s = seen{facts: map[string]preflight.Facts{"pg1": pg1}}
		}, refused: "answers for the virtual IP 10.0.0.30", way: "choose a free address"},
	}
}

// memberPairs are hosts that come, go, move or change their names.
func memberPairs() []specPair {
	return []specPair{
		{
			name: "three databases made five", after: quiet5, does: "hosts: ordered change",
		},
		{
			name: "three databases made five while etcd is silent", after: quiet5,
			hosts:   func(s *seen) { s.store = nil },
			refused: "the cluster runs without pg4, pg5, which can be added only while etcd answers",
			way:     "as they run: m1, m2, m3",
		},
		{
			name: "three databases made one", after: "hosts: {pg2: null, pg3: null}",
			refused: "etcd has the member m2", way: "m2 has the address 10.0.0.12",
		},
		{
			name: "five databases made three", before: quiet5,
			after:   "hosts: {pg1: null, pg5: null}",
			refused: "etcd has the member m1", way: "10.0.0.11",
		},
		{
			name: "one database made three", before: "hosts: {pg2: null, pg3: null}",
			after: "hosts: {pg2: {address: 10.0.0.12, role: database, member: m2}, pg3: " +
				"{address: 10.0.0.13, role: database, member: m3}}", does: "hosts: ordered change",
		},
		{
			name:    "a database exchanged for another",
			after:   "hosts: {pg3: null, pg4: {address: 10.0.0.14, role: database, member: m4}}",
			refused: "etcd has the member m3", way: "10.0.0.13",
		},
		{
			name: "a new address", after: "hosts: {pg2: {address: 10.0.0.99}}",
			refused: "pg2 has the address 10.0.0.99, but etcd knows its member m2 as " +
				"https://10.0.0.12:2380",
			way: "write address: 10.0.0.12 (pg2) again",
		},
		{
			name: "a new address of another family",
			after: "hosts: {pg1: {address: 10.1.0.11}, pg2: {address: 10.1.0.12}, pg3: {address: " +
				"10.1.0.13}, lb1: {address: 10.0.0.21}}", refused: "etcd knows its member m1 as " +
				"https://10.0.0.11:2380", way: "write address: 10.0.0.11 (pg1)",
		},
		{
			name:    "two addresses exchanged",
			after:   "hosts: {pg1: {address: 10.0.0.12}, pg2: {address: 10.0.0.11}}",
			refused: "etcd knows it as", way: "again",
		},
		{
			name: "a new member's name", after: "hosts: {pg3: {member: pg-c}}",
			refused: "etcd knows it as m3", way: "write member: m3 (pg3) again",
		},
		{
			name: "a member's name left out", after: "hosts: {pg3: {member: null}}",
			refused: "etcd knows it as m3", way: "write member: m3 (pg3) again",
		},
		{
			name: "a database made a balancer",
			after: "hosts: {pg3: {role: balancer, member: null}, lb3: {role: database, " +
				"member: m9}}",
			refused: "etcd has the member m3", way: "10.0.0.13",
		},
		{name: "an unstarted member", hosts: func(s *seen) {
			s.store.Members = append(s.store.Members,
				change.StoreMember{PeerURLs: []string{"https://10.0.0.14:2380"}})
		}, refused: "etcd has a member at https://10.0.0.14:2380 that is not in the " +
			"specification and has never started", way: "etcdctl member remove"},
		{
			name:  "a learner of an apply that was cut off",
			hosts: func(s *seen) { s.store.Members[2].Learner = true }, does: "nothing",
		},
		{name: "a member that somebody added", hosts: func(s *seen) {
			s.store.Members = append(s.store.Members, change.StoreMember{
				Name: "guest", PeerURLs: []string{"https://10.0.0.77:2380"},
			})
		}, refused: "etcd has the member guest at https://10.0.0.77:2380",
			way: "guest has the address 10.0.0.77"},
		{name: "a Patroni that somebody added", hosts: func(s *seen) {
			s.store.Scopes[0].Members = append(s.store.Scopes[0].Members, change.ScopeMember{
				Name: "guest", REST: "10.0.0.77:8008",
			})
		}, refused: "Patroni has the member guest at 10.0.0.77:8008",
			way: "guest has the address 10.0.0.77"},
		{name: "a member that etcd has lost, to join again", hosts: func(s *seen) {
			s.store.Members = s.store.Members[:2]
			s.change("pg3", func(f *preflight.Facts) { f.Running.Etcd = nil })
		}, does: "nothing"},
		{name: "a database host made again", hosts: func(s *seen) { delete(s.facts, "pg3") },
			does: "nothing"},
		{name: "a balancer made again", hosts: func(s *seen) { delete(s.facts, "lb2") },
			does: "nothing"},
		{
			name: "a balancer taken out", after: "hosts: {lb3: null}",
			refused: "share the virtual IP with 10.0.0.23, which is not in the specification",
			way:     "10.0.0.23 is a balancer",
		},
		{
			name: "two balancers taken out", before: "hosts: {lb4: {address: 10.0.0.24, role: " +
				"balancer}}",
			after: "hosts: {lb3: null, lb4: null}", refused: "10.0.0.23, 10.0.0.24",
			way: "is a balancer",
		},
		{
			name: "a balancer more", after: "hosts: {lb4: {address: 10.0.0.24, role: balancer}}",
			does: "hosts: ordered change",
		},
		{
			name: "a balancer's new address", after: "hosts: {lb2: {address: 10.0.0.29}}",
			refused: "its keepalived speaks from 10.0.0.22",
			way:     "write address: 10.0.0.22 (lb2) again",
		},
		{name: "a peer that somebody wrote into one file", hosts: func(s *seen) {
			s.change("lb1",
				func(f *preflight.Facts) {
					f.Running.Keepalived.Peers = append(f.Running.Keepalived.Peers,
						"10.0.0.88")
				})
		}, does: "nothing"},
		{name: "nothing runs yet",
			after: "{cluster: other, postgresql: {port: 5442, version: 16}, etcd: {client_port: " +
				"2479}}",
			hosts: func(s *seen) {
				*s = seen{
					facts: map[string]preflight.Facts{},
				}
			},
			does: "cluster: refused, state_dir: operator, postgresql.version: refused, " +
				"postgresql.port: refused, etcd.client_port: refused"},
	}
}

// acceptedPairs are changes that a running cluster takes; that they are in effect afterwards is for
// the lab.
func acceptedPairs() []specPair {
	return []specPair{
		{name: "nothing", does: "nothing"},
		{
			name: "a rule", after: "postgresql: {pg_hba: [hostssl shop shop 10.9.0.0/16 " +
				"scram-sha-256]}",
			does: "postgresql.pg_hba: reload",
		},
		{
			name: "networks of clients", after: "postgresql: {client_networks: [10.0.0.0/8]}",
			does: "postgresql.client_networks: reload",
		},
		{
			name: "a parameter", after: "postgresql: {parameters: {work_mem: 8MB}}",
			does: "postgresql.parameters: reload",
		},
		{
			name: "the fast profile", after: "patroni: {profile: fast}",
			does: "patroni.profile: reload, patroni.ttl: reload, patroni.retry_timeout: reload, " +
				"patroni.primary_start_timeout: reload",
		},
		{name: "quorum", after: "patroni: {synchronous_mode: quorum}",
			does: "patroni.synchronous_mode: reload"},
		{
			name: "no rewind, no slots", after: "patroni: {use_pg_rewind: false, use_slots: false}",
			does: "patroni.use_pg_rewind: reload, patroni.use_slots: reload",
		},
		{name: "tags", after: "hosts: {pg3: {tags: {nofailover: true}}}",
			does: "hosts[].tags: reload"},
		{
			name: "names for clients", after: "hosts: {lb1: {dns_names: [db.example.com]}}",
			does: "hosts[].dns_names: reload",
		},
		{
			name: "a host's name with the member's name kept", after: "hosts: {pg3: {name: db3}}",
			hosts: func(s *seen) { s.facts["db3"] = s.facts["pg3"] },
			does:  "hosts[].name: ordered change",
		},
		{name: "priorities", after: "hosts: {lb3: {priority: 120}}",
			does: "hosts[].priority: reload"},
		{
			name: "ports for clients", after: "balancer: {write_port: 6432, read_port: 6433}",
			does: "balancer.write_port: ordered change, balancer.read_port: ordered change",
		},
		{
			name: "etcd's timings", after: "etcd: {heartbeat_interval: 200ms, election_timeout: 2s}",
			does: "etcd.heartbeat_interval: rolled restart, etcd.election_timeout: rolled restart",
		},
		{name: "another router id", after: "vip: {router_id: 77}", does: "vip.router_id: ordered change"},
		{
			name: "ports for clients, and those of before",
			after: "balancer: {write_port: 6432, read_port: 6433, former_write_port: 5432, " +
				"former_read_port: 5433}",
			does: "balancer.write_port: ordered change, balancer.read_port: ordered change, " +
				"balancer.former_write_port: reload, balancer.former_read_port: reload",
		},
		{
			name: "another virtual IP, and that of before", after: "vip: {address: 10.0.0.31, " +
				"former_address: 10.0.0.30}",
			does: "vip.address: ordered change, vip.former_address: ordered change",
		},
		{name: "another virtual IP", after: "vip: {address: 10.0.0.31}", does: "vip.address: ordered change"},
		{name: "who reads metrics", after: "monitoring: {networks: [10.9.0.0/16]}",
			does: "monitoring.networks: rolled restart"},
		{name: "promises", after: "slo: {failover: 1m}", does: "slo.failover: operator"},
	}
}

func noStore(s *seen) { s.store = nil }

// servicesStopped is a cluster whose services were stopped on all hosts.
func servicesStopped(s *seen) {
	s.store = nil
	for name := range s.facts {
		s.change(name, func(f *preflight.Facts) {
			f.Running.Server, f.Running.Databases, f.Listeners = nil, nil, map[int]string{22: "sshd"}
		})
	}
}
