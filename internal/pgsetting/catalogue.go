package pgsetting

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/internal/suggest"
)

// catalogueTable is what pg_settings of PostgreSQL 15.20 and 18.6 on Debian lists, a setting a
// line: name, first and last version it holds for, type, unit, context, least, most, values. For 16
// and 17 it allows what either does, and for 14 what 15 does: what is left open is for the server's
// own program.
//
//go:embed catalogue.tsv
var catalogueTable string

// Catalogue holds settings by their names in lower case.
type Catalogue map[string]Setting

// Of returns the settings that a major version of PostgreSQL, 14 to 18, has without any extension.
// They have no values. Another version has those of the nearest.
func Of(version int) Catalogue {
	version = min(max(version, 14), 18)
	c := Catalogue{}
	for line := range strings.Lines(catalogueTable) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		first, errFirst := strconv.Atoi(f[1])
		last, errLast := strconv.Atoi(f[2])
		if errFirst != nil || errLast != nil || version < first || version > last {
			continue
		}
		s := Setting{Name: f[0], Type: f[3], Unit: f[4], Context: f[5], Min: f[6], Max: f[7]}
		if f[8] != "" {
			s.Enum = strings.Split(f[8], ",")
		}
		c[strings.ToLower(s.Name)] = s
	}
	return c
}

// Judge says what is wrong with a setting for the whole cluster, and what to do, as far as can be
// told without asking a server; "" when nothing is. Settings of extensions have a dot in their
// names and are left alone unless the catalogue has them. others are further names that a misspelt
// one may have meant.
func (c Catalogue) Judge(name, text string, others ...string) (problem, remedy string) {
	return c.judge(name, others, func(name string, s Setting) (problem, remedy string) {
		if s.Context == "internal" {
			return "PostgreSQL decides it itself", "leave it out"
		}
		if problem, remedy := s.harm(name, text); problem != "" {
			return problem, remedy
		}
		return s.value(name, text)
	})
}

// JudgeOfRole is Judge for the sessions of one role.
func (c Catalogue) JudgeOfRole(name, text string) (problem, remedy string) {
	return c.judge(name, nil, func(name string, s Setting) (problem, remedy string) {
		switch {
		case !slices.Contains([]string{"user", "superuser", "backend", "superuser-backend"}, s.Context):
			return "is the whole server's, and no role has its own",
				"write it in postgresql.parameters"
		case slices.Contains(sessionOnly, name):
			return "PostgreSQL takes it in a session only", "delete it"
		}
		return s.value(name, text)
	})
}

// judge finds a setting for those who judge it, and refuses one that there is not.
func (c Catalogue) judge(name string, others []string,
	known func(name string, s Setting) (problem, remedy string)) (problem, remedy string) {
	name = strings.ToLower(name)
	s, found := c[name]
	switch {
	case found:
		return known(name, s)
	case strings.Contains(name, "."):
		return "", ""
	}
	return "PostgreSQL has no such setting", c.Nearest(name, others)
}

// value says what is wrong with a value of a setting that may be set.
func (s Setting) value(name, text string) (problem, remedy string) {
	if err := s.Check(text); err != nil {
		return err.Error(), s.meant(text)
	}
	if odd := oddDestination(name, text); odd != "" {
		return fmt.Sprintf("%q is none of its values", odd),
			"give one or more of " + strings.Join(destinations, ", ")
	}
	if s.Type == "enum" && s.Refuses(text) {
		return fmt.Sprintf("%q is none of its values", text),
			"give one of " + strings.Join(s.Enum, ", ")
	}
	return "", ""
}

// destinations are the values of log_destination, which is a list; jsonlog is of 15 and later.
var destinations = []string{"stderr", "csvlog", "jsonlog", "syslog"}

// oddDestination is the first word of log_destination that is none; "" for any other setting.
func oddDestination(name, text string) string {
	if name != "log_destination" {
		return ""
	}
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.Trim(word, ` "`); word != "" &&
			!slices.Contains(destinations, strings.ToLower(word)) {
			return word
		}
	}
	return ""
}

// meant is the remedy for a value with a misspelt unit, or any other.
func (s Setting) meant(text string) string {
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	names, _ := Family(s.Unit)
	for _, name := range names {
		if s.Unit != "" && digits != "" && strings.EqualFold(name, text[len(digits):]) &&
			name != text[len(digits):] {
			return "write " + digits + name
		}
	}
	return "give a value that PostgreSQL takes"
}

// Nearest is the remedy for a name that nobody knows.
func (c Catalogue) Nearest(name string, others []string) string {
	known := slices.Clone(others)
	for _, s := range c {
		known = append(known, s.Name)
	}
	slices.Sort(known)
	if near := suggest.Nearest(name, known); near != "" {
		return "did you mean " + near + "?"
	}
	return "SELECT name FROM pg_settings lists PostgreSQL's"
}
