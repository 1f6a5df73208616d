package dynamic

import (
	"fmt"
	"strings"
)

// Rules are those settings that decide who may lead.
type Rules struct {
	// MaximumLag is how many bytes a replica may be behind and still be promoted.
	MaximumLag int64
	// Synchronous says that commits wait for a replica, Quorum that any of several will do, Strict
	// that they wait also when there is none.
	Synchronous, Quorum, Strict bool
}

// ReadRules reads the rules as Patroni does, its defaults included.
func ReadRules(config map[string]any) Rules {
	r := Rules{MaximumLag: 1 << 20, Strict: truth(config["synchronous_mode_strict"])}
	if n, ok := integer(config["maximum_lag_on_failover"]); ok {
		r.MaximumLag = n
	}
	r.Quorum = strings.EqualFold(fmt.Sprint(config["synchronous_mode"]), "quorum")
	r.Synchronous = r.Quorum || truth(config["synchronous_mode"])
	return r
}

// truth reads a setting that may be written as PostgreSQL lets one write it.
func truth(value any) bool {
	switch strings.ToLower(fmt.Sprint(value)) {
	case "on", "true", "yes", "1":
		return true
	}
	return false
}
