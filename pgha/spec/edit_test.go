package spec_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/pgha/spec"
)

func at(path string, value any) spec.Change {
	return spec.Change{Path: strings.Split(path, "/"), Value: value}
}

func TestEdit(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		src     string
		changes []spec.Change
		want    string
	}{
		"a number, with its comment": {
			"patroni:\n  ttl: 30   # seconds\n  loop_wait: 10\n",
			[]spec.Change{at("patroni/ttl", 40)},
			"patroni:\n  ttl: 40   # seconds\n  loop_wait: 10\n",
		},
		"quotes stay": {
			"a:\n  x: 'it''s' # one\n  y: \"a\\\"b\" # two\n",
			[]spec.Change{at("a/x", "8MB"), at("a/y", "64MB")},
			"a:\n  x: '8MB' # one\n  y: \"64MB\" # two\n",
		},
		"text for a number, and a number for text": {
			"a: {x: 5, y: 8MB}\n", []spec.Change{at("a/x", "5"), at("a/y", 8192)},
			"a: {x: \"5\", y: 8192}\n",
		},
		"words that are something else to YAML": {
			"a: {x: 1, y: 2, z: 3}\n", []spec.Change{at("a/x", "off"), at("a/y", nil),
				at("a/z", "a, [b] {c}")},
			"a: {x: \"off\", y: null, z: \"a, [b] {c}\"}\n",
		},
		"lines in a text": {"a: x\n", []spec.Change{at("a", "one\ntwo # three")},
			"a: \"one\\ntwo # three\"\n"},
		"a new field at the end of its section": {
			"patroni:\n  ttl: 30\n  # an end\n\nother: 1\n",
			[]spec.Change{at("patroni/loop_wait", 5)},
			"patroni:\n  ttl: 30\n  loop_wait: 5\n  # an end\n\nother: 1\n",
		},
		"under the comment that shows the default": {
			"patroni:\n  profile: safe\n  # ttl: 30      # seconds\n  # loop_wait: 10\n  watchdog: off\n",
			[]spec.Change{at("patroni/ttl", 40)},
			"patroni:\n  profile: safe\n  # ttl: 30      # seconds\n  ttl: 40\n  # loop_wait: 10\n  watchdog: off\n",
		},
		"a comment that looks so in another section": {
			"patroni:\n  extra:\n  # ttl: 30\n    a: 1\nother: 1\n",
			[]spec.Change{at("patroni/ttl", 40)},
			"patroni:\n  extra:\n  # ttl: 30\n    a: 1\n  ttl: 40\nother: 1\n",
		},
		"the indentation of the section": {
			"postgresql:\n    parameters:\n          a: 1\n",
			[]spec.Change{at("postgresql/parameters/b.c", "x"), at("postgresql/port", 1)},
			"postgresql:\n    parameters:\n          a: 1\n          b.c: x\n    port: 1\n",
		},
		"sections that are missing": {
			"version: 1\n", []spec.Change{at("postgresql/parameters/work_mem", "8MB"),
				at("patroni/ttl", 40)},
			"version: 1\npostgresql:\n  parameters:\n    work_mem: 8MB\npatroni:\n  ttl: 40\n",
		},
		"a missing section where others stand apart": {
			"version: 1\n\nhosts:\n- a\n- b\n\n# the end\n", []spec.Change{at("patroni/ttl", 40)},
			"version: 1\n\nhosts:\n- a\n- b\n\npatroni:\n  ttl: 40\n\n# the end\n",
		},
		"a missing section of a section": {
			"postgresql:\n  version: 18 # major\nend: 1\n",
			[]spec.Change{at("postgresql/parameters/work_mem", "8MB")},
			"postgresql:\n  version: 18 # major\n  parameters:\n    work_mem: 8MB\nend: 1\n",
		},
		"an empty section": {
			"patroni: # nothing yet\nend: 1\n", []spec.Change{at("patroni/ttl", 40)},
			"patroni: # nothing yet\n  ttl: 40\nend: 1\n",
		},
		"a section that is null": {
			"patroni: ~ # none\n", []spec.Change{at("patroni/ttl", 40)},
			"patroni: {ttl: 40} # none\n",
		},
		"an empty field": {
			"a:\n  b: # none\n  c: 1\n", []spec.Change{at("a/b", 2)}, "a:\n  b: 2 # none\n  c: 1\n",
		},
		"braces": {
			"patroni: {ttl: 30} # x\n", []spec.Change{at("patroni/loop_wait", 5)},
			"patroni: {ttl: 30, loop_wait: 5} # x\n",
		},
		"empty braces": {
			"patroni: {}\n", []spec.Change{at("patroni/loop_wait", 5)}, "patroni: {loop_wait: 5}\n",
		},
		"braces within braces": {
			"a: {b: {c: [1, 2]}}\n", []spec.Change{at("a/b/d", 5)}, "a: {b: {d: 5, c: [1, 2]}}\n",
		},
		"a section within braces": {
			"postgresql: {port: 1}\n", []spec.Change{at("postgresql/parameters/a.b", 5)},
			"postgresql: {port: 1, parameters: {a.b: 5}}\n",
		},
		"JSON stays JSON": {
			"{\"a\": {\"b\": \"x\"}}", []spec.Change{at("a/b", "y"), at("a/c", 5)},
			"{\"a\": {\"b\": \"y\", \"c\": 5}}",
		},
		"braces over lines": {
			"a: {\n  b: 1,\n  c: 2\n}\nd: 1\n", []spec.Change{at("a/e", 3), at("f", 4)},
			"a: {\n  b: 1,\n  c: 2, e: 3\n}\nd: 1\nf: 4\n",
		},
		"after brackets": {
			"a:\n  b: [\n    1\n  ]\nd: 1\n", []spec.Change{at("a/e", 3)},
			"a:\n  b: [\n    1\n  ]\n  e: 3\nd: 1\n",
		},
		"an element of a list": {
			"hosts:\n  - {name: a}\n  - name: b # second\n    priority: 90\n",
			[]spec.Change{
				at("hosts/1/priority", 5), at("hosts/0/priority", 6),
				at("hosts/1/tags/nosync", true),
			}, "hosts:\n  - {name: a, priority: 6}\n  - name: b # second\n    priority: 5\n    " +
				"tags:\n      nosync: true\n",
		},
		"one more element": {
			"a:\n  # first\n  - x # why\n  # end\nb: 1\n", []spec.Change{at("a/-", "y: z")},
			"a:\n  # first\n  - x # why\n  - 'y: z'\n  # end\nb: 1\n",
		},
		"one more without indent": {
			"a:\n- x\n- y\nb: 1\n", []spec.Change{at("a/-", "z")}, "a:\n- x\n- y\n- z\nb: 1\n",
		},
		"one more in brackets": {"a: [\"x\"]\n", []spec.Change{at("a/-", "y")},
			"a: [\"x\", \"y\"]\n"},
		"a list that is missing": {"p:\n  a: 1\n", []spec.Change{at("p/b/-", "v")},
			"p:\n  a: 1\n  b:\n    - v\n"},
		"a list that is empty": {"p: {a: [], b: 1}\n", []spec.Change{at("p/a/-", "v")},
			"p: {a: [v], b: 1}\n"},
		"without an end of line": {"a: 1", []spec.Change{at("b", 2)}, "a: 1\nb: 2"},
		"ends of lines of Windows": {
			"a:\r\n  x: 1\r\nb: 1\r\n", []spec.Change{at("a/y", 2), at("a/x", 3)},
			"a:\r\n  x: 3\r\n  y: 2\r\nb: 1\r\n",
		},
		"characters of other scripts": {
			"ñandú: {é: 'ü', x: \"1\"} # ö\n", []spec.Change{at("ñandú/x", "€")},
			"ñandú: {é: 'ü', x: \"€\"} # ö\n",
		},
		"an end mark": {"---\na: 1\n...\n", []spec.Change{at("b", 2)}, "---\na: 1\nb: 2\n...\n"},
		"a block above": {
			"a:\n  x: |\n    # ttl: 1\n    b: 2\n  y: 1\n", []spec.Change{at("a/ttl", 2)},
			"a:\n  x: |\n    # ttl: 1\n    b: 2\n  y: 1\n  ttl: 2\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := spec.Edit([]byte(tt.src), tt.changes)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			again, err := spec.Edit(got, tt.changes)
			if err == nil && !slices.ContainsFunc(tt.changes,
				func(c spec.Change) bool {
					return slices.Contains(c.Path, "-")
				}) && !bytes.Equal(got, again) {
				t.Errorf("the second time it became %s", again)
			}
		})
	}
}

func TestEditRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		src    string
		change spec.Change
		want   string
	}{
		"over several lines": {
			"a: one\n  two\n", at("a", "x"),
			"cannot edit the specification: a: it is written in a way that only a person can change",
		},
		"a block":              {"a: |\n  x\n", at("a", "y"), "only a person"},
		"a section as a value": {"a: {b: 1}\n", at("a", 1), "a: it is not a single value there"},
		"a value as a section": {"a: 1\n", at("a/b", 1),
			"a.b: there is a single value where b belongs"},
		"no such element": {"hosts: [a]\n", at("hosts/1/name", 1),
			"hosts[1].name: the list has no element 1"},
		"no YAML":           {"a: [\n", at("a", 1), "read YAML"},
		"two documents":     {"a: 1\n---\nb: 1\n", at("a", 2), "more than one document"},
		"a list":            {"- a\n", at("a", 2), "no mapping"},
		"a list as a value": {"a: 1\n", at("a", []string{"x"}), "a []string is no single value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := spec.Edit([]byte(tt.src), []spec.Change{tt.change})
			if !errors.Is(err, spec.ErrNotEditable) || !strings.Contains(err.Error(), tt.want) ||
				got != nil {
				t.Errorf("got %q, %v; want %s", got, err, tt.want)
			}
		})
	}
}

// TestEditOfTheExample changes what operators change, in the specification that most start from.
func TestEditOfTheExample(t *testing.T) {
	t.Parallel()
	changes := []spec.Change{
		at("patroni/ttl", 40), at("patroni/synchronous_mode", "strict"),
		at("postgresql/parameters/work_mem", "8MB"),
		at("postgresql/parameters/shared_buffers", "512MB"), at("hosts/3/priority", 99),
		at("balancer/max_connections", 500),
	}
	got, err := spec.Edit(spec.Example(), changes)
	if err != nil {
		t.Fatal(err)
	}
	sp := parse(t, "/srv/pgha.yaml", string(got))
	want := parse(t, "/srv/pgha.yaml", string(spec.Example()))
	want.Patroni.TTL = 40e9
	want.Patroni.SynchronousMode = spec.SynchronousStrict
	want.PostgreSQL.Parameters["work_mem"],
		want.PostgreSQL.Parameters["shared_buffers"] = "8MB", "512MB"
	want.Hosts[3].Priority, want.Balancer.MaxConnections = 99, 500
	if diff := cmp.Diff(want, sp); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if added := bytes.Count(got, []byte("\n")) - bytes.Count(spec.Example(),
		[]byte("\n")); added != 3 {
		t.Errorf("%d lines more, want 3:\n%s", added, got)
	}
}

// comments are all comments of a text, in their order.
func comments(n *yaml.Node) (all []string) {
	for _, c := range []string{n.HeadComment, n.LineComment, n.FootComment} {
		if c != "" {
			all = append(all, strings.Fields(c)...)
		}
	}
	for _, child := range n.Content {
		all = append(all, comments(child)...)
	}
	return all
}

// byName is a mapping with the names of its keys, which YAML reads as numbers where they look like
// one: a mapping with a single such key is a map[any]any.
func byName(mapping any) map[string]any {
	switch m := mapping.(type) {
	case map[string]any:
		return maps.Clone(m)
	case map[any]any:
		named := map[string]any{}
		for key, value := range m {
			named[fmt.Sprint(key)] = value
		}
		return named
	}
	return nil
}

// FuzzEdit sets a field in any text. What comes out holds the new value, all the comments, and
// otherwise reads as before.
func FuzzEdit(f *testing.F) {
	f.Add(string(spec.Example()), "patroni", "ttl", "40")
	f.Add(everything, "postgresql", "work_mem", "8MB")
	f.Add(minimal, "patroni", "ttl", "a: #b\n'")
	f.Add("a: # x\r\n  b: 'c'\r\n", "a", "b", "\"")
	f.Add("a:\n  0: 'c'\n", "a", "b", "\x01")
	f.Add("\ufeffa:\n- b\n", "c", "d", "\u2028")
	f.Fuzz(func(t *testing.T, src, section, field, value string) {
		var before, after map[string]any
		var nodeBefore, nodeAfter yaml.Node
		if yaml.Unmarshal([]byte(src), &before) != nil ||
			yaml.Unmarshal([]byte(src), &nodeBefore) != nil {
			return
		}
		got, err := spec.Edit([]byte(src), []spec.Change{{Path: []string{section, field},
			Value: value}})
		if err != nil {
			if !errors.Is(err, spec.ErrNotEditable) || got != nil {
				t.Fatalf("%q, %v", got, err)
			}
			return
		}
		if err := errors.Join(yaml.Unmarshal(got, &after),
			yaml.Unmarshal(got, &nodeAfter)); err != nil {
			t.Fatalf("%v in %s", err, got)
		}
		want, inner := byName(before[section]), byName(after[section])
		if inner == nil || inner[field] != value {
			t.Fatalf("%s.%s is %v, want %q, in %s", section, field, inner[field], value, got)
		}
		delete(want, field)
		delete(inner, field)
		delete(before, section)
		delete(after, section)
		if diff := cmp.Diff(want, inner, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s (-before +after):\n%s", section, diff)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Fatalf("(-before +after):\n%s", diff)
		}
		was, is := comments(&nodeBefore), comments(&nodeAfter)
		slices.Sort(was)
		slices.Sort(is)
		if diff := cmp.Diff(was, is); diff != "" {
			t.Fatalf("comments (-before +after):\n%s", diff)
		}
	})
}

// TestEditHosts: hosts go and come, and every other byte stays.
func TestEditHosts(t *testing.T) {
	t.Parallel()
	const text = `# our cluster
version: 1
hosts: # by rack
  # rack one
  - {name: a, address: 10.0.0.1, role: database}
  - name: b # the big one
    address: 10.0.0.2
    role: database
    tags: {nofailover: true}
  # rack two
  - {name: c, address: 10.0.0.3, role: database, member: m3}
vip: {address: 10.0.0.9}
`
	added := spec.Host{Name: "d", Address: "fd00::4", Role: spec.RoleDatabase, Member: "d",
		Tags: map[string]any{"nosync": true},
		SSH:  spec.HostSSH{HostKey: "SHA256:abc, def", Port: 2222}}
	for name, tt := range map[string]struct {
		remove []string
		add    []spec.Host
		want   func(string) string
	}{
		"nothing":   {nil, nil, func(s string) string { return s }},
		"not there": {[]string{"x"}, nil, func(s string) string { return s }},
		"first, and by its member": {[]string{"a", "m3"}, nil, func(s string) string {
			s = strings.Replace(s, "  - {name: a, address: 10.0.0.1, role: database}\n", "", 1)
			return strings.Replace(s,
				"  - {name: c, address: 10.0.0.3, role: database, member: m3}\n", "", 1)
		}},
		"over several lines": {[]string{"b"}, nil, func(s string) string {
			before, after, _ := strings.Cut(s, "  - name: b")
			_, after, _ = strings.Cut(after, "true}\n")
			return before + after
		}},
		"in place of another": {[]string{"c"}, []spec.Host{added, {Name: "a"}},
			func(s string) string {
				return strings.Replace(s,
					"  - {name: c, address: 10.0.0.3, role: database, member: m3}\n",
					"  - {name: d, address: fd00::4, role: database, tags: {nosync: true}, "+
						"ssh: {port: 2222, host_key: 'SHA256:abc, def'}}\n", 1)
			}},
	} {
		for _, end := range []string{"\n", "\r\n"} {
			src := strings.ReplaceAll(text, "\n", end)
			got, err := spec.EditHosts([]byte(src), tt.remove, tt.add)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			want := strings.ReplaceAll(tt.want(text), "\n", end)
			if name == "in place of another" { // rack two's comment stands above b's end
				want = strings.ReplaceAll(want, "  # rack two"+end, "")
				got = []byte(strings.ReplaceAll(string(got), "  # rack two"+end, ""))
			}
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Errorf("%s: (-want +got):\n%s", name, diff)
			}
		}
	}
	for name, src := range map[string]string{
		"on one line": "hosts: [{name: a}]\n", "nothing": "version: 1\n", "no YAML": "{",
		"an anchor": "hosts:\n  - &x {name: a}\n  - *x\n",
	} {
		if got, err := spec.EditHosts([]byte(src), []string{"a"}, nil); !errors.Is(err,
			spec.ErrNotEditable) {
			t.Errorf("%s: %v, %q", name, err, got)
		}
	}
}
