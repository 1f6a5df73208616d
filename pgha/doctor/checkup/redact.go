package checkup

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// named are words that names of secrets have in them.
const named = `(?:password|passwd|passphrase|secret|token|auth_pass|api_?key|credential)s?`

// value is what stands behind such a name: quoted in some way, or a word.
const value = `(?:"(?:[^"\\\n]|\\.)*"|\\"[^"\\\n]*\\"|'(?:[^'\n]|'')*'|\$\$.*?\$\$|[^\s,;"'(){}]+)`

// secrets are what Redact blots out; the first group of each stays.
var secrets = []*regexp.Regexp{
	// private keys
	regexp.MustCompile(
		`(?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?-----END [A-Z ]*PRIVATE KEY-----`),
	// a line of its own: to its end, for a value may have spaces
	regexp.MustCompile(`(?im)^(\s*(?:-\s+)?["']?[\w.-]*` + named + `["']?\s*[:=]\s+)[^\s].*$`),
	// name: value, name=value, "name": "value"
	regexp.MustCompile(`(?i)(` + named + `\\?["']?\s*[:=]\s*)` + value),
	// SQL, and keepalived
	regexp.MustCompile(`(?i)(\bpassword\s+E?)(?:'(?:[^'\n]|'')*'|\$\$.*?\$\$)`),
	regexp.MustCompile(`(?i)(\bauth_pass\s+)\S+`),
	// URLs with a password
	regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^\s:/@,]*:)[^\s@,]+@`),
	// lines of a password file: host:port:database:user:password
	regexp.MustCompile(`(?m)^([^:\s/"]+:(?:\d+|\*):[^:\s]+:[^:\s]+:)\S+$`),
	// verifiers and hashes
	regexp.MustCompile(`()(?:SCRAM-SHA-256\$[^\s'"]+|\bmd5[0-9a-f]{32}\b)`),
	// query texts, which may hold anything
	regexp.MustCompile(
		`((?:STATEMENT|QUERY|LOG:\s+statement|LOG:\s+execute [^:\n]*|DETAIL:\s+[Pp]arameters):\s+)[^\n]*`),
}

// Redact blots out what looks like a secret: values of settings that are named like one, private
// keys, passwords in URLs and password files, verifiers, and the texts of queries that PostgreSQL
// logs. It is generous: what is harmless and looks like a secret is lost, too. Pure computation.
func Redact(text []byte) []byte {
	for _, re := range secrets {
		text = re.ReplaceAll(text, []byte("${1}[redacted]"))
	}
	return text
}

// redactedJSON writes a value with every text in it redacted: what a journal's line quotes is
// quoted twice in JSON.
func redactedJSON(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var tree any
	in := json.NewDecoder(bytes.NewReader(text))
	in.UseNumber()
	if err := in.Decode(&tree); err != nil {
		return nil, err
	}
	return json.MarshalIndent(redactTree(tree), "", "  ")
}

func redactTree(v any) any {
	switch v := v.(type) {
	case string:
		return string(Redact([]byte(v)))
	case []any:
		for i := range v {
			v[i] = redactTree(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = redactTree(v[k])
		}
	}
	return v
}
