package spec

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/pgsetting"
	"github.com/pgha/toolkit/internal/scalar"
)

// least are Patroni's lower bounds: it takes its own default for anything below.
var least = map[string]int{
	"max_connections": 25, "max_wal_senders": 3, "max_prepared_transactions": 0,
	"max_locks_per_transaction": 32,
	"max_replication_slots":     4, "max_worker_processes": 2,
}

var parameterSyntax = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$]*(?:\.[A-Za-z_][A-Za-z0-9_$]*)*$`)

// parameterChecker checks settings of PostgreSQL, those of patroni.extra too.
type parameterChecker struct{ *checker }

// all checks postgresql.parameters.
func (c parameterChecker) all() {
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.PostgreSQL.Parameters)) {
		field, lower := join("postgresql.parameters", name), strings.ToLower(name)
		if other, again := seen[lower]; again {
			c.bad(field, "is the same parameter as "+other, "delete one of the two")
		}
		seen[lower] = name
		c.named(field, name, c.PostgreSQL.Parameters[name])
	}
	hints, _ := lookup(c.PostgreSQL.Parameters, "wal_log_hints")
	if c.Patroni.UsePgRewind && !c.PostgreSQL.DataChecksums && isOff(hints) {
		c.bad(c.blame("patroni.use_pg_rewind", "postgresql.data_checksums"),
			"pg_rewind needs data_checksums or the parameter wal_log_hints, and both are off",
			"switch one of them on, or write use_pg_rewind: false")
	}
}

// named checks a name, and with it the value.
func (c parameterChecker) named(field, name string, value any) {
	if !parameterSyntax.MatchString(name) {
		c.bad(field, "cannot name a parameter", "write a name such as work_mem")
		return
	}
	if _, instead, set := pgsetting.Controlled(name); set {
		c.bad(field, "is set by Patroni or the toolkit itself", instead)
		return
	}
	c.value(field, strings.ToLower(name), value)
}

// value checks one as far as the cluster depends on it.
func (c parameterChecker) value(field, name string, value any) {
	text := strings.ToLower(fmt.Sprint(value))
	switch value.(type) {
	case nil:
		return
	case []any, map[string]any:
		c.bad(field, "is not a single value", "write text, a number, true or false")
		return
	}
	bound, bounded := least[name]
	if name == "max_wal_senders" || name == "max_replication_slots" {
		bound = max(bound, c.leastSlots())
	}
	number, isNumber := value.(int)
	switch {
	case bounded && (!isNumber || number < bound):
		c.bad(field, fmt.Sprintf("%v is not a whole number from %d on: %s", value, bound,
			c.boundReason(name, bound)), c.boundRemedy(value, bound))
	case name == "password_encryption" && text != "scram-sha-256":
		c.bad(field, quoted(text)+" is refused: only scram-sha-256 lets anybody in", "delete it")
	case name == "wal_level" && text != "replica" && text != "logical":
		c.bad(field, quoted(text)+" cannot replicate", "write replica or logical")
	case name == "synchronous_standby_names" && c.Patroni.SynchronousMode != SynchronousOff:
		c.bad(field, "is set by Patroni with synchronous_mode: "+string(c.Patroni.SynchronousMode),
			"delete it")
	default:
		if problem, remedy := pgsetting.Of(c.PostgreSQL.Version).Judge(name,
			fmt.Sprint(value)); problem != "" {
			c.bad(field, problem, remedy)
		}
	}
}

// boundReason is why a number below bound will not do.
func (c parameterChecker) boundReason(name string, bound int) string {
	if bound > least[name] {
		if slots := len(c.PostgreSQL.Slots); slots > 0 {
			return fmt.Sprintf("%d database hosts and %d in postgresql.slots need as many",
				bound-slots, slots)
		}
		return fmt.Sprintf("%d database hosts need as many", bound)
	}
	return "Patroni would take its own default"
}

// boundRemedy is the remedy for a value that is no number from bound on.
func (c parameterChecker) boundRemedy(value any, bound int) string {
	text, ok := value.(string)
	n, fault := scalar.Whole(text)
	switch {
	case ok && fault == nil && n >= int64(bound):
		return "write " + text + " without quotes"
	case ok && fault != nil && fault.Remedy != "write digits only":
		return fault.Remedy
	}
	return fmt.Sprintf("write %d or more", bound)
}

func isOff(value any) bool {
	return slices.Contains([]string{"off", "false", "no", "0", "f", "n", "of"},
		strings.ToLower(fmt.Sprint(value)))
}

var (
	roleSyntax   = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)
	localeSyntax = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.@-]*$`)
	suiteSyntax  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+~/-]*$`)
)

func (c *checker) postgresql() {
	pg := c.PostgreSQL
	if pg.Version < 14 || pg.Version > 18 {
		c.bad("postgresql.version", fmt.Sprintf("PostgreSQL %d is not supported", pg.Version),
			"write a major version from 14 to 18")
	}
	oneOf(c, "postgresql.source", pg.Source, SourcePGDG, SourceDistribution, SourceMirror)
	c.repository()
	c.directory("postgresql.data_dir", pg.DataDir, "/var/lib/postgresql/data")
	if pg.DataDir == c.Etcd.DataDir || strings.HasPrefix(pg.DataDir, c.Etcd.DataDir+"/") ||
		strings.HasPrefix(c.Etcd.DataDir, pg.DataDir+"/") {
		c.bad(c.blame("postgresql.data_dir", "etcd.data_dir"),
			"postgresql.data_dir "+quoted(pg.DataDir)+
				" and etcd.data_dir "+quoted(c.Etcd.DataDir)+" are one inside the other",
			"keep them apart")
	}
	c.roles()
	if !localeSyntax.MatchString(pg.Encoding) {
		c.bad("postgresql.encoding", quoted(pg.Encoding)+" cannot name an encoding",
			"write a name such as UTF8")
	}
	if !localeSyntax.MatchString(pg.Locale) {
		c.bad("postgresql.locale", quoted(pg.Locale)+" cannot name a locale",
			"write a name such as C.UTF-8")
	}
	for i, network := range pg.ClientNetworks {
		if problem, remedy := networkFault(network); problem != "" {
			c.bad(element("postgresql.client_networks", i), quoted(network)+" "+problem, remedy)
		}
	}
}

// roles checks the three roles that Patroni works with.
func (c *checker) roles() {
	taken := map[string]string{}
	for _, r := range []struct{ field, name string }{
		{"postgresql.superuser", c.PostgreSQL.Superuser},
		{"postgresql.replication_user", c.PostgreSQL.ReplicationUser},
		{"postgresql.rewind_user", c.PostgreSQL.RewindUser},
	} {
		switch {
		case strings.HasPrefix(r.name, "pg_"):
			c.bad(r.field,
				quoted(r.name)+" cannot name a role: names with pg_ are PostgreSQL's own",
				"write another name, such as ha_"+strings.TrimPrefix(r.name, "pg_"))
		case slices.Contains([]string{"all", "public", "none", "user", "current_user",
			"session_user",
			"current_role", "replication", "sameuser", "samerole", "samegroup"}, r.name):
			c.bad(r.field, quoted(r.name)+" cannot name a role: it means something else to "+
				"PostgreSQL",
				"write another name, such as ha_"+r.name)
		case !roleSyntax.MatchString(r.name):
			remedy := "write up to 63 lower-case letters, digits and underscores, no digit first"
			if near := nearRole(r.name); near != "" {
				remedy = "write " + near
			}
			c.bad(r.field, quoted(r.name)+" cannot name a role", remedy)
		}
		if other, again := taken[r.name]; again {
			c.bad(r.field, quoted(r.name)+" is "+other+", too", "each needs a role of its own")
		}
		taken[r.name] = r.field
	}
}

// nearRole is the nearest name that can be a role's, or "".
func nearRole(name string) string {
	near := strings.ToLower(strings.NewReplacer("-", "_", ".", "_", " ", "_").Replace(name))
	if !roleSyntax.MatchString(near) || strings.HasPrefix(near, "pg_") {
		return ""
	}
	return near
}

func (c *checker) repository() {
	const field = "postgresql.repository"
	r := c.PostgreSQL.Repository
	if c.PostgreSQL.Source != SourceMirror {
		if r.URL != "" || r.KeyFile != "" || r.Suite != "" || len(r.Components) > 0 {
			c.bad(field, "is not read with source: "+string(c.PostgreSQL.Source),
				"write source: mirror, or delete the section")
		}
		return
	}
	u, err := url.Parse(r.URL)
	switch {
	case r.URL == "":
		c.bad(field+".url", "is missing with source: mirror", "write the repository's URL")
	case err != nil || !slices.Contains([]string{"http", "https", "file"}, u.Scheme) ||
		u.Scheme != "file" && u.Host == "" ||
		strings.ContainsFunc(r.URL, func(r rune) bool { return r <= ' ' || r > '~' }):
		c.bad(field+".url", "is not a URL that apt can read",
			"write http://, https:// or file:// and the rest")
	case u.User != nil:
		c.bad(field+".url", "holds a user or password, which every user of the hosts could read",
			"use a repository without one")
	}
	for i, s := range append([]string{r.Suite}, r.Components...) {
		if name := field + ".suite"; s != "" && !suiteSyntax.MatchString(s) {
			if i > 0 {
				name = element(field+".components", i-1)
			}
			c.bad(name, quoted(s)+" cannot stand in an apt source",
				"write a name such as trixie-pgdg or main")
		}
	}
	c.repositoryKey(field + ".key_file")
}
