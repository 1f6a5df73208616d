package spec

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// source is a text that is edited where its nodes stand.
type source struct {
	text    []byte
	newline string
}

// splice replaces text[start:end].
type splice struct {
	start, end int
	text       string
}

// indentStep is how far a section that Edit makes is indented.
const indentStep = 2

// splices are the ways to set the value, the nicest first. Some of them may not mean what they
// should: the caller looks.
func (s source) splices(root *yaml.Node, path []string, value *yaml.Node) []splice {
	section, key := root, (*yaml.Node)(nil)
	for i, name := range path {
		k, child := childOf(section, name)
		if child == nil {
			return s.insertions(section, key, path[i:], value)
		}
		if k != nil {
			key = k
		}
		if empty := child.Kind == yaml.ScalarNode && child.ShortTag() == "!!null"; empty &&
			i+1 < len(path) {
			return s.underEmpty(section, k, child, path[i+1:], value)
		}
		section = child
	}
	return s.replacements(key, section, value)
}

// childOf finds a field of a section, or an element of a list; a nil child if there is none.
func childOf(n *yaml.Node, name string) (key, child *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				return n.Content[i], n.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(n.Content) {
			return nil, n.Content[i]
		}
	}
	return nil, nil
}

// replacements put a value in the place of one that is there.
func (s source) replacements(key, old, value *yaml.Node) []splice {
	if old.Value == "" && old.Style == 0 && old.ShortTag() == "!!null" {
		if at, ok := s.afterColon(key); ok {
			return []splice{{at, at, " " + written(value, 0)}}
		}
		return nil
	}
	start, end, ok := s.span(old)
	if !ok {
		return nil
	}
	return []splice{{start, end, written(value, old.Style)},
		{start, end, written(value, yaml.DoubleQuotedStyle)}}
}

// underEmpty fills a section that has no fields yet.
func (s source) underEmpty(section, key, old *yaml.Node, path []string, value *yaml.Node) []splice {
	flow := inFlow(path, value, 0)
	if path[0] != "-" {
		flow = "{" + flow + "}"
	}
	if old.Value != "" {
		if start, end, ok := s.span(old); ok {
			return []splice{{start, end, flow}}
		}
		return nil
	}
	var ways []splice
	at, ok := s.afterColon(key)
	if section.Style&yaml.FlowStyle == 0 && key != nil {
		ways = append(ways, s.lineAfter(key.Line-1,
			s.inBlock(path, value, key.Column-1+indentStep, 0)))
	}
	if ok {
		ways = append(ways, splice{at, at, " " + flow})
	}
	return ways
}

// insertions add a field, or an element, to a section that has others. key is the section's own
// name.
func (s source) insertions(section, key *yaml.Node, path []string, value *yaml.Node) []splice {
	isList := section.Kind == yaml.SequenceNode
	if section.Kind != yaml.MappingNode && !isList {
		return nil
	}
	var like yaml.Style
	if len(section.Content) > 0 {
		like = section.Content[0].Style
	}
	if section.Style&yaml.FlowStyle != 0 {
		return s.intoFlow(section, path, value, like)
	}
	if len(section.Content) == 0 {
		return nil
	}
	indent, last := section.Content[0].Column-1, section.Content[len(section.Content)-1]
	if isList {
		indent = section.Column - 1 // where its dashes are
	} else {
		last = section.Content[len(section.Content)-2] // the name of the last field
	}
	entry := s.inBlock(path, value, indent, like)
	var ways []splice
	if !isList && len(path) == 1 && key != nil {
		if line, found := s.shownDefault(key.Line, indent, path[0]); found {
			ways = append(ways, s.lineAfter(line, entry))
		}
	}
	if indent == 0 && !isList && bytes.Contains(s.text, []byte(s.newline+s.newline)) {
		entry = s.newline + entry
	}
	return append(ways, s.lineAfter(s.lastLine(last.Line-1, indent, isList), entry))
}

// intoFlow adds to what stands in braces or brackets: at the end if that is found, else at the
// beginning.
func (s source) intoFlow(section *yaml.Node, path []string, value *yaml.Node,
	like yaml.Style) []splice {
	entry := inFlow(path, value, like)
	if section.Kind == yaml.SequenceNode {
		entry = written(value, like)
	}
	start, ok := s.offset(section.Line, section.Column)
	if !ok || start >= len(s.text) || s.text[start] != '{' && s.text[start] != '[' {
		return nil
	}
	if len(section.Content) == 0 {
		return []splice{{start + 1, start + 1, entry}}
	}
	var ways []splice
	if _, end, ok := s.span(section.Content[len(section.Content)-1]); ok {
		ways = append(ways, splice{end, end, ", " + entry})
	}
	if section.Kind == yaml.MappingNode {
		ways = append(ways, splice{start + 1, start + 1, entry + ", "})
	}
	return ways
}

// inFlow writes a field, with the sections on the way to it, on one line.
func inFlow(path []string, value *yaml.Node, like yaml.Style) string {
	if path[0] == "-" {
		return "[" + written(value, 0) + "]"
	}
	name := written(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: path[0]}, like)
	switch {
	case len(path) == 1:
		return name + ": " + written(value, 0)
	case path[1] == "-":
		return name + ": " + inFlow(path[1:], value, like)
	}
	return name + ": {" + inFlow(path[1:], value, like) + "}"
}

// inBlock writes a field, with the sections on the way to it, a line each.
func (s source) inBlock(path []string, value *yaml.Node, indent int, like yaml.Style) string {
	if path[0] == "-" {
		return strings.Repeat(" ", indent) + "- " + written(value, like) + s.newline
	}
	line := strings.Repeat(" ", indent) + written(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str",
		Value: path[0]},
		like) + ":"
	if len(path) == 1 {
		return line + " " + written(value, 0) + s.newline
	}
	return line + s.newline + s.inBlock(path[1:], value, indent+indentStep, like)
}

// offset is where a line and column are, both from 1; columns count characters.
func (s source) offset(line, column int) (int, bool) {
	at := 0
	for range line - 1 {
		next := bytes.IndexByte(s.text[at:], '\n')
		if next < 0 {
			return 0, false
		}
		at += next + 1
	}
	for range column - 1 {
		_, size := utf8.DecodeRune(s.text[at:])
		at += size
	}
	return at, at <= len(s.text)
}

// span is where a single value of one line stands, with its quotes.
func (s source) span(n *yaml.Node) (start, end int, ok bool) {
	start, ok = s.offset(n.Line, n.Column)
	if !ok || n.Kind != yaml.ScalarNode || start >= len(s.text) {
		return 0, 0, false
	}
	rest := s.text[start:]
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0 && rest[0] == '"':
		for i := 1; i < len(rest); i++ {
			switch rest[i] {
			case '\\':
				i++
			case '"':
				return start, start + i + 1, true
			}
		}
	case n.Style&yaml.SingleQuotedStyle != 0 && rest[0] == '\'':
		for i := 1; i < len(rest); i++ {
			if rest[i] != '\'' {
				continue
			}
			if i+1 == len(rest) || rest[i+1] != '\'' {
				return start, start + i + 1, true
			}
			i++
		}
	case n.Style&^yaml.TaggedStyle == 0 && bytes.HasPrefix(rest, []byte(n.Value)):
		return start, start + len(n.Value), true
	}
	return 0, 0, false
}

// afterColon is the place behind the colon of a field.
func (s source) afterColon(key *yaml.Node) (int, bool) {
	if key == nil {
		return 0, false
	}
	_, end, ok := s.span(key)
	if !ok {
		return 0, false
	}
	gap := bytes.IndexByte(s.text[end:], ':')
	if gap < 0 || len(bytes.TrimSpace(s.text[end:end+gap])) > 0 {
		return 0, false
	}
	return end + gap + 1, true
}
