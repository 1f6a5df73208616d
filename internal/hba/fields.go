// Package hba takes lines of pg_hba.conf apart as PostgreSQL does, so that what a rule is checked
// for is what it will do.
package hba

import (
	"regexp"
	"strings"
)

const (
	word  = `(?:[^\s",#]*"[^"]*"|[^\s",#]+)`
	field = word + `(?:,` + word + `)*`
)

var (
	rulePattern  = regexp.MustCompile(`^[ \t]*` + field + `(?:[ \t]+` + field + `)*[ \t]*$`)
	fieldPattern = regexp.MustCompile(field)
)

// Fields returns the fields of one rule without their quotes: to PostgreSQL "trust" in quotes is
// trust. A field holds blanks only within quotes, and names separated by commas without blanks.
//
// ok is false for what is not a rule by itself: an empty line, a comment, a quote that is not
// closed, a backslash at the end, which joins the next line; and for what PostgreSQL reads in other
// ways than people do, such as a quote that ends within a word, two quotes in a row, or a blank
// after a comma.
func Fields(rule string) (fields []string, ok bool) {
	if !rulePattern.MatchString(rule) || strings.ContainsAny(rule, "\r\n\x00") ||
		strings.HasSuffix(rule, `\`) {
		return nil, false
	}
	for _, f := range fieldPattern.FindAllString(rule, -1) {
		fields = append(fields, strings.ReplaceAll(f, `"`, ""))
	}
	return fields, true
}
