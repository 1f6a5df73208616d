package spec

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The outline of a text is what it says, without how it is written: a map[string]any, []any or leaf
// for each node.

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

// lines are the text's lines, with their ends.
func (s source) lines() [][]byte { return bytes.SplitAfter(s.text, []byte("\n")) }

// lineAfter inserts whole lines after the one with this index.
func (s source) lineAfter(index int, text string) splice {
	at := 0
	for i, line := range s.lines() {
		if i > index {
			break
		}
		at += len(line)
	}
	if at > 0 && s.text[at-1] != '\n' {
		text = s.newline + strings.TrimSuffix(text, s.newline)
	}
	return splice{at, at, text}
}

// lastLine is the index of the last line of an entry that begins in line first, in a section of
// this indentation.
func (s source) lastLine(first, indent int, isList bool) int {
	last := first
	for i, line := range s.lines() {
		bare := bytes.TrimLeft(line, " ")
		if i <= first || len(bytes.TrimSpace(bare)) == 0 {
			continue
		}
		depth := len(line) - len(bare)
		closing := bare[0] == ']' || bare[0] == '}'
		dash := !isList && depth == indent && bytes.HasPrefix(bare, []byte("-")) &&
			!bytes.HasPrefix(bare, []byte("---"))
		switch {
		case depth > indent, closing, dash:
			last = i
		case bare[0] != '#': // a comment may be followed by more of the entry
			return last
		}
	}
	return last
}

// shownDefault finds the comment in a section that shows a field's default, as "# ttl: 30" does.
// The search begins below the section's name, in the line with index first.
func (s source) shownDefault(first, indent int, name string) (int, bool) {
	comment := []byte(strings.Repeat(" ", indent) + "# " + name + ":")
	for i, line := range s.lines() {
		bare := bytes.TrimSpace(line)
		if i < first || len(bare) == 0 {
			continue
		}
		if bytes.HasPrefix(line, comment) {
			return i, true
		}
		if depth := len(line) - len(bytes.TrimLeft(line, " ")); depth < indent && bare[0] != '#' {
			break
		}
	}
	return 0, false
}
