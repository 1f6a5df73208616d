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

// Slots is the key of the replication slots that Patroni keeps on all members.
const Slots = "slots"

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
// A slot is one such value: without its database and plugin Patroni would take it for another one.
func Drop(wanted, written, current map[string]any) {
	drop("", wanted, written, current)
}

func drop(section string, wanted, written, current map[string]any) {
	for key, old := range written {
		inner, isSection := old.(map[string]any)
		isSection = isSection && section != Slots
		now, there := current[key]
		if !there {
			continue
		}
		if isSection {
			below, _ := wanted[key].(map[string]any)
			nowInner, _ := now.(map[string]any)
			if below == nil {
				below = map[string]any{}
			}
			drop(key, below, inner, nowInner)
			if len(below) > 0 {
				wanted[key] = below
			}
			continue
		}
		if _, named := wanted[key]; !named && Same(old, now) {
			wanted[key] = nil
		}
	}
}

// Yield takes the list of slots that Patroni leaves alone (ignore_slots) out of wanted where
// current has one of somebody else's: neither of two lists can stand for the other.
func Yield(wanted, written, current map[string]any) {
	const key = "ignore_slots"
	if now, there := current[key]; there && !Same(now, written[key]) {
		delete(wanted, key)
	}
}
