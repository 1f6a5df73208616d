package pgha

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
)

// ParseSettings reads assignments as people type them: "ttl=20", "work_mem=8MB", "slots={a: {type: physical}}". Nothing
// after the = removes the setting, as null does; quotes make text of anything, also of nothing. The error matches
// patroni.ErrInvalid.
func ParseSettings(assignments []string) (map[string]any, error) {
	settings := map[string]any{}
	for _, text := range assignments {
		key, value, ok := strings.Cut(text, "=")
		if key = strings.TrimSpace(key); !ok || key == "" {
			return nil, remote.WithHint(fmt.Errorf("%w: %q is no KEY=VALUE", patroni.ErrInvalid, text), "for example: ttl=20 work_mem=8MB")
		}
		if _, twice := settings[key]; twice {
			return nil, remote.WithHint(fmt.Errorf("%w: %s is given twice", patroni.ErrInvalid, key), "give it once")
		}
		parsed, err := parseValue(strings.TrimSpace(value))
		if err != nil {
			return nil, remote.WithHint(fmt.Errorf("%w: %s: %w", patroni.ErrInvalid, key, err), "lists and mappings are written as YAML does in one line")
		}
		settings[key] = parsed
	}
	return settings, nil
}

// parseValue leaves everything as text that does not look exactly like something else: 0755 and 1e3 stay what was typed.
func parseValue(text string) (any, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && strconv.FormatInt(n, 10) == text {
		return n, nil
	}
	switch {
	case text == "", text == "null", text == "~":
		return nil, nil
	case text == "true", text == "false":
		return text == "true", nil
	case strings.ContainsAny(text[:1], `"'[{`):
		var value any
		err := yaml.Unmarshal([]byte(text), &value)
		return value, err
	}
	return text, nil
}

// plain turns the numbers of the REST API's JSON into Go's, so that YAML writes them as numbers.
func plain(value any) any {
	switch v := value.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, inner := range v {
			m[key] = plain(inner)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, inner := range v {
			list[i] = plain(inner)
		}
		return list
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	}
	return value
}

// replacement is the patch that makes before the document.
func replacement(before, document map[string]any) map[string]any {
	patch := map[string]any{}
	for key := range before {
		if document[key] == nil {
			patch[key] = nil
		}
	}
	for key, value := range document {
		old, isMap := before[key].(map[string]any)
		inner, toMap := value.(map[string]any)
		switch {
		case value == nil:
		case isMap && toMap:
			if p := replacement(old, inner); len(p) > 0 {
				patch[key] = p
			}
		case configText(before[key]) != configText(value) || before[key] == nil:
			patch[key] = value
		}
	}
	return patch
}

// merged is what becomes of config with the patch, as Patroni merges. Neither is changed.
func merged(config, patch map[string]any) map[string]any {
	result := maps.Clone(config)
	if result == nil {
		result = map[string]any{}
	}
	for key, value := range patch {
		inner, isMap := value.(map[string]any)
		switch old, _ := result[key].(map[string]any); {
		case value == nil:
			delete(result, key)
		case isMap:
			result[key] = merged(old, inner)
		default:
			result[key] = value
		}
	}
	return result
}

// put sets a value deep in a patch.
func put(patch map[string]any, path []string, value any) {
	for _, key := range path[:len(path)-1] {
		inner, ok := patch[key].(map[string]any)
		if !ok {
			inner = map[string]any{}
			patch[key] = inner
		}
		patch = inner
	}
	patch[path[len(path)-1]] = value
}

// section returns a mapping inside a mapping, empty if it is not there.
func section(config map[string]any, path ...string) map[string]any {
	for _, key := range path {
		config, _ = config[key].(map[string]any)
	}
	return config
}

// patroniKeys are the dynamic settings of Patroni that its documentation names.
var patroniKeys = []string{
	"check_timeline", "failsafe_mode", "ignore_slots", "loop_wait", "maximum_lag_on_failover", "maximum_lag_on_syncnode",
	"max_timelines_history", "member_slots_ttl", "pause", "permanent_replication_slots", "permanent_slots", "postgresql",
	"primary_race_backoff", "primary_start_timeout", "primary_stop_timeout", "retry_timeout", "slots", "standby_cluster",
	"synchronous_mode", "synchronous_mode_strict", "synchronous_node_count", "ttl",
}

// patroniSection are those under postgresql.
var patroniSection = []string{
	"basebackup", "callbacks", "create_replica_methods", "parameters", "pg_ctl_timeout", "pg_hba", "pg_ident", "recovery_conf",
	"remove_data_directory_on_diverged_timelines", "remove_data_directory_on_rewind_failure", "use_pg_rewind", "use_slots",
}

// sections are the keys that have others below them.
var sections = []string{"permanent_replication_slots", "permanent_slots", "postgresql", "slots", "standby_cluster"}

// pathOf splits a key of Patroni's. What stands below postgresql.parameters has dots of its own.
func pathOf(key string) []string {
	if name, ok := strings.CutPrefix(key, parameters); ok {
		return []string{"postgresql", "parameters", name}
	}
	root, rest, deeper := strings.Cut(key, ".")
	switch {
	case !deeper || !slices.Contains(sections, root):
		return []string{key}
	case root == "postgresql":
		return []string{root, rest}
	}
	return append([]string{root}, strings.Split(rest, ".")...)
}
