package spec_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/pgha/spec"
)

// compileSchema returns a validator, which has checked the schema itself against draft 2020-12.
func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(spec.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// document reads YAML as an editor does; nil where it is no YAML at all, or more than one document.
func document(text string) any {
	d := yaml.NewDecoder(strings.NewReader(text))
	var n yaml.Node
	if d.Decode(&n) != nil || d.Decode(new(yaml.Node)) == nil {
		return nil
	}
	return plain(n.Content[0])
}

func plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = plain(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			list = append(list, plain(item))
		}
		return list
	case yaml.AliasNode:
		return plain(n.Alias)
	}
	var v any
	if n.ShortTag() == "!!timestamp" || n.Decode(&v) != nil {
		return n.Value
	}
	return v
}

// labSpecs are what a lab writes for its hosts.
var labSpecs = map[string]string{
	"lab": `# The cluster of lab demo, which wrote this file.
version: 1
cluster: postgresql-cluster
state_dir: "/var/cache/pgha-lab/labs/demo/state"
ssh:
  user: root
  identity_files: ["key"]
  known_hosts: "/var/cache/pgha-lab/labs/demo/known_hosts"
  host_keys: strict
hosts:
  - {name: haproxy-01, address: 192.168.0.200, role: balancer}
  - {name: haproxy-02, address: 192.168.0.201, role: balancer}
  - {name: postgres-01, address: 192.168.0.203, role: database, member: postgresql-01}
postgresql: {version: 18, source: distribution}
etcd: {version: 3.6.10, source: archive, archive: "etcd.tar.gz", sha256: 1a2b3c4d5e6f7a8b9c0d1a2b3c4d5e6f7a8b9c0d1a2b3c4d5e6f7a8b9c0d1a2b}
vip: {address: 192.168.0.210}
`,
	"lab with etcd's package": minimal +
		"postgresql: {version: 17, source: distribution}\netcd: {source: distribution}\n",
	"empty sections": minimal + "ssh:\npatroni:\nsecrets:\n",
	"numbers as text": "version: 1\ncluster: 12\nhosts: [{name: db1, address: 'fd00::1', role: " +
		"database, member: m1}]\npatroni: {ttl: '40', loop_wait: 9.0}\n",
	"zeros": minimal + "patroni: {primary_start_timeout: 0, maximum_lag_on_failover: 0}\n",
}

// TestSchemaAcceptsWhatParseAccepts also takes every spec in its complete form.
func TestSchemaAcceptsWhatParseAccepts(t *testing.T) {
	t.Parallel()
	s, dir := compileSchema(t), folder(t)
	texts := map[string]string{"example": string(spec.Example()), "minimal": minimal,
		"everything": everything}
	for name, text := range labSpecs {
		texts[name] = text
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			complete, err := parse(t, filepath.Join(dir, "pgha.yaml"), text).Marshal()
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{text, string(complete)} {
				if err := s.Validate(document(text)); err != nil {
					t.Errorf("%v\n%s", err, text)
				}
			}
		})
	}
}

func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	s := compileSchema(t)
	for _, tt := range []struct{ name, text, want string }{
		{"unknown field", minimal + "clustre: x\n", "additional properties 'clustre' not allowed"},
		{
			"unknown field of a host",
			"version: 1\nhosts: [{name: a, address: 10.0.0.1, role: database, colour: red}]\n",
			"at '/hosts/0': additional properties 'colour' not allowed",
		},
		{"no version", "hosts: [{name: a, address: 10.0.0.1, role: database}]\n",
			"missing property 'version'"},
		{"another version", strings.Replace(minimal, "version: 1", "version: 2", 1),
			"at '/version'"},
		{"no hosts", "version: 1\nhosts: []\n", "at '/hosts': minItems"},
		{
			"host without a name", "version: 1\nhosts: [{address: 10.0.0.1, role: etcd}]\n",
			"at '/hosts/0': missing property 'name'",
		},
		{
			"unknown role of several",
			"version: 1\nhosts: [{name: a, address: 10.0.0.1, roles: [database, etdc]}]\n",
			"at '/hosts/0/roles/1': value must be one of 'database', 'etcd', 'balancer'",
		},
		{
			"unknown role", "version: 1\nhosts: [{name: a, address: 10.0.0.1, role: databse}]\n",
			"at '/hosts/0/role': value must be one of 'database', 'etcd', 'balancer'",
		},
		{
			"no address", "version: 1\nhosts: [{name: a, address: 10.0.0.300, role: database}]\n",
			"at '/hosts/0/address': '10.0.0.300' does not match pattern",
		},
		{"virtual IP without an address", minimal + "vip: {router_id: 7}\n",
			"at '/vip': missing property 'address'"},
		{"number too large", minimal + "vip: {address: 10.0.0.9, router_id: 256}\n",
			"at '/vip/router_id': maximum"},
		{"port too large", minimal + "postgresql: {port: 65536}\n",
			"at '/postgresql/port': maximum"},
		{"old PostgreSQL", minimal + "postgresql: {version: 13}\n",
			"at '/postgresql/version': minimum"},
		{
			"source of the other program", minimal + "postgresql: {source: release}\n",
			"at '/postgresql/source': value must be one of 'pgdg', 'distribution', 'mirror'",
		},
		{
			"time without a unit", minimal + "etcd: {heartbeat_interval: 100}\n",
			"at '/etcd/heartbeat_interval': got number, want string",
		},
		{"no time", minimal + "patroni: {ttl: 1d}\n",
			"at '/patroni/ttl': '1d' does not match pattern"},
		{"no boolean", minimal + "patroni: {use_slots: maybe}\n",
			"at '/patroni/use_slots': got string, want boolean"},
		{
			"parameter that is a list", minimal + "postgresql: {parameters: {work_mem: [1]}}\n",
			"at '/postgresql/parameters/work_mem': got array",
		},
		{
			"rule that is none", minimal + "postgresql: {pg_hba: ['hostsl all all all md5']}\n",
			"at '/postgresql/pg_hba/0'",
		},
		{
			"command that is text", minimal + "secrets: {rewind_password_command: pass show x}\n",
			"at '/secrets/rewind_password_command': got string, want array",
		},
	} {
		err := s.Validate(document(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v\nwant %s", tt.name, err, tt.want)
		}
		if _, err := spec.Parse("pgha.yaml", []byte(tt.text)); err == nil {
			t.Errorf("%s: Parse accepts it", tt.name)
		}
	}
}
