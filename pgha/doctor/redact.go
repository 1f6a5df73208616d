package doctor

import (
	"maps"
	"regexp"
	"slices"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// secrets are what Redact blots out; the first group of each stays.
func secrets() []*regexp.Regexp {
	return []*regexp.Regexp{
		// private keys
		regexp.MustCompile(`(?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?-----END [A-Z ]*PRIVATE KEY-----`),
		// name: value, name = value, "name": "value", NAME=value, password 'value'
		regexp.MustCompile(`(?i)((?:password|passwd|passphrase|secret|token|auth_pass|api_?key|credentials?)["']?\s*(?:[:=]\s*|\s+(?:=\s*)?)(?:E)?)("(?:[^"\\\n]|\\.)*"|'(?:[^'\n]|'')*'|\$\$.*?\$\$|[^\s,;"'(){}]+)`),
		// URLs with a password
		regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^\s:/@]*:)([^\s@]+)@`),
		// lines of a password file: host:port:database:user:password
		regexp.MustCompile(`(?m)^((?:[^:\s]+:){2}[^:\s]+:[^:\s]+:)(\S+)$`),
		// verifiers and hashes
		regexp.MustCompile(`()(SCRAM-SHA-256\$[^\s'"]+|\bmd5[0-9a-f]{32}\b)`),
		// query texts, which may hold anything
		regexp.MustCompile(`(STATEMENT:\s+|QUERY:\s+|LOG:\s+statement:\s+|LOG:\s+execute [^:\n]*:\s+|DETAIL:\s+[Pp]arameters:\s+)([^\n]*)`),
	}
}

// Redact blots out what looks like a secret: values of settings that are named like one, private keys, passwords in URLs and
// password files, verifiers, and the texts of queries that PostgreSQL logs. It is generous: what is harmless and looks like
// a secret is lost, too. Pure computation.
func Redact(text []byte) []byte {
	for _, re := range secrets() {
		text = re.ReplaceAll(text, []byte("${1}[redacted]"))
	}
	return text
}
