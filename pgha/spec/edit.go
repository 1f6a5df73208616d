package spec

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/pgha/errs"
)

// ErrNotEditable is what errors.Is finds where a specification's text cannot be edited without
// touching more than the field: it is no YAML, uses anchors there, or writes the value over several
// lines.
var ErrNotEditable = errs.New(errs.Invalid, "cannot edit the specification")

// Change is one field that Edit sets.
type Change struct {
	// Path leads to the field from the top, a name a step: "patroni", "ttl". Names may have dots,
	// as those of parameters of extensions do. In a list an element is named by its index, "0"
	// being the first, and "-" is one more at its end.
	Path []string
	// Value is what the field becomes: nil (null), a bool, an int, int64 or float64, or a string.
	Value any
}

// Field is the path as errors and Marshal's readers write it: "hosts[2].priority".
func (c Change) Field() string {
	field := ""
	for i, name := range c.Path {
		if i > 0 && name != "" && strings.Trim(name, "0123456789") == "" &&
			slices.Contains([]string{"hosts", "pg_hba", "roles", "databases", "access"},
				c.Path[i-1]) {
			field += "[" + name + "]"
			continue
		}
		field = join(field, name)
	}
	return field
}

// Edit returns the text of a specification with fields set, and everything else, comments, order,
// indentation and quotes, byte for byte as it was. A field that is there keeps its place and its
// quotes; a missing one is added at the end of its section, or under the comment that shows its
// default, and so are missing sections.
//
// What comes out is read again: if it says anything but the old text with the fields set, nothing
// is returned, and the error is ErrNotEditable and names the field. Whether the values are right is
// not looked at: that is for Parse.
func Edit(src []byte, changes []Change) ([]byte, error) {
	for _, c := range changes {
		edited, err := edit(src, c)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrNotEditable, c.Field(), err)
		}
		src = edited
	}
	return src, nil
}

// edit makes one change: of the ways to write it, the first that means it.
func edit(src []byte, c Change) ([]byte, error) {
	root, err := textRoot(src)
	if err != nil {
		return nil, err
	}
	want := outline(root)
	value, err := scalarOf(c.Value)
	if err != nil {
		return nil, err
	}
	if want, err = assign(want, c.Path, outline(value)); err != nil {
		return nil, err
	}
	s := source{text: src, newline: "\n"}
	if bytes.Contains(src, []byte("\r\n")) {
		s.newline = "\r\n"
	}
	for _, splice := range s.splices(root, c.Path, value) {
		edited := slices.Concat(src[:splice.start], []byte(splice.text), src[splice.end:])
		if again, err := textRoot(edited); err == nil && equalOutline(outline(again), want) {
			return edited, nil
		}
	}
	return nil, errors.New("it is written in a way that only a person can change")
}

// textRoot returns the mapping that a text of one document holds.
func textRoot(src []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(src))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("read YAML: %w", err)
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one document")
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("it is no mapping")
	}
	return doc.Content[0], nil
}

// scalarOf makes a value's node, written on one line.
func scalarOf(value any) (*yaml.Node, error) {
	switch value.(type) {
	case nil, bool, int, int64, float64, string:
	default:
		return nil, fmt.Errorf("a %T is no single value", value)
	}
	var n yaml.Node
	if err := n.Encode(value); err != nil {
		return nil, err
	}
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		n.Style = yaml.DoubleQuotedStyle
	}
	return &n, nil
}

// written is a node on one line, as it can stand in a flow mapping, too; in the quotes of the one
// that it takes the place of.
func written(n *yaml.Node, like yaml.Style) string {
	out := *n
	out.LineComment, out.HeadComment, out.FootComment = "", "", ""
	if out.Tag == "!!str" && out.Style == 0 {
		switch {
		case like&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
			out.Style = like & (yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle)
		case strings.ContainsAny(out.Value, ",[]{}\n"), len(out.Value) > 70:
			out.Style = yaml.DoubleQuotedStyle
		}
	}
	text, err := yaml.Marshal(&out)
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(text), "\n")
}

// EditHosts returns the text of a specification without the hosts of these names, or of these
// members, and with others at the end of its list; everything else stays byte for byte as it was,
// comments too. A name that no host has is no error: it is safe to repeat. A host to add whose name
// is there already is left out. The error is ErrNotEditable as with Edit; whether the hosts are
// right is for Parse.
func EditHosts(src []byte, remove []string, add []Host) ([]byte, error) {
	fail := func(err error) ([]byte, error) {
		return nil, fmt.Errorf("%w: hosts: %w", ErrNotEditable, err)
	}
	there := map[string]bool{}
	for i := 0; ; {
		list, err := hostList(src)
		if err != nil {
			return fail(err)
		}
		if i >= len(list.Content) {
			break
		}
		var h Host
		if err := list.Content[i].Decode(&h); err != nil {
			return fail(err)
		}
		if !slices.Contains(remove, h.Name) && !slices.Contains(remove, cmp.Or(h.Member, h.Name)) {
			there[h.Name] = true
			i++
			continue
		}
		if src, err = editHost(src, list, i, nil); err != nil {
			return fail(err)
		}
	}
	for _, h := range add {
		if there[h.Name] {
			continue
		}
		list, err := hostList(src)
		if err != nil {
			return fail(err)
		}
		if h.Member == h.Name {
			h.Member = ""
		}
		var n yaml.Node
		if err := n.Encode(h); err != nil {
			return fail(err)
		}
		if src, err = editHost(src, list, -1, &n); err != nil {
			return fail(err)
		}
	}
	return src, nil
}

// hostList is the list of hosts in a text.
func hostList(src []byte) (*yaml.Node, error) {
	root, err := textRoot(src)
	if err != nil {
		return nil, err
	}
	_, list := childOf(root, "hosts")
	if list == nil || list.Kind != yaml.SequenceNode || list.Style&yaml.FlowStyle != 0 ||
		len(list.Content) == 0 {
		return nil, errors.New("it is no list with a host on each line, or more: only a person can " +
			"change it")
	}
	return list, nil
}

// editHost takes element i out of the list of hosts, or puts one at its end.
func editHost(src []byte, list *yaml.Node, i int, added *yaml.Node) ([]byte, error) {
	s, indent := source{text: src, newline: "\n"}, list.Column-1
	if bytes.Contains(src, []byte("\r\n")) {
		s.newline = "\r\n"
	}
	want := outline(list).([]any)
	at := splice{}
	if added == nil {
		want = slices.Delete(want, i, i+1)
		first := list.Content[i].Line - 1
		lines, start := s.lines(), 0
		for _, line := range lines[:first] {
			start += len(line)
		}
		at = splice{start: start, end: start}
		for _, line := range lines[first : s.lastLine(first, indent, true)+1] {
			at.end += len(line)
		}
	} else {
		want = append(want, outline(added))
		fields := make([]string, 0, len(added.Content)/2)
		for j := 0; j+1 < len(added.Content); j += 2 {
			if added.Content[j+1].Kind != yaml.ScalarNode {
				added.Content[j+1].Style = yaml.FlowStyle
			}
			text, err := yaml.Marshal(added.Content[j+1])
			if err != nil {
				return nil, err
			}
			fields = append(fields, added.Content[j].Value+": "+strings.TrimSpace(string(text)))
		}
		last := list.Content[len(list.Content)-1].Line - 1
		at = s.lineAfter(s.lastLine(last, indent, true), strings.Repeat(" ", indent)+"- {"+
			strings.Join(fields, ", ")+"}"+s.newline)
	}
	edited := slices.Concat(src[:at.start], []byte(at.text), src[at.end:])
	again, err := hostList(edited)
	if err == nil && !equalOutline(outline(again), any(want)) {
		err = errors.New("it is written in a way that only a person can change")
	}
	return edited, err
}
