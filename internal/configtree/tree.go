package configtree

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ValueOf returns a parameter's value, found by its name in any case; nil if it is not there.
func ValueOf(parameters map[string]any, name string) any {
	for key, value := range parameters {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return nil
}

// Plain turns the numbers of the REST API's JSON into Go's, so that YAML writes them as numbers.
func Plain(value any) any {
	switch v := value.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, inner := range v {
			m[key] = Plain(inner)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, inner := range v {
			list[i] = Plain(inner)
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

// Replacement is the patch that makes before the document.
func Replacement(before, document map[string]any) map[string]any {
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
			if p := Replacement(old, inner); len(p) > 0 {
				patch[key] = p
			}
		case ConfigText(before[key]) != ConfigText(value) || before[key] == nil:
			patch[key] = value
		}
	}
	return patch
}

// Merged is what becomes of config with the patch, as Patroni merges. Neither is changed.
func Merged(config, patch map[string]any) map[string]any {
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
			result[key] = Merged(old, inner)
		default:
			result[key] = value
		}
	}
	return result
}

// Put sets a value deep in a patch.
func Put(patch map[string]any, path []string, value any) {
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

// Section returns a mapping inside a mapping, empty if it is not there.
func Section(config map[string]any, path ...string) map[string]any {
	for _, key := range path {
		config, _ = config[key].(map[string]any)
	}
	return config
}

// Flatten gives every single setting the path to it as its key. Names of parameters are in lower
// case, because PostgreSQL does not tell them apart.
func Flatten(config map[string]any) map[string]string {
	flat := map[string]string{}
	var walk func(prefix string, config map[string]any)
	walk = func(prefix string, config map[string]any) {
		for key, value := range config {
			if prefix == Parameters {
				key = strings.ToLower(key)
			}
			switch v := value.(type) {
			case nil:
			case map[string]any:
				walk(prefix+key+".", v)
			default:
				flat[prefix+key] = ConfigText(v)
			}
		}
	}
	walk("", config)
	return flat
}

// ConfigText writes a value as a person would, without passwords.
func ConfigText(value any) string {
	text := fmt.Sprint(value)
	if _, isList := value.([]any); isList {
		if encoded, err := json.Marshal(value); err == nil {
			text = string(encoded)
		}
	}
	return HidePasswords(text)
}

// CustomNames are the parameters that only extensions know.
func CustomNames(config map[string]any) []string {
	var names []string
	for key := range Flatten(config) {
		if name, ok := strings.CutPrefix(key, Parameters); ok && strings.Contains(name, ".") {
			names = append(names, name)
		}
	}
	return names
}

// SortedKeys returns the keys of several maps, each once.
func SortedKeys(all ...map[string]string) []string {
	seen := map[string]bool{}
	for _, m := range all {
		for key := range m {
			seen[key] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
