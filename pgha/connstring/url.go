package connstring

import (
	"strconv"
	"strings"
)

// libpqURI is libpq's URI.
func libpqURI(w target) string { return w.url("postgresql", w.libpqWords()[4:]) }

// pgxURL has what pgx knows: it would hand any other word to the server as a setting.
func pgxURL(w target) string { return w.url("postgresql", w.driverWords(libpqLimits()[0])) }

// asyncpgURL has what asyncpg knows; its limits are arguments. It decodes the path, and an empty
// one is a database of that name to it, whatever the words say.
func asyncpgURL(w target) string {
	return w.join("postgresql", escape(w.database, ""), w.driverWords())
}

// sqlalchemy is SQLAlchemy's URL, which hands all words to psycopg 2. It takes several hosts as
// words only.
func sqlalchemy(w target) string {
	words := w.libpqWords()[4:]
	if len(w.hosts) > 1 {
		words = append(w.libpqWords()[:2], words...)
		w.hosts = nil
	}
	return w.url("postgresql+psycopg2", words)
}

// driverWords are what drivers know that are not built on libpq.
func (w target) driverWords(more ...[2]string) [][2]string {
	words := append(w.words()[4:], more...)
	if a := w.attributes(); a != "" {
		words = append(words, [2]string{"target_session_attrs", a})
	}
	return words
}

// url joins them. A database whose name is not a plain word stands among the words: SQLAlchemy
// decodes no path, and pgx takes slashes from its beginning.
func (w target) url(scheme string, words [][2]string) string {
	if escape(w.database, "") == w.database {
		return w.join(scheme, w.database, words)
	}
	return w.join(scheme, "", append([][2]string{{"dbname", w.database}}, words...))
}

// join is a URL with a path that is escaped, and words that are not.
func (w target) join(scheme, path string, words [][2]string) string {
	var b strings.Builder
	b.WriteString(scheme + "://" + escape(w.user, "") + "@")
	if len(w.hosts) > 0 {
		b.WriteString(w.where())
	}
	b.WriteString("/" + path)
	for i, kv := range words {
		b.WriteByte("?&"[min(i, 1)])
		b.WriteString(kv[0] + "=" + escape(kv[1], "/,"))
	}
	return b.String()
}

// escape writes every byte as %XX that is neither a letter, a digit, one of -._~, nor in keep.
// libpq and others know no other escape: a plus is a plus to them, and a blank to Java and Python.
func escape(s, keep string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			strings.IndexByte("-._~"+keep, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteString(strings.ToUpper(strconv.FormatUint(uint64(c)+0x100, 16)[1:]))
		}
	}
	return b.String()
}
