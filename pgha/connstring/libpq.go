package connstring

import (
	"strings"
	"unicode"

	"github.com/pgha/toolkit/internal/shell"
)

// words are what libpq is told, without its limits.
func (w target) words() [][2]string {
	words := [][2]string{{"host", strings.Join(w.hosts, ",")},
		{"port", strings.Join(w.ports(), ",")}, {"user", w.user}, {"dbname", w.database},
		{"sslmode", "verify-full"}, {"sslrootcert", w.ca}}
	if w.passFile != "" {
		words = append(words, [2]string{"passfile", w.passFile})
	}
	return words
}

// libpqWords are the same with limits and the session that is wanted.
func (w target) libpqWords() [][2]string {
	words := append(w.words(), libpqLimits()...)
	if a := w.attributes(); a != "" {
		words = append(words, [2]string{"target_session_attrs", a})
	}
	return words
}

// keywords is libpq's keyword form.
func keywords(w target) string { return joinKeywords(w.libpqWords()) }

// libpqGo is the keyword form with what lib/pq knows.
func libpqGo(w target) string {
	words := append(w.words(), libpqLimits()[0])
	if a := w.attributes(); a != "" {
		words = append(words, [2]string{"target_session_attrs", a})
	}
	return joinKeywords(words)
}

func joinKeywords(words [][2]string) string {
	var b strings.Builder
	for i, kv := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(kv[0] + "=" + quoteKeyword(kv[1]))
	}
	return b.String()
}

// quoteKeyword quotes a libpq keyword's value where it needs it.
func quoteKeyword(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n\v\f\r'\\") {
		return s
	}
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// service is a section of a service file, which has no quotes: see unfitForService.
func service(w target) string {
	lines := []string{"[" + w.service + "]"}
	for _, kv := range w.libpqWords() {
		lines = append(lines, kv[0]+"="+kv[1])
	}
	return strings.Join(lines, "\n")
}

// unfitForService says why a value cannot stand in a service file: it ends at the line's end, and
// libpq takes blanks from there.
func unfitForService(w target) string {
	for _, kv := range w.libpqWords() {
		if strings.ContainsAny(kv[1], "\r\n") || strings.TrimRightFunc(kv[1],
			unicode.IsSpace) != kv[1] {
			return "a service file cannot hold a " + kv[0] + " that has a line break or ends with " +
				"a blank"
		}
	}
	return ""
}

func serviceCode(w target, _ string) string { return "psql service=" + w.service }

func serviceEnvironment(w target) map[string]string {
	if w.serviceFile == "" {
		return nil
	}
	return map[string]string{"PGSERVICEFILE": w.serviceFile}
}

func passfileEnvironment(w target) map[string]string {
	if w.passFile == "" {
		return nil
	}
	return map[string]string{"PGPASSFILE": w.passFile}
}

// shellCode is a command line with the string as its last word.
func shellCode(before string) func(target, string) string {
	return func(_ target, text string) string {
		word, err := shell.Quote(text)
		if err != nil {
			return "" // no argument of a program holds a NUL, and no name of PostgreSQL's does
		}
		return before + word
	}
}
