package dynamic

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/pgha/toolkit/pgha/patroni/rest"
	"github.com/pgha/toolkit/pgha/remote"
)

// Parameters are PostgreSQL's settings in a dynamic configuration.
func Parameters(config map[string]any) map[string]any {
	postgresql, _ := config["postgresql"].(map[string]any)
	parameters, _ := postgresql["parameters"].(map[string]any)
	return parameters
}

// Normalize gives Go's values the types that the REST API's have.
func Normalize(config map[string]any) (map[string]any, error) {
	encoded, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("encode dynamic configuration: %w", err)
	}
	return rest.ParseConfig(encoded)
}

// Difference returns the smallest patch that makes have agree with want wherever want says
// something, and the same in words. A nil in want takes the key away. Values are compared as text,
// as Patroni does.
func Difference(have, want map[string]any) (map[string]any, remote.Changes) {
	return difference("", have, want)
}

func difference(prefix string, have, want map[string]any) (map[string]any, remote.Changes) {
	patch := map[string]any{}
	var changes remote.Changes
	for _, key := range slices.Sorted(maps.Keys(want)) {
		value, old := want[key], have[key]
		if inner, ok := value.(map[string]any); ok {
			oldInner, _ := old.(map[string]any)
			innerPatch, innerChanges := difference(prefix+key+".", oldInner, inner)
			if len(innerPatch) > 0 {
				patch[key] = innerPatch
				changes = append(changes, innerChanges...)
			}
			continue
		}
		if Same(old, value) {
			continue
		}
		patch[key] = value
		action := fmt.Sprintf("set to %v", value)
		switch {
		case value == nil:
			action = fmt.Sprintf("removed, it was %v", old)
		case old != nil:
			action = fmt.Sprintf("changed from %v to %v", old, value)
		}
		changes = append(changes, remote.Change{Kind: "setting", Name: prefix + key,
			Action: action})
	}
	return patch, changes
}

// Same compares two values as Patroni does: as text. Nothing equals only nothing.
func Same(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return fmt.Sprint(a) == fmt.Sprint(b)
}

// Drop adds to wanted a nil for each setting that an earlier run wrote, that wanted names no
// more, and that still has the value it was given: what somebody else has changed since is theirs.
func Drop(wanted, written, current map[string]any) {
	for key, old := range written {
		inner, isSection := old.(map[string]any)
		now, there := current[key]
		if !there {
			continue
		}
		if isSection {
			section, _ := wanted[key].(map[string]any)
			nowInner, _ := now.(map[string]any)
			if section == nil {
				section = map[string]any{}
			}
			Drop(section, inner, nowInner)
			if len(section) > 0 {
				wanted[key] = section
			}
			continue
		}
		if _, named := wanted[key]; !named && Same(old, now) {
			wanted[key] = nil
		}
	}
}
