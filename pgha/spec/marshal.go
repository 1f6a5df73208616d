package spec

import (
	"bytes"
	_ "embed"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/internal/layouts"
	"github.com/pgha/toolkit/pgha/errs"
)

// Marshal writes the spec as YAML with every default spelled out, always in the same order. Parse
// of the result gives an equal spec. Parameters and Extra are written as they are: use Redacted for
// what others may see.
func (s *Spec) Marshal() ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(s); err != nil {
		return nil, fmt.Errorf("write spec: %w", err)
	}
	if err := e.Close(); err != nil {
		return nil, fmt.Errorf("write spec: %w", err)
	}
	return b.Bytes(), nil
}

// Redacted returns a copy that may be shown: passwords that stand in Parameters, Extra, PgHBA or in
// a command are blotted out.
func (s *Spec) Redacted() *Spec {
	r := *s
	r.Hosts = slices.Clone(s.Hosts)
	r.PostgreSQL.Parameters = redactMap(s.PostgreSQL.Parameters)
	r.Patroni.Extra = redactMap(s.Patroni.Extra)
	r.PostgreSQL.PgHBA = slices.Clone(s.PostgreSQL.PgHBA)
	for i, rule := range r.PostgreSQL.PgHBA {
		r.PostgreSQL.PgHBA[i] = redactText(rule)
	}
	r.PGRoles = slices.Clone(s.PGRoles)
	for i := range r.PGRoles {
		r.PGRoles[i].Settings = redactMap(s.PGRoles[i].Settings)
		r.PGRoles[i].PasswordCommand = redactWords(s.PGRoles[i].PasswordCommand)
	}
	if s.Backup != nil {
		b := *s.Backup
		b.Repository = slices.Clone(b.Repository)
		if from := b.BootstrapFrom; from != nil {
			copied := *from
			if from.Repository != nil {
				repository := *from.Repository
				copied.Repository = &repository
			}
			b.BootstrapFrom = &copied
		}
		for _, repository := range b.repositories() {
			repository.KeyCommand = redactWords(repository.KeyCommand)
		}
		r.Backup = &b
	}
	for _, command := range []*[]string{&r.Secrets.SuperuserPasswordCommand,
		&r.Secrets.ReplicationPasswordCommand, &r.Secrets.RewindPasswordCommand,
		&r.Secrets.Age.IdentityCommand, &r.SSH.PassphraseCommand, &r.SSH.SudoPasswordCommand} {
		*command = redactWords(*command)
	}
	return &r
}

func redactWords(command []string) []string {
	command = slices.Clone(command)
	for i, word := range command {
		command[i] = redactText(word)
	}
	return command
}

// String names the cluster and counts its hosts.
func (s Spec) String() string {
	text := fmt.Sprintf("cluster %s: %d database hosts, %d balancers", s.Cluster,
		len(s.Databases()),
		len(s.Balancers()))
	if s.namesEtcd() {
		text += fmt.Sprintf(", etcd on %d hosts", len(s.EtcdHosts()))
	}
	if s.VIP != nil {
		text += ", virtual IP " + s.VIP.Address
	}
	return text
}

// GoString is String, so that no way of printing a spec shows what is in its parameters.
func (s Spec) GoString() string { return s.String() }

const redacted = "[redacted]"

var (
	secretName = regexp.MustCompile(`(?i)passw(?:or)?d|passphrase|secret|token|credential`)
	secretText = regexp.MustCompile(
		`(?i)((?:passw(?:or)?d|passphrase|secrets?|token)\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;]+)`)
	secretURL = regexp.MustCompile(`(://[^/\s:@]*:)[^/\s@]*@`)
)

func redactText(s string) string {
	return secretURL.ReplaceAllString(secretText.ReplaceAllString(s, "${1}"+redacted),
		"${1}"+redacted+"@")
}

func redactMap(m map[string]any) map[string]any {
	m = maps.Clone(m)
	for name, value := range m {
		if _, nested := value.(map[string]any); secretName.MatchString(name) && !nested &&
			!strings.EqualFold(name, "password_encryption") {
			m[name] = redacted
		} else {
			m[name] = redact(value)
		}
	}
	return m
}

func redact(value any) any {
	switch v := value.(type) {
	case string:
		return redactText(v)
	case map[string]any:
		return redactMap(v)
	case []any:
		v = slices.Clone(v)
		for i := range v {
			v[i] = redact(v[i])
		}
		return v
	}
	return value
}

//go:generate go test -run=^TestSchemaIsUpToDate$ -update .
//go:embed schema.json
var schema []byte

// Schema returns the JSON Schema (draft 2020-12) of a spec, for editors: names, descriptions,
// defaults, words to choose from and the form of addresses and durations. It refuses nothing that
// Parse accepts. Parse says more: the schema cannot compare two fields, and looks at no file.
func Schema() []byte { return slices.Clone(schema) }

//go:embed example.yaml
var example []byte

// Example returns a commented spec of six hosts to start from. Parse accepts it as it is; its
// values are the defaults except for the hosts, the time zone and the virtual IP.
func Example() []byte { return slices.Clone(example) }

// Layouts returns the names of the layouts that ExampleOf knows. The first is that of Example.
func Layouts() []string { return layouts.Names() }

// ExampleOf is Example for the hosts of a layout, such as "witness" for two databases and a host of
// etcd alone. The error of another name says which there are.
func ExampleOf(layout string) ([]byte, error) {
	l, err := layouts.Named(layout)
	if err != nil {
		return nil, errs.WithKind(err, errs.Invalid)
	}
	text, err := l.Example(string(example))
	return []byte(text), err
}
