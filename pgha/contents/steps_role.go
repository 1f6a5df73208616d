package contents

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/pgsession"
	"github.com/pgha/toolkit/internal/pgsetting"
	"github.com/pgha/toolkit/pgha/spec"
)

// roleSteps make or mend a role: one step for what it is, and one for its password where nothing
// else is to be done.
func roleSteps(sp *spec.Spec, s Server, r spec.PGRole) []Step {
	have, there := s.Roles[r.Name]
	if !there {
		have = Role{ConnectionLimit: -1}
	}
	var c change
	options := attributes(&c, have, r, there)
	for _, group := range r.MemberOf {
		if !slices.Contains(s.MemberOf[r.Name], group) {
			c.value("member_of", "", group)
			c.do("GRANT %s TO %s", id(group), id(r.Name))
		}
	}
	roleSettings(&c, sp.PostgreSQL.Version, have, r)
	if !there {
		create := strings.Join(append([]string{"CREATE ROLE", id(r.Name), "WITH"}, options...), " ")
		return []Step{{Kind: "role", Name: r.Name, Action: "created", Diff: c.lines(), New: true,
			SQL: append([]string{create}, c.sql...), SetsPassword: r.CanLogin()}}
	}
	var steps []Step
	if len(options) > 0 {
		c.sql = append([]string{strings.Join(append([]string{"ALTER ROLE", id(r.Name), "WITH"},
			options...), " ")}, c.sql...)
	}
	if len(c.sql) > 0 {
		steps = append(steps, Step{Kind: "role", Name: r.Name, Action: "updated", Diff: c.lines(),
			SQL: c.sql})
	}
	if r.CanLogin() && have.Password != PasswordSame {
		steps = append(steps, Step{Kind: "role", Name: r.Name, Action: "given its password",
			SetsPassword: true})
	}
	return steps
}

// attributes are the words of CREATE and ALTER ROLE for what differs; of a new role, those that
// decide who gets in are always said.
func attributes(c *change, have Role, r spec.PGRole, there bool) []string {
	var options []string
	truth := func(name, word string, have, want bool) {
		if there && have == want {
			return
		}
		if there {
			c.value(name, fmt.Sprint(have), fmt.Sprint(want))
		} else {
			c.value(name, "", fmt.Sprint(want))
		}
		if !want {
			word = "NO" + word
		}
		options = append(options, word)
	}
	truth("login", "LOGIN", have.Login, r.CanLogin())
	truth("replication", "REPLICATION", have.Replication, r.Replication)
	if r.ConnectionLimit != nil && *r.ConnectionLimit != have.ConnectionLimit {
		c.limit(have.ConnectionLimit, *r.ConnectionLimit)
		options = append(options, fmt.Sprintf("CONNECTION LIMIT %d", *r.ConnectionLimit))
	}
	if want, said := expiry(r.ValidUntil); said && want != have.ValidUntil {
		c.value("valid_until", have.ValidUntil, want)
		if want == "" {
			want = "infinity"
		}
		options = append(options, "VALID UNTIL "+pgsession.Literal(want))
	}
	return options
}

// limit notes a limit of sessions; -1 is none.
func (c *change) limit(old, now int) {
	text := func(n int) string {
		if n < 0 {
			return ""
		}
		return fmt.Sprint(n)
	}
	c.value("connection_limit", text(old), text(now))
}

// expiry is when a password expires as the server says it, "" being never.
func expiry(text string) (at string, said bool) {
	t, err := spec.ParseExpiry(text)
	if err != nil || text == "" {
		return "", false
	}
	if t.IsZero() {
		return "", true
	}
	return t.Format(time.RFC3339), true
}

// roleSettings compares the settings of a role by what they mean.
func roleSettings(c *change, version int, have Role, r spec.PGRole) {
	known := pgsetting.Of(version)
	is := map[string]string{}
	for _, s := range have.Settings {
		name, value, _ := strings.Cut(s, "=")
		is[strings.ToLower(name)] = value
	}
	for _, given := range slices.Sorted(maps.Keys(r.Settings)) {
		name := strings.ToLower(given)
		old, set := is[name]
		if r.Settings[given] == nil {
			if set {
				c.value(name, old, "")
				c.do("ALTER ROLE %s RESET %s", id(r.Name), settingName(name))
			}
			continue
		}
		value := fmt.Sprint(r.Settings[given])
		if set && sameSetting(known[name], name, old, value) {
			continue
		}
		c.value(name, old, value)
		c.do("ALTER ROLE %s SET %s = %s", id(r.Name), settingName(name),
			settingValue(name, value))
	}
}

// settingName quotes the name of a setting, whose part before a dot is that of an extension.
func settingName(name string) string {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		parts[i] = id(p)
	}
	return strings.Join(parts, ".")
}

// nameLists are settings that are lists of names. PostgreSQL quotes each value that it is given for
// one of them, so that a list in one text would be one name with commas.
var nameLists = []string{"search_path", "temp_tablespaces", "session_preload_libraries",
	"local_preload_libraries"}

func settingValue(name, value string) string {
	if !slices.Contains(nameLists, name) {
		return pgsession.Literal(value)
	}
	var quoted []string
	for _, item := range nameList(value) {
		quoted = append(quoted, pgsession.Literal(item))
	}
	return strings.Join(quoted, ", ")
}

// nameList takes a list of names apart, at the commas that stand in no quotes.
func nameList(value string) []string {
	quoted := false
	items := strings.FieldsFunc(value, func(r rune) bool {
		quoted = quoted != (r == '"')
		return r == ',' && !quoted
	})
	for i, item := range items {
		items[i] = strings.Trim(strings.TrimSpace(item), `"`)
	}
	return items
}

func sameSetting(s pgsetting.Setting, name, a, b string) bool {
	switch {
	case slices.Contains(nameLists, name):
		return slices.Equal(nameList(a), nameList(b))
	case s.Name == "":
		return a == b
	}
	return s.Same(a, b)
}
