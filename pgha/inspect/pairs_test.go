package inspect

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/pgha/change"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// specPair is a row of the big table: a specification that is in force, another one that should be,
// and what the hosts say. It is refused with a reason and a way, or accepted with what it does.
//
// How to add rows: put them into the slice of their kind (pairs_changes_test.go, ...), and a new
// slice into pairKinds. A row needs no host; what a host says beyond what the specification before
// implies is set by its function. A judge that looks at new facts is called in verdict, and seenAs
// fills in what a healthy host says.
type specPair struct {
	name string
	// before and after are YAML that is merged over pairBase, after over before: sections field by
	// field, hosts by their names, where null takes one out. "" changes nothing.
	before, after string
	// hosts changes what a cluster of the specification before says; nil leaves it.
	hosts func(*seen)
	// refused and way must be in the reason and in the way of what is refused, be it a finding or
	// an error of the specification; "" where the pair is accepted.
	refused, way string
	// does is what the change means where it is accepted: "postgresql.pg_hba: reload", several of
	// them in the specification's order, "nothing" where no field differs.
	does string
	// warns must be in a warning that goes with it; "" where none is asked for.
	warns string
	// holds looks, where the pair is accepted, at what the cluster then works with; nil where does
	// says it all.
	holds func(*testing.T, *site.Site)
}

// pairKind are rows in which the same kind of thing is wrong, or looks so.
type pairKind struct {
	name string
	rows []specPair
}

func pairKinds() []pairKind {
	return []pairKind{
		{"read at start only", slices.Concat(changePairs(), memberPairs(), acceptedPairs())},
		{"refused by the server", refusedSettingPairs()},
		{"without effect, or not to be taken back", effectPairs()},
		{"hosts that are not bare", hostPairs()},
		{"who may log in", accessPairs()},
		{"settings around the toolkit", surroundingPairs()},
		{"members that are not alike", tagPairs()},
		{"what others own on a host", ownedPairs()},
		{"read differently than written", slices.Concat(scalarPairs(), spellingPairs())},
		{"the state directory", statePairs()},
		{"etcd", etcdPairs()},
		{"how the stack really behaves", slices.Concat(stackPairs(), inUsePairs())},
		{"getting in", gettingInPairs()},
	}
}

// leastPairs is how many rows there are in all at least, leastOfKind in each kind.
const leastPairs, leastOfKind = 150, 5

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
	names, bodies := map[string]bool{}, map[string]string{}
	for _, kind := range pairKinds() {
		if len(kind.rows) < leastOfKind {
			t.Errorf("%s: %d rows, want %d", kind.name, len(kind.rows), leastOfKind)
		}
		for _, p := range kind.rows {
			if names[p.name] {
				t.Errorf("two rows are called %q", p.name)
			}
			body := p.before + "\n" + p.after
			if other := bodies[body]; p.hosts == nil && other != "" {
				t.Errorf("%s and %s are the same pair", other, p.name)
			} else if p.hosts == nil {
				bodies[body] = p.name
			}
			names[p.name] = true
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				p.check(t)
			})
		}
	}
	if len(names) < leastPairs {
		t.Errorf("%d pairs, want %d", len(names), leastPairs)
	}
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
		if p.refused == "" || !strings.Contains(err.Error(), p.refused) ||
			!strings.Contains(err.Error(), p.way) {
			t.Errorf("the specification is refused:\n%v\nwant %q with the way %q", err,
				p.refused, p.way)
		}
		return
	}
	s := seenAs(before)
	if p.hosts != nil {
		p.hosts(&s)
	}
	found := verdict(t, after, s)
	stops := stopping(found)
	if p.warns != "" && !slices.ContainsFunc(found, func(f preflight.Finding) bool {
		return f.Warning && strings.Contains(f.Problem, p.warns) && !f.Remedy.IsZero()
	}) {
		t.Errorf("no warning of %q in %+v", p.warns, found)
	}
	if p.refused == "" {
		if len(stops) > 0 {
			t.Errorf("refused: %+v", stops)
		}
		if p.holds != nil {
			p.holds(t, unconnected(t, after))
		}
		if does := differs(before, after); does != p.does {
			t.Errorf("accepted with %q, want %q", does, p.does)
		}
		return
	}
	if !slices.ContainsFunc(stops, func(f preflight.Finding) bool {
		return strings.Contains(f.Problem, p.refused) && strings.Contains(f.Remedy.String(), p.way)
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

// verdict is what everybody finds who judges before a host is changed.
func verdict(t *testing.T, sp *spec.Spec, s seen) []preflight.Finding {
	t.Helper()
	c := (&site.Site{
		Spec: sp, State: &vault.State{Dir: t.TempDir()},
	}).Hold(&vault.Credentials{EtcdCA: []byte(ourCA)})
	if s.directory.Known() {
		text, err := json.Marshal(s.directory)
		if err == nil {
			err = os.WriteFile(c.State.Path(vault.IdentityFile), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var found []preflight.Finding
	for _, h := range sp.Hosts {
		f, ok := s.facts[h.Name]
		if !ok {
			f = bareHost(c, h)
		}
		f.Premises.Member, f.Premises.Stranger = belongs(c, h, f)
		s.facts[h.Name] = f
		found = append(found, judgeHost(c, h, f)...)
	}
	found = append(found, judgeChange(sp, s.facts, s.store)...)
	found = append(found, judgeNetwork(c, s.facts)...)
	found = append(found, judgeSorting(sp, s.facts)...)
	if err := c.JudgeState(StateNotes(s.facts)); err != nil {
		found = append(found, preflight.Finding{Problem: err.Error(), Remedy: errs.NextOf(err)})
	}
	return found
}

// unconnected is the cluster of a specification, with credentials, that nobody connects to.
func unconnected(t *testing.T, sp *spec.Spec) *site.Site {
	t.Helper()
	c := (&site.Site{Spec: sp, Connections: map[string]*remote.Target{}}).Hold(&vault.Credentials{})
	for _, h := range sp.Hosts {
		c.Connections[h.Name] = &remote.Target{
			Host:     remote.Host{Name: h.Name, Address: h.Address},
			Executor: &remote.Local{Name: h.Name},
		}
	}
	return c
}

func parseTree(t *testing.T, tree map[string]any) (*spec.Spec, error) {
	t.Helper()
	text, err := yaml.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return spec.Parse("pgha.yaml", text)
}

// differs says what the change from one specification to another means, by the table of package
// change.
func differs(before, after *spec.Spec) string {
	have, want := map[string]string{}, map[string]string{}
	values("", reflect.ValueOf(*before), have)
	values("", reflect.ValueOf(*after), want)
	var words []string
	for _, f := range change.Fields() {
		of := strings.Index(f.Name, "[].")
		if of >= 0 && have[f.Name[:of]] != want[f.Name[:of]] {
			continue // more or fewer of them, which the list's own row is about
		}
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
		if !f.IsExported() {
			continue
		}
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

// Certificates by their form alone: of the cluster, and of another one.
const (
	ourCA   = "-----BEGIN CERTIFICATE-----\nb3Vycw==\n-----END CERTIFICATE-----\n"
	theirCA = "-----BEGIN CERTIFICATE-----\ndGhlaXJz\n-----END CERTIFICATE-----\n"
)

// TestAuthoritiesThatAreReplaced: a host that trusts two belongs to the cluster by either.
func TestAuthoritiesThatAreReplaced(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		host, own string
		want      bool
	}{
		{ourCA, ourCA, true}, {theirCA + ourCA, ourCA, true}, {ourCA, theirCA + ourCA, true},
		{theirCA, ourCA, false}, {"", ourCA, false}, {"damaged", ourCA, false},
	} {
		if got := shareAuthority([]byte(tt.host), []byte(tt.own)); got != tt.want {
			t.Errorf("%q and %q: %v", tt.host, tt.own, got)
		}
	}
}
