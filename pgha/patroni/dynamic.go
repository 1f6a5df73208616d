package patroni

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/pgha/toolkit/pgha/remote"
)

// SyncConfig brings the dynamic configuration in the DCS in line with the options and returns what differed, one change
// a setting. What an earlier run wrote there and the options do not define any more is removed; other keys that they do
// not define are left alone, so what operators set with patronictl edit-config stays.
// The changes are also reported through the first member's target; when the targets only plan, that is all that happens.
// Safe to repeat. Parameters are compared by what they mean if the options tell how (Meaning), anything else as text. The
// cluster must be initialized; otherwise the error matches ErrUnavailable.
func SyncConfig(ctx context.Context, o Options) (remote.Changes, error) {
	o = o.withDefaults()
	if len(o.Members) == 0 || o.Members[0].Target == nil {
		return nil, fmt.Errorf("%w: no member with a target", ErrInvalid)
	}
	written, _, err := o.written(ctx)
	if err != nil {
		return nil, err
	}
	return o.syncConfig(ctx, written)
}

// syncConfig is SyncConfig with what an earlier run has written.
func (o Options) syncConfig(ctx context.Context, written map[string]any) (remote.Changes, error) {
	client := NewClient(o)
	current, err := client.Config(ctx)
	if err != nil {
		return nil, err
	}
	wanted, err := normalize(o.dynamic())
	if err != nil {
		return nil, err
	}
	dropped(wanted, written, current)
	patch, changes := difference("", current, wanted)
	if len(patch) > 0 && o.Meaning != nil {
		o.keepForms(ctx, current, wanted)
		patch, changes = difference("", current, wanted)
	}
	if len(patch) == 0 {
		return nil, nil
	}
	target := o.Members[0].Target
	if !o.planning() {
		if _, err := client.PatchConfig(ctx, patch); err != nil {
			return nil, err
		}
	}
	for i := range changes {
		changes[i].Host, changes[i].Planned = target.Name, o.planning()
		report(target, changes[i])
	}
	return changes, nil
}

// keepForms takes the DCS's form of each parameter that means the same in both, so that nothing is changed for the sake of
// its form.
func (o Options) keepForms(ctx context.Context, current, wanted map[string]any) {
	have, want := parametersOf(current), parametersOf(wanted)
	var names []string
	for name, value := range want {
		if old := have[name]; old != nil && value != nil && !same(old, value) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	means, err := o.Meaning(ctx)
	if err != nil {
		return
	}
	for _, name := range names {
		if means(name, fmt.Sprint(have[name]), fmt.Sprint(want[name])) {
			want[name] = have[name]
		}
	}
}

// parametersOf are PostgreSQL's settings in a dynamic configuration.
func parametersOf(config map[string]any) map[string]any {
	postgresql, _ := config["postgresql"].(map[string]any)
	parameters, _ := postgresql["parameters"].(map[string]any)
	return parameters
}

// normalize gives the options' values the types that the REST API's have.
func normalize(config map[string]any) (map[string]any, error) {
	encoded, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("encode dynamic configuration: %w", err)
	}
	return parseConfig(encoded)
}

// difference returns the smallest patch that makes have agree with want wherever want says something, and the same in
// words. A nil in want takes the key away. Values are compared as text, as Patroni does.
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
		if same(old, value) {
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
		changes = append(changes, remote.Change{Kind: "setting", Name: prefix + key, Action: action})
	}
	return patch, changes
}

// same compares two values as Patroni does: as text. Nothing equals only nothing.
func same(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return fmt.Sprint(a) == fmt.Sprint(b)
}
