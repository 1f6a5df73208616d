package hba

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzFields compares Fields with the way PostgreSQL goes through a line, one character after the
// other.
func FuzzFields(f *testing.F) {
	for _, rule := range []string{
		"hostssl all all 10.0.0.0/8 scram-sha-256",
		`hostssl "a b c scram-sha-256 d" all 0.0.0.0/0 "trust"`,
		`local all all peer \`,
		`host"ssl" all, a 0.0.0.0/0 tr"us"t`, `local a,,b ,c "" peer`, `x=" ,#"`, `"a""b"`,
		"a\fb\vc\u00a0d", `a "`, `"",a b`, `a="",b="c"`,
	} {
		f.Add(rule)
	}
	f.Fuzz(func(t *testing.T, rule string) {
		got, ok := Fields(rule)
		if !ok {
			return
		}
		want, whole := asPostgreSQL(rule)
		if !whole {
			t.Fatalf("%q is not a line by itself", rule)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-PostgreSQL +Fields):\n%s", rule, diff)
		}
	})
}

// asPostgreSQL follows the rules of PostgreSQL's hba.c: blanks and commas before a word are
// skipped; a word ends at a blank or a comma outside of quotes, and "#" there ends the line; two
// quotes in a row within quotes stand for one; a word that ended with a comma has the next one in
// its field.
func asPostgreSQL(line string) (fields []string, whole bool) {
	if strings.ContainsAny(line, "\n\x00") || strings.HasSuffix(strings.TrimRight(line,
		"\r"), `\`) {
		return nil, false
	}
	blank := func(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }
	rest, joined := line, false
	for {
		rest = strings.TrimLeft(rest, " \t\r,")
		var word []byte
		inQuotes, wasQuote, sawQuote, comma := false, false, false, false
		i := 0
		for ; i < len(rest) && (inQuotes || !blank(rest[i])); i++ {
			c := rest[i]
			if c == '#' && !inQuotes {
				i = len(rest)
				break
			}
			if c == ',' && !inQuotes {
				comma = true
				i++
				break
			}
			if c != '"' || wasQuote {
				word = append(word, c)
			}
			wasQuote = inQuotes && c == '"' && !wasQuote
			if c == '"' {
				inQuotes, sawQuote = !inQuotes, true
			}
		}
		rest = rest[i:]
		if inQuotes {
			return nil, false
		}
		if len(word) == 0 && !sawQuote {
			return fields, true
		}
		if joined {
			fields[len(fields)-1] += "," + string(word)
		} else {
			fields = append(fields, string(word))
		}
		joined = comma
	}
}
