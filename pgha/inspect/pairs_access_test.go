package inspect

import (
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/pgha/health"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/spec"
)

// accessPairs are rules by which somebody may, or may not, log in: the toolkit, Patroni and the
// balancers always do.
func accessPairs() []specPair {
	rule := func(name, line string) specPair {
		return specPair{
			name: name, after: "postgresql: {pg_hba: ['" + line + "']}",
			does:  "postgresql.pg_hba: reload",
			holds: behindTheNeeded(line),
		}
	}
	networks := func(name, list string) specPair {
		return specPair{
			name: name, after: "postgresql: {client_networks: [" + list + "]}",
			does: "postgresql.client_networks: reload", holds: balancersServe(list),
		}
	}
	return []specPair{
		rule("the superuser refused everywhere", "hostssl all postgres all reject"),
		rule("the socket refused", "local all all reject"),
		rule("replication refused", "hostssl replication all all reject"),
		rule("the neighbours refused", "host all all samenet reject"),
		rule("pg_rewind's role refused", "hostssl all rewind_user 10.0.0.0/8 reject"),
		rule("sessions with TLS refused", "hostssl all all 0.0.0.0/0 reject"),
		networks("clients of one machine", "10.7.7.7/32"),
		networks("clients of two places", "10.7.0.0/16, 172.16.0.0/12"),
		networks("clients with the new protocol only", "'fd00:7::/64'"),
		{
			name: "a network with a host in it", after: "postgresql: {client_networks: " +
				"[10.7.7.7/16]}",
			refused: "10.7.7.7/16", way: "write 10.7.0.0/16",
		},
		{
			name:    "a network without its length",
			after:   "postgresql: {client_networks: [10.7.0.0]}",
			refused: "10.7.0.0", way: "write 10.7.0.0/",
		},
		{
			name:    "anybody without a password",
			after:   "postgresql: {pg_hba: [hostssl all all 10.0.0.0/8 trust]}",
			refused: "trust is refused",
			way:     "write scram-sha-256",
		},
		{
			name:    "sessions without TLS",
			after:   "postgresql: {pg_hba: [host all all 10.0.0.0/8 scram-sha-256]}",
			refused: "lets sessions in without TLS", way: "write hostssl",
		},
		{
			name: "peer over the network", after: "postgresql: {pg_hba: [hostssl all all " +
				"10.0.0.0/8 peer]}",
			refused: "peer works for local rules only", way: "write scram-sha-256 or cert",
		},
	}
}

// rulesOf are the rules that a cluster's members get.
func rulesOf(t *testing.T, c *site.Site) []string {
	t.Helper()
	o, err := c.PatroniOptions()
	if err != nil {
		t.Fatal(err)
	}
	text, err := patroni.Config(o, o.Members[0])
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		PostgreSQL struct {
			PgHBA []string `yaml:"pg_hba"`
		} `yaml:"postgresql"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.PostgreSQL.PgHBA
}

// behindTheNeeded wants a rule behind those by which Patroni, replicas and the toolkit log in, from
// every host.
func behindTheNeeded(line string) func(*testing.T, *site.Site) {
	return func(t *testing.T, c *site.Site) {
		rules, pg := rulesOf(t, c), c.Spec.PostgreSQL
		at := slices.Index(rules, line)
		needed := []string{"local all all peer"}
		for _, h := range c.Spec.Databases() {
			needed = append(needed, "hostssl replication "+pg.ReplicationUser+" "+h.Address+
				"/32 scram-sha-256",
				"hostssl all "+pg.RewindUser+" "+h.Address+"/32 scram-sha-256")
		}
		for _, h := range c.Spec.Hosts {
			needed = append(needed, "hostssl all "+pg.Superuser+" "+h.Address+"/32 scram-sha-256")
		}
		for _, n := range needed {
			if i := slices.Index(rules, n); i < 0 || i > at {
				t.Errorf("%q is not before %q in\n%s", n, line, strings.Join(rules, "\n"))
			}
		}
	}
}

// balancersServe wants the balancers to serve these networks and the cluster's own hosts, and
// PostgreSQL to let the balancers in.
func balancersServe(list string) func(*testing.T, *site.Site) {
	return func(t *testing.T, c *site.Site) {
		served, rules := site.Clients(c.Spec), rulesOf(t, c)
		for network := range strings.SplitSeq(list, ", ") {
			if !slices.Contains(served, strings.Trim(network, "'")) {
				t.Errorf("%s is not served: %v", network, served)
			}
		}
		for _, h := range c.Spec.Hosts {
			if !slices.Contains(served, h.Address+"/32") {
				t.Errorf("the cluster's own %s is not served: %v", h.Name, served)
			}
			if h.Role == spec.RoleBalancer && !slices.Contains(rules,
				"hostssl all all "+h.Address+"/32 scram-sha-256") {
				t.Errorf("sessions of %s are not let in:\n%s", h.Name, strings.Join(rules, "\n"))
			}
		}
	}
}

// tagPairs are members that promise less, or something else, than a replica like all others.
func tagPairs() []specPair {
	promises := func(name, tags string, want health.Promise) specPair {
		return specPair{name: name, after: "hosts: {pg3: {tags: " + tags + "}}",
			does: "hosts[].tags: reload",
			holds: func(t *testing.T, c *site.Site) {
				h, err := c.Spec.Host("pg3")
				if got := health.PromiseOf(h.Tags); err != nil || got != want {
					t.Errorf("promises %+v, want %+v (%v)", got, want, err)
				}
			}}
	}
	return []specPair{
		promises("never the leader, by its priority", "{failover_priority: 0}", health.Promise{
			Streams: true, Reads: true, Synchronous: true,
		}),
		promises("the best leader", "{failover_priority: 7}", health.Promise{
			Streams: true, Reads: true, Synchronous: true, Candidate: true,
		}),
		promises("never synchronous, by its priority", "{sync_priority: 0}", health.Promise{
			Streams: true, Reads: true, Candidate: true,
		}),
		promises("the source of copies", "{clonefrom: true}", health.Promise{
			Streams: true, Reads: true, Candidate: true, Synchronous: true,
		}),
		promises("below another replica, without reads",
			"{replicatefrom: m2, noloadbalance: true, nofailover: true}",
			health.Promise{
				From: "m2", Streams: true, Synchronous: true,
			}),
		promises("a tag of somebody's own", "{room: b12}", health.Promise{
			Streams: true, Reads: true, Candidate: true, Synchronous: true,
		}),
		{
			name:    "nobody left to fail over to",
			after:   "hosts: {pg2: {tags: {nofailover: true}}, pg3: {tags: {failover_priority: 0}}}",
			refused: "only one of 3 database hosts may lead",
			way:     "take the tag nofailover from another one",
		},
		{
			name:    "a first member that never leads",
			after:   "hosts: {pg1: {tags: {nofailover: true}}}",
			refused: "the first database host starts the cluster as its leader",
			way:     "list another database host first",
		},
		{
			name: "its own upstream", after: "hosts: {pg3: {tags: {replicatefrom: m3}}}",
			refused: "is not another member", way: "m",
		},
		{
			name:    "the host's name in place of the member's",
			after:   "hosts: {pg3: {tags: {replicatefrom: pg2}}}",
			refused: `"pg2" is not another member`, way: "m2",
		},
		{
			name:    "a tag with a letter too few",
			after:   "hosts: {pg3: {tags: {noloadbalace: true}}}",
			refused: "is not a tag of Patroni but nearly one", way: "did you mean noloadbalance?",
		},
		{
			name:    "the best standby that is never one",
			after:   "hosts: {pg3: {tags: {nosync: true, sync_priority: 2}}}",
			refused: "2 contradicts nosync: true", way: "keep one of the two",
		},
		{
			name: "a priority below zero", after: "hosts: {pg3: {tags: {failover_priority: -1}}}",
			refused: "-1 is not a whole number from 0 on", way: "0 means never",
		},
		{
			name: "a list for a tag", after: "hosts: {pg3: {tags: {room: [a, b]}}}",
			refused: "is not a single value", way: "write text",
		},
	}
}
