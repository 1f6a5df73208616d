package spec

import (
	"fmt"
	"maps"
	"reflect"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// The outline of a text is what it says, without how it is written: a map[string]any, []any or leaf for each node.

// leaf is a single value, with the type that YAML gives it.
type leaf struct{ tag, value string }

func outline(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].ShortTag()+" "+n.Content[i].Value] = outline(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = outline(item)
		}
		return list
	case yaml.AliasNode:
		return leaf{"alias", n.Value}
	}
	if n.ShortTag() == "!!null" {
		return leaf{tag: "!!null"}
	}
	return leaf{n.ShortTag() + n.Anchor, n.Value}
}

func equalOutline(a, b any) bool { return reflect.DeepEqual(a, b) }

// assign returns an outline with a value at a path. Sections that are missing are made.
func assign(tree any, path []string, value any) (any, error) {
	if len(path) == 0 {
		if _, single := tree.(leaf); tree != nil && !single {
			return nil, fmt.Errorf("it is not a single value there")
		}
		return value, nil
	}
	switch t := tree.(type) {
	case []any:
		return assignElement(t, path, value)
	case map[string]any:
		key := "!!str " + path[0]
		inner, err := assign(t[key], path[1:], value)
		if err != nil {
			return nil, err
		}
		t = maps.Clone(t)
		t[key] = inner
		return t, nil
	case leaf:
		if t.tag != "!!null" {
			return nil, fmt.Errorf("there is a single value where %s belongs", path[0])
		}
	}
	if path[0] == "-" {
		return assignElement(nil, path, value)
	}
	return assign(map[string]any{}, path, value)
}

func assignElement(list []any, path []string, value any) (any, error) {
	if path[0] == "-" && len(path) == 1 {
		return append(append([]any{}, list...), value), nil
	}
	i, err := strconv.Atoi(path[0])
	if err != nil || i < 0 || i >= len(list) {
		return nil, fmt.Errorf("the list has no element %s", path[0])
	}
	inner, err := assign(list[i], path[1:], value)
	if err != nil {
		return nil, err
	}
	list = append([]any{}, list...)
	list[i] = inner
	return list, nil
}
