package configtree

import (
	"slices"
	"strings"
)

// SpecPath is where the specification has a key of the dynamic configuration.
func SpecPath(key string) string {
	if strings.HasPrefix(key, Parameters) {
		return key
	}
	return "patroni." + strings.TrimPrefix(key, "postgresql.")
}

// Sections are the keys that have others below them.
var Sections = []string{"permanent_replication_slots", "permanent_slots", "postgresql", "slots",
	"standby_cluster"}

// PathOf splits a key of Patroni's. What stands below postgresql.parameters has dots of its own.
func PathOf(key string) []string {
	if name, ok := strings.CutPrefix(key, Parameters); ok {
		return []string{"postgresql", "parameters", name}
	}
	root, rest, deeper := strings.Cut(key, ".")
	switch {
	case !deeper || !slices.Contains(Sections, root):
		return []string{key}
	case root == "postgresql":
		return []string{root, rest}
	}
	return append([]string{root}, strings.Split(rest, ".")...)
}

// Parameters is where PostgreSQL's settings stand.
const Parameters = "postgresql.parameters."

// ParameterPrefix is what the field of a PostgreSQL parameter begins with in a specification.
const ParameterPrefix = "postgresql.parameters."
