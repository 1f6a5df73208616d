package inspect

import (
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"
)

// mergedTexts merges YAML texts, one over the other.
func mergedTexts(t *testing.T, texts ...string) map[string]any {
	t.Helper()
	tree := map[string]any{}
	for _, text := range texts {
		over := map[string]any{}
		if err := yaml.Unmarshal([]byte(text), &over); err != nil {
			t.Fatal(err)
		}
		mergeTree(tree, over)
	}
	return tree
}

func mergeTree(tree, over map[string]any) {
	for key, value := range over {
		inner, isMap := value.(map[string]any)
		switch old := tree[key].(type) {
		case map[string]any:
			if isMap {
				mergeTree(old, inner)
				continue
			}
		case []any:
			if key == "hosts" && isMap {
				tree[key] = mergeHosts(old, inner)
				continue
			}
		}
		if tree[key] = value; value == nil {
			delete(tree, key)
		}
	}
}

// mergeHosts changes a list of hosts by their names; a new one comes last.
func mergeHosts(list []any, over map[string]any) []any {
	byName := func(name string) int {
		return slices.IndexFunc(list, func(h any) bool {
			return h.(map[string]any)["name"] == name
		})
	}
	for _, name := range slices.Sorted(mapKeys(over)) {
		i := byName(name)
		switch {
		case over[name] == nil:
			list = slices.Delete(list, i, i+1)
		case i < 0:
			h := over[name].(map[string]any)
			h["name"] = name
			list = append(list, h)
		default:
			mergeTree(list[i].(map[string]any), over[name].(map[string]any))
		}
	}
	return list
}

func mapKeys(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}
