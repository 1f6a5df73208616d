package spec_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/pgha/spec"
)

// proposals are the ways in which a remedy names a value, most telling first; the first that
// matches counts. Each group is a value to write, where "delete" stands for the line's end.
var proposals = []*regexp.Regexp{
	regexp.MustCompile(`^write "([^"]*)" in quotes if it is text, or (delete) the line$`),
	regexp.MustCompile(`^write (\S+), or "([^"]*)" in quotes if it is text$`),
	regexp.MustCompile(
		`^write (\S+), or (\S+) if octal was meant(?:, or "([^"]*)" in quotes if it is text)?$`),
	regexp.MustCompile(`^write (?:a number|a duration|a major version) from (\S+) to ([^\s,]+)`),
	regexp.MustCompile(`^write one of (.+)$`),
	regexp.MustCompile(`^write (\S+) for \S+(?: or (\S+) for \S+)?$`),
	regexp.MustCompile(`^write (\S+) or more$`),
	regexp.MustCompile(`^write (\S+) (?:without quotes|or less)$`),
	regexp.MustCompile(`^write (?:\w+: )(\S+)$`),
	regexp.MustCompile(`^write (true) or (false)$`),
	regexp.MustCompile(`^did you mean (\S+)\?$`),
	regexp.MustCompile(`^write (\S+), (?:a multiple|without a unit)`),
	regexp.MustCompile(`such as ((?:[^\s;,]+(?:, | or ))*[^\s;,]+)`),
	regexp.MustCompile(`^write (\S+)$`),
	regexp.MustCompile(`^(delete) it`),
}

// proposed returns the values that a remedy names.
func proposed(remedy string) []string {
	for _, p := range proposals {
		m := p.FindStringSubmatch(remedy)
		if m == nil {
			continue
		}
		var values []string
		for _, v := range m[1:] {
			if v != "" {
				values = append(values, strings.Split(strings.ReplaceAll(v, " or ", ", "), ", ")...)
			}
		}
		return values
	}
	return nil
}

// TestHintsAreAccepted applies every value that a remedy names to the specification it belongs to:
// with one of them at least nothing is wrong with the field any more.
func TestHintsAreAccepted(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/wrong.txtar")
	if err != nil {
		t.Fatal(err)
	}
	parts, dir, tried := split(string(text)), folder(t), 0
	for i := 1; i+3 < len(parts); i += 4 {
		_, err := spec.Parse(filepath.Join(dir, "pgha.yaml"), []byte(parts[i+1]))
		var all *spec.Errors
		if !errors.As(err, &all) {
			t.Fatalf("%s: %v", parts[i], err)
		}
		for _, e := range all.List {
			refusals, accepted := []string{}, false
			for _, value := range proposed(e.Remedy.String()) {
				if again, ok := corrected(t, dir, parts[i+1], e, value); ok {
					tried++
					accepted = accepted || again == ""
					refusals = append(refusals, value+" says of it: "+again)
				}
			}
			if len(refusals) > 0 && !accepted {
				t.Errorf("%s: %s: %s\n%s", parts[i], e.Field, e.Remedy,
					strings.Join(refusals, "\n"))
			}
		}
	}
	if tried < 150 {
		t.Errorf("only %d values were tried", tried)
	}
}

// corrected is what is still wrong with the field once it has the value, and false where the field
// isn't in the text.
func corrected(t *testing.T, dir, text string, e spec.Error, value string) (string, bool) {
	t.Helper()
	var doc yaml.Node
	if yaml.Unmarshal([]byte(text), &doc) != nil || len(doc.Content) == 0 {
		return "", false
	}
	if !setField(doc.Content[0], e, value) {
		return "", false
	}
	edited, err := yaml.Marshal(&doc)
	if err != nil {
		t.Fatal(err)
	}
	_, err = spec.Parse(filepath.Join(dir, "pgha.yaml"), edited)
	var all *spec.Errors
	if !errors.As(err, &all) {
		return "", true
	}
	for _, left := range all.List {
		if left.Field == e.Field {
			return left.Problem + "; " + left.Remedy.String(), true
		}
	}
	return "", true
}

var fieldStep = regexp.MustCompile(`\[(\d+)\]|([^.\[\]]+)`)

// setField changes the node of an error's field: a name that is unknown is renamed, everything else
// gets the value.
func setField(n *yaml.Node, e spec.Error, value string) bool {
	steps := fieldStep.FindAllStringSubmatch(e.Field, -1)
	for at, step := range steps {
		last := at == len(steps)-1
		if step[1] != "" {
			i, err := strconv.Atoi(step[1])
			if err != nil || n.Kind != yaml.SequenceNode || i >= len(n.Content) {
				return false
			}
			n = n.Content[i]
			continue
		}
		found := -1
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step[2] {
				found = i
			}
		}
		switch {
		case found < 0:
			return false
		case last && (e.Problem == "unknown field" ||
			strings.Contains(e.Problem, "not a tag of Patroni") ||
			e.Problem == "cannot name a parameter" || strings.Contains(e.Problem, "no such")):
			n.Content[found].Value = value
			return true
		case last && value == "delete":
			n.Content = append(n.Content[:found], n.Content[found+2:]...)
			return true
		}
		n = n.Content[found+1]
	}
	if n.Kind != yaml.ScalarNode {
		return false
	}
	if strings.Contains(e.Field, "pg_hba") { // a word of the rule is wrong
		word := strings.Trim(strings.Fields(e.Problem)[0], `"`)
		value = strings.Replace(n.Value, word, value, 1)
	}
	style := yaml.Style(0)
	if strings.Contains(e.Remedy.String(), strconv.Quote(value)+" in quotes") {
		style = yaml.DoubleQuotedStyle
	}
	*n = yaml.Node{Kind: yaml.ScalarNode, Value: value, Style: style}
	return true
}

// TestReadAsWritten are scalars that stay what they look like.
func TestReadAsWritten(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, path, want string }{
		{minimal + "postgresql: {parameters: {jit: no, wal_compression: on, random_page_cost: " +
			"1.10, cpu_tuple_cost: 1e-2, log_rotation_age: 1d}}\n",
			"postgresql.parameters",
			`cpu_tuple_cost=1e-2 jit=no log_rotation_age=1d max_connections=100 random_page_cost=1.10 shared_buffers=256MB wal_compression=on`},
		{minimal + "postgresql: {parameters: {a.b.c: 2024-01-01, d.e: 12:30, f.g: '010', j.k: " +
			"-3}}\n",
			"postgresql.parameters",
			`a.b.c=2024-01-01 d.e=12:30 f.g=010 j.k=-3 max_connections=100 shared_buffers=256MB`},
	} {
		p := parse(t, "x", tt.text).PostgreSQL.Parameters
		var got []string
		for name, value := range p {
			got = append(got, name+"="+strings.TrimSpace(toText(value)))
		}
		if text := sortedText(got); text != tt.want {
			t.Errorf("%s\ngot  %s\nwant %s", tt.text, text, tt.want)
		}
	}
	s := parse(t, "/srv/pgha.yaml", `version: 1
cluster: 1e3
state_dir: 010
hosts:
  - {name: yes, address: 10.0.0.1, role: database, member: "null", tags: {replicatefrom: 1e3, room: 2024-01-01}}
  - {name: 1e3, address: 10.0.0.2, role: database}
  - {name: 0x1e, address: 10.0.0.3, role: database, dns_names: [on, true.example]}
  - {name: lb, address: 10.0.0.4, role: balancer}
  - {name: "no", address: 10.0.0.5, role: balancer}
ssh: {jump: "admin@[2001:db8::1]:2222"}
postgresql: {data_dir: /pgdata}
etcd: {version: 3.6.10, data_dir: /etcd}
`)
	got := []string{
		s.Cluster, s.StateDir, s.Hosts[0].Name, s.Hosts[0].Member,
		toText(s.Hosts[0].Tags["replicatefrom"]),
		toText(s.Hosts[0].Tags["room"]), s.Hosts[1].Name, s.Hosts[2].Name, s.Hosts[2].DNSNames[0],
		s.Hosts[4].Name,
	}
	if text := strings.Join(got,
		" "); text != "1e3 /srv/010 yes null 1e3 2024-01-01 1e3 0x1e on no" {
		t.Error(text)
	}
}

func TestParseJump(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]spec.JumpHost{
		"bastion":                  {Address: "bastion", Port: 22},
		"admin@bastion:2222":       {User: "admin", Address: "bastion", Port: 2222},
		"admin@[2001:db8::1]:2222": {User: "admin", Address: "2001:db8::1", Port: 2222},
		"[2001:db8::1]":            {Address: "2001:db8::1", Port: 22},
		"2001:db8::1":              {Address: "2001:db8::1", Port: 22},
		"me@corp@bastion.example.com:22": {User: "me@corp", Address: "bastion.example.com",
			Port: 22},
	} {
		if got, err := spec.ParseJump(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "@", "me@", "-o@x", "a b", "host:0", "host:65536", "host:022", "host:0x16",
		"[::1", "a,b",
		"ssh://x", "host:", "10.0.0.300",
	} {
		if got, err := spec.ParseJump(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func toText(v any) string { return fmt.Sprint(v) }

func sortedText(words []string) string {
	slices.Sort(words)
	return strings.Join(words, " ")
}

func TestStateDirOfOthers(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	for dir, want := range map[string]string{
		"~": "/home/me is a home directory; write a directory of its own, such as " +
			"/home/me/main.state",
		".": "/srv/it is the folder", "~/": "is a home", "/": "such as /main.state",
		"/srv/it/": "is the folder", "../../etc": "/etc belongs to the system",
		"/var/lib": "belongs to the system",
	} {
		_, err := spec.Parse("/srv/it/pgha.yaml", []byte(minimal+"cluster: main\nstate_dir: "+
			strconv.Quote(dir)+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	for _, dir := range []string{"main.state", "~/state", "/main.state", "/etc/pgha"} {
		parse(t, "/srv/it/pgha.yaml", minimal+"state_dir: "+strconv.Quote(dir)+"\n")
	}
}
