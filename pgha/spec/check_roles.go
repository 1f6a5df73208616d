package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/pgroles"
	"github.com/pgha/toolkit/internal/pgsetting"
)

// systemRoles are who Patroni and the toolkit work as, and the words by which secrets are called.
func (c contentChecker) systemRoles() map[string]string {
	pg := c.PostgreSQL
	return map[string]string{
		pg.Superuser:       "it is postgresql.superuser",
		pg.ReplicationUser: "it is postgresql.replication_user",
		pg.RewindUser:      "it is postgresql.rewind_user",
	}
}

// secretWords are what the passwords of Patroni's roles and the authority that can be rotated are
// called where a role is called by its name.
var secretWords = []string{"superuser", "replication", "rewind", "rest"}

func (c contentChecker) role(field string, r PGRole) {
	oneOf(c.checker, field+".ensure", r.Ensure, EnsurePresent, EnsureAbsent)
	if c.name(field+".name", r.Name, "role") {
		switch system := c.systemRoles()[r.Name]; {
		case system != "":
			c.bad(field+".name", quoted(r.Name)+" is not a role of applications: "+system,
				"write another name; the toolkit keeps that role itself")
		case slices.Contains(secretWords, r.Name):
			c.bad(field+".name", quoted(r.Name)+" is what a secret of the cluster itself is called",
				"write another name")
		case pgroles.Reserved(r.Name):
			c.bad(field+".name", quoted(r.Name)+" cannot name a role: it means something else to "+
				"PostgreSQL", "write another name")
		}
	}
	if !r.Present() {
		return
	}
	c.rolePassword(field, r)
	c.connectionLimit(field, r.ConnectionLimit)
	if _, err := ParseExpiry(r.ValidUntil); err != nil {
		c.bad(field+".valid_until", quoted(r.ValidUntil)+" is not a time",
			"write a day such as 2027-01-31, a time such as 2027-01-31T18:00:00Z, or infinity")
	}
	settings := parameterChecker(c)
	for _, name := range slices.Sorted(maps.Keys(r.Settings)) {
		settings.ofRole(join(field+".settings", name), name, r.Settings[name])
	}
}

// rolePassword checks where a role's password comes from, without showing it.
func (c contentChecker) rolePassword(field string, r PGRole) {
	file, command := field+".password_file", field+".password_command"
	_, given := c.d.at[command]
	given = given || len(r.PasswordCommand) > 0
	switch {
	case r.PasswordFile != "" && given:
		c.bad(command, "stands beside password_file, and only one of them can give the password",
			"delete one of the two")
	case !r.CanLogin() && r.PasswordFile != "":
		c.bad(file, "gives a password to a role that does not log in", "delete it, or login: false")
	case !r.CanLogin() && given:
		c.bad(command, "gives a password to a role that does not log in",
			"delete it, or login: false")
	case r.PasswordFile != "":
		c.passwordFile(file, r.PasswordFile)
	case given:
		c.secretCommand(command, r.PasswordCommand, "pass, show, db/"+r.Name)
	}
}

// ParseExpiry reads when a password expires; the zero time is never, as infinity and "" are.
func ParseExpiry(text string) (time.Time, error) {
	if text == "" || text == "infinity" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Parse(time.DateOnly, text)
}

// ofRole checks a setting for the sessions of one role.
func (c parameterChecker) ofRole(field, name string, value any) {
	if !parameterSyntax.MatchString(name) {
		c.bad(field, "cannot name a parameter", "write a name such as work_mem")
		return
	}
	switch value.(type) {
	case nil:
		return
	case []any, map[string]any:
		c.bad(field, "is not a single value", "write text, a number, true or false")
		return
	}
	problem, remedy := pgsetting.Of(c.PostgreSQL.Version).JudgeOfRole(name, fmt.Sprint(value))
	if problem != "" {
		c.bad(field, problem, remedy)
	}
}

// memberships checks what roles are members of, and refuses circles.
func (c contentChecker) memberships() {
	of := map[string][]string{}
	for _, r := range c.PGRoles {
		if r.Present() {
			of[r.Name] = r.MemberOf
		}
	}
	told := map[string]bool{}
	for i, r := range c.PGRoles {
		if !r.Present() {
			continue
		}
		field := element("roles", i) + ".member_of"
		for j, group := range r.MemberOf {
			c.memberOf(element(field, j), group, slices.Index(r.MemberOf, group) < j)
		}
		if circle := pgroles.Circle(of, r.Name); circle != nil && !told[r.Name] {
			for _, name := range circle {
				told[name] = true
			}
			c.bad(field, "roles are members of each other in a circle: "+
				strings.Join(append(circle, r.Name), " of "),
				"delete one of the memberships")
		}
	}
}

func (c contentChecker) memberOf(field, group string, again bool) {
	first, predefined := pgroles.Predefined(group)
	switch {
	case again:
		c.bad(field, quoted(group)+" stands here for the second time", "delete one of the two")
	case predefined && c.PostgreSQL.Version < first:
		c.bad(field, fmt.Sprintf("%s comes with PostgreSQL %d", quoted(group), first), "delete it")
	case predefined:
	case strings.HasPrefix(group, "pg_"):
		c.bad(field, quoted(group)+" is none of PostgreSQL's own roles",
			didYouMean(group, pgroles.PredefinedNames()))
	default:
		c.known(field, group)
	}
}

// known refuses the name of a role that cannot be there when it is needed.
func (c contentChecker) known(field, role string) {
	i := slices.IndexFunc(c.PGRoles, func(r PGRole) bool { return r.Name == role })
	switch {
	case !namedSyntax.MatchString(role):
		c.bad(field, quoted(role)+" cannot name a role", namedRemedy)
	case i >= 0 && !c.PGRoles[i].Present():
		c.bad(field, quoted(role)+" is to be absent: "+element("roles", i)+".ensure",
			"name another role, or keep that one")
	}
}
