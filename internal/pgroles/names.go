package pgroles

import (
	"maps"
	"slices"
	"strings"
)

// predefined are PostgreSQL's own roles, with the version that has them first. pg_database_owner is
// left out: nobody is made a member of it.
var predefined = map[string]int{
	"pg_monitor": 10, "pg_read_all_settings": 10, "pg_read_all_stats": 10,
	"pg_stat_scan_tables": 10, "pg_signal_backend": 10, "pg_read_server_files": 11,
	"pg_write_server_files": 11, "pg_execute_server_program": 11, "pg_read_all_data": 14,
	"pg_write_all_data": 14, "pg_checkpoint": 15, "pg_create_subscription": 16,
	"pg_use_reserved_connections": 16, "pg_maintain": 17, "pg_signal_autovacuum_worker": 18,
}

// Predefined returns the version of PostgreSQL that has one of its own roles first, and whether
// there is such a role.
func Predefined(role string) (version int, ok bool) {
	version, ok = predefined[role]
	return version, ok
}

// PredefinedNames returns the names of PostgreSQL's own roles, sorted.
func PredefinedNames() []string { return slices.Sorted(maps.Keys(predefined)) }

// Reserved reports whether a name means something else than one role to PostgreSQL or in
// pg_hba.conf.
func Reserved(role string) bool {
	return slices.Contains([]string{"all", "public", "none", "user", "current_user",
		"session_user", "current_role", "replication", "sameuser", "samerole", "samegroup"},
		strings.ToLower(role))
}

// Circle finds a way from a role through the roles that it is a member of back to it: the roles on
// it, or nil.
func Circle(memberOf map[string][]string, start string) []string {
	visited := map[string]bool{}
	var walk func(path []string) []string
	walk = func(path []string) []string {
		for _, group := range memberOf[path[len(path)-1]] {
			if group == start {
				return path
			}
			if !visited[group] {
				visited[group] = true
				if circle := walk(append(slices.Clone(path), group)); circle != nil {
					return circle
				}
			}
		}
		return nil
	}
	return walk([]string{start})
}
