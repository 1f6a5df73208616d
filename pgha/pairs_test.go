package pgha

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/pgha/change"
	"github.com/pgha/toolkit/pgha/spec"
)

// specPair is a row of the big table: a specification that is in force, another one that shall be, and what the hosts say. It
// is refused with a reason and a way, or accepted with what it does.
//
// How to add rows: put them into the slice of their kind, one file a kind (pairs_changes_test.go, ...), and the slice into
// allPairs. A row needs no host; what a host says beyond what the specification before implies is set by its function. A
// judge that looks at new facts is called in verdict, and seenAs fills in what a healthy host says.
type specPair struct {
	name string
	// before and after are YAML that is merged over pairBase, after over before: sections field by field, hosts by their
	// names, where null takes one out. "" changes nothing.
	before, after string
	// hosts changes what a cluster of the specification before says; nil leaves it.
	hosts func(*seen)
	// refused and way must be in the reason and in the way of what is refused, be it a finding or an error of the
	// specification; "" where the pair is accepted.
	refused, way string
	// does is what the change comes to where it is accepted: "postgresql.pg_hba: reload", several of them in the
	// specification's order, "nothing" where no field differs.
	does string
}

// allPairs are the rows of every kind.
func allPairs() []specPair {
	return slices.Concat(changePairs(), memberPairs(), acceptedPairs(), scalarPairs(), inUsePairs())
}

// seen is what the hosts and etcd say.
type seen struct {
	facts map[string]Facts
	store *change.Store
}

const pairBase = `
version: 1
cluster: prod
hosts:
  - {name: pg1, address: 10.0.0.11, role: database, member: m1}
  - {name: pg2, address: 10.0.0.12, role: database, member: m2}
  - {name: pg3, address: 10.0.0.13, role: database, member: m3}
  - {name: lb1, address: 10.0.0.21, role: balancer}
  - {name: lb2, address: 10.0.0.22, role: balancer}
  - {name: lb3, address: 10.0.0.23, role: balancer}
vip: {address: 10.0.0.30}
postgresql: {source: distribution}
`

func TestPairs(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, p := range allPairs() {
		if names[p.name] {
			t.Errorf("two rows are called %q", p.name)
		}
		names[p.name] = true
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.check(t)
		})
	}
	t.Logf("%d pairs", len(names))
}

func (p specPair) check(t *testing.T) {
	t.Helper()
	if (p.refused == "") != (p.way == "") || (p.refused == "") == (p.does == "") {
		t.Fatal("a row is refused with a way, or accepted with what it does")
	}
	tree := mergedTexts(t, pairBase, p.before)
	before, err := parseTree(t, tree)
	if err != nil {
		t.Fatal(err)
	}
	after, err := parseTree(t, mergedTexts(t, pairBase, p.before, p.after))
	if err != nil {
		if p.refused == "" || !strings.Contains(err.Error(), p.refused) || !strings.Contains(err.Error(), p.way) {
			t.Errorf("the specification is refused:\n%v\nwant %q with the way %q", err, p.refused, p.way)
		}
		return
	}
	s := seenAs(before)
	if p.hosts != nil {
		p.hosts(&s)
	}
	stops := verdict(after, s)
	if p.refused == "" {
		if len(stops) > 0 {
			t.Errorf("refused: %+v", stops)
		}
		if does := differs(before, after); does != p.does {
			t.Errorf("accepted with %q, want %q", does, p.does)
		}
		return
	}
	if !slices.ContainsFunc(stops, func(f Finding) bool {
		return strings.Contains(f.Problem, p.refused) && strings.Contains(f.Remedy, p.way)
	}) {
		t.Errorf("found %+v\nwant %q with the way %q", stops, p.refused, p.way)
	}
	fields := map[string]bool{}
	for _, f := range stops {
		if fields[f.Field] {
			t.Errorf("one cause, %d findings: %+v", len(stops), stops)
		}
		fields[f.Field] = true
	}
}

// verdict is what stops apply, by everybody who judges before a host is changed.
func verdict(sp *spec.Spec, s seen) []Finding {
	c := &Cluster{Spec: sp, credentials: &credentials{etcdCA: []byte("our CA\n")}}
	var found []Finding
	for _, h := range sp.Hosts {
		f, ok := s.facts[h.Name]
		if !ok {
			f = bareHost(c, h)
			s.facts[h.Name] = f
		}
		found = append(found, c.judgeHost(h, f)...)
	}
	found = append(found, judgeChange(sp, s.facts, s.store)...)
	return stopping(found)
}

// bareHost is a host without anything of the cluster.
func bareHost(c *Cluster, h spec.Host) Facts {
	f := Facts{Distribution: "debian", Release: "13", Architecture: "amd64", Root: true, Init: true, ClockSynced: true, FreeBytes: 100 << 30,
		Listeners: map[int]string{22: "sshd"}, Candidates: map[string]string{}}
	for _, p := range c.packagesOf(h) {
		f.Candidates[p] = "4.1.5-1"
	}
	f.Running.MACs = []string{macOf(h)}
	return f
}

func macOf(h spec.Host) string {
	return "02:00:00:00:00:" + h.Address[strings.LastIndexByte(h.Address, '.')+1:]
}

// seenAs is what a healthy cluster of a specification says of itself.
func seenAs(sp *spec.Spec) seen {
	const identifier = "7713175239863042040"
	c, pg, yes := &Cluster{Spec: sp}, sp.PostgreSQL, sp.PostgreSQL.DataChecksums
	s := seen{facts: map[string]Facts{}, store: &change.Store{Version: sp.Etcd.Version}}
	scope, peers := change.Scope{Namespace: sp.Patroni.Namespace, Name: sp.Cluster, SystemIdentifier: identifier}, map[string]string{}
	for _, h := range sp.Databases() {
		url := "https://" + hostPort(h.Address, sp.Etcd.PeerPort)
		peers[h.Member] = url
		s.store.Members = append(s.store.Members, change.StoreMember{Name: h.Member, PeerURLs: []string{url}})
		scope.Members = append(scope.Members, change.ScopeMember{Name: h.Member, PostgreSQL: hostPort(h.Address, pg.Port), REST: hostPort(h.Address, sp.Patroni.RESTPort)})
	}
	s.store.Scopes = []change.Scope{scope}
	for _, h := range sp.Hosts {
		f := bareHost(c, h)
		if h.Role == spec.RoleDatabase {
			f.EtcdCA = "our CA"
			f.Listeners = map[int]string{22: "sshd", pg.Port: "postgres", sp.Patroni.RESTPort: "patroni", sp.Etcd.ClientPort: "etcd", sp.Etcd.PeerPort: "etcd"}
			f.Running.Etcd = &change.Etcd{Name: h.Member, DataDir: sp.Etcd.DataDir, ClientPort: sp.Etcd.ClientPort, PeerPort: sp.Etcd.PeerPort, Peers: peers}
			f.Running.Server = &change.Server{DataDir: pg.DataDir, Port: pg.Port, Scope: sp.Cluster}
			f.Running.Patroni = &change.Patroni{Scope: sp.Cluster, Namespace: sp.Patroni.Namespace, Name: h.Member, DataDir: pg.DataDir, RESTPort: sp.Patroni.RESTPort, Port: pg.Port,
				Superuser: pg.Superuser, Replication: pg.ReplicationUser, Rewind: pg.RewindUser, Written: writtenBy(sp)}
			f.Running.Data = map[string]change.Data{pg.DataDir: {Version: pg.Version, SystemIdentifier: identifier, Checksums: &yes}}
		} else if sp.VIP != nil {
			f.Listeners = map[int]string{22: "sshd", sp.Balancer.WritePort: "haproxy", sp.Balancer.ReadPort: "haproxy"}
			f.Running.Keepalived = &change.Keepalived{Address: sp.VIP.Address, RouterID: sp.VIP.RouterID, Source: h.Address}
			for _, b := range sp.Balancers() {
				if b.Name != h.Name {
					f.Running.Keepalived.Peers = append(f.Running.Keepalived.Peers, b.Address)
				}
			}
		}
		s.facts[h.Name] = f
	}
	first := s.facts[sp.Databases()[0].Name]
	first.Running.Databases = &change.Databases{Encoding: pg.Encoding, Locale: pg.Locale, Roles: []string{pg.Superuser, pg.ReplicationUser, pg.RewindUser}}
	s.facts[sp.Databases()[0].Name] = first
	return s
}

// writtenBy are the parameters that an apply of the specification has written.
func writtenBy(sp *spec.Spec) map[string]string {
	written := map[string]string{}
	for name, value := range sp.PostgreSQL.Parameters {
		written[name] = fmt.Sprint(value)
	}
	return written
}

// change changes what one host says.
func (s *seen) change(host string, f func(*Facts)) {
	facts := s.facts[host]
	f(&facts)
	s.facts[host] = facts
}

// mergedTexts merges YAML texts, one over the other.
func mergedTexts(t *testing.T, texts ...string) map[string]any {
	t.Helper()
	tree := map[string]any{}
	for _, text := range texts {
		over := map[string]any{}
		if err := yaml.Unmarshal([]byte(text), &over); err != nil {
			t.Fatal(err)
		}
		mergeTree(tree, over)
	}
	return tree
}

func mergeTree(tree, over map[string]any) {
	for key, value := range over {
		inner, isMap := value.(map[string]any)
		switch old := tree[key].(type) {
		case map[string]any:
			if isMap {
				mergeTree(old, inner)
				continue
			}
		case []any:
			if key == "hosts" && isMap {
				tree[key] = mergeHosts(old, inner)
				continue
			}
		}
		if tree[key] = value; value == nil {
			delete(tree, key)
		}
	}
}

// mergeHosts changes a list of hosts by their names; a new one comes last.
func mergeHosts(list []any, over map[string]any) []any {
	byName := func(name string) int {
		return slices.IndexFunc(list, func(h any) bool { return h.(map[string]any)["name"] == name })
	}
	for _, name := range slices.Sorted(mapKeys(over)) {
		i := byName(name)
		switch {
		case over[name] == nil:
			list = slices.Delete(list, i, i+1)
		case i < 0:
			h := over[name].(map[string]any)
			h["name"] = name
			list = append(list, h)
		default:
			mergeTree(list[i].(map[string]any), over[name].(map[string]any))
		}
	}
	return list
}

func mapKeys(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func parseTree(t *testing.T, tree map[string]any) (*spec.Spec, error) {
	t.Helper()
	text, err := yaml.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return spec.Parse("pgha.yaml", text)
}

// differs says what the change from one specification to another comes to, by the table of package change.
func differs(before, after *spec.Spec) string {
	have, want := map[string]string{}, map[string]string{}
	values("", reflect.ValueOf(*before), have)
	values("", reflect.ValueOf(*after), want)
	var words []string
	for _, f := range change.Fields() {
		if have[f.Name] != want[f.Name] {
			words = append(words, fmt.Sprintf("%s: %s", f.Name, f.Effect))
		}
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, ", ")
}

// values gathers all values of a specification by the names of the table's rows.
func values(prefix string, v reflect.Value, into map[string]string) {
	for f, value := range v.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		name = prefix + name
		switch {
		case value.Kind() == reflect.Pointer && value.IsNil():
		case value.Kind() == reflect.Pointer && value.Elem().Kind() == reflect.Struct:
			into[name] = "there"
			values(name+".", value.Elem(), into)
		case value.Kind() == reflect.Struct:
			values(name+".", value, into)
		case value.Kind() == reflect.Slice && value.Type().Elem().Kind() == reflect.Struct:
			into[name] = strconv.Itoa(value.Len())
			for i := range value.Len() {
				values(name+"[].", value.Index(i), into)
			}
		default:
			into[name] += fmt.Sprintf("%+v;", reflect.Indirect(value).Interface())
		}
	}
}
