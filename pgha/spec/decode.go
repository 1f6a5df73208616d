package spec

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/pgha/errs"
)

// decoder fills a Spec from YAML. It goes on after an error, and remembers where each field stands
// for the checks that follow.
type decoder struct {
	file string
	at   map[string]position
	lost map[string]bool    // fields whose value could not be read
	bare map[string]float64 // durations without a unit, which are lost, too
	// formal are fields that are right but for their form, with the place of the error in errs.
	formal map[string]int
	errs   []Error
}

func newDecoder(file string) *decoder {
	return &decoder{file: file, at: map[string]position{}, lost: map[string]bool{},
		bare: map[string]float64{}, formal: map[string]int{}}
}

// position is a place in the file.
type position struct{ line, column int }

// report notes a problem at a field, or at the nearest section that holds it when the field itself
// is not in the file.
func (d *decoder) report(field, problem, todo string) { d.reportNext(field, problem, remedy(todo)) }

// reportNext does what report does, for a remedy that refers to verbs.
func (d *decoder) reportNext(field, problem string, remedy errs.Next) {
	p := nearest(d.at, field)
	d.errs = append(d.errs, Error{File: d.file, Line: p.line, Column: p.column, Field: field,
		Problem: problem, Remedy: remedy})
}

// unread notes that a field's value could not be read, so that nothing more is said about it.
func (d *decoder) unread(field, problem, remedy string) {
	d.report(field, problem, remedy)
	d.lost[field] = true
}

// isLost tells whether a field, or the section it is in, could not be read.
func (d *decoder) isLost(field string) bool {
	for path := field; path != ""; path = parent(path) {
		if d.lost[path] {
			return true
		}
	}
	return d.lost[""]
}

// mark remembers where a field stands.
func (d *decoder) mark(field string, n *yaml.Node) { d.at[field] = position{n.Line, n.Column} }

// value reads a node into v.
func (d *decoder) value(field string, n *yaml.Node, v reflect.Value, unit string) {
	d.mark(field, n)
	if d.decorated(field, n) {
		return
	}
	if isNull(n) {
		switch {
		case v.Kind() == reflect.Struct:
		case n.Value != "" && n.Value != "~" && v.Kind() == reflect.String:
			d.unread(field, n.Value+" means no value",
				"write "+strconv.Quote(n.Value)+" in quotes if it is text, or delete the line")
		default:
			d.unread(field, "has no value", "write one, or delete the line")
		}
		return
	}
	switch {
	case v.Kind() == reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		switch v := p.Interface().(type) {
		case *VIP:
			*v = newVIP()
		case *Backup:
			*v = newBackup()
		case *Pooler:
			*v = newPooler()
		}
		d.value(field, n, p.Elem(), unit)
		v.Set(p)
	case isNamed(v) && n.Kind == yaml.ScalarNode:
		d.scalar(field, n, v.FieldByName("Name"), "")
		d.mark(join(field, "name"), n)
	case v.Kind() == reflect.Struct:
		d.structure(field, n, v)
	case v.Kind() == reflect.Slice:
		d.list(field, n, v)
	case v.Kind() == reflect.Map:
		if d.is(field, n, yaml.MappingNode, "a mapping",
			"write it as lines of the form name: value") {
			v.Set(reflect.ValueOf(d.mapping(field, n)))
		}
	default:
		d.scalar(field, n, v, unit)
	}
}

// isNamed tells whether a name alone may stand for a section.
func isNamed(v reflect.Value) bool {
	return v.Type() == reflect.TypeFor[PGSchema]() || v.Type() == reflect.TypeFor[PGExtension]()
}

// decorated reports what YAML can put in front of a value.
func (d *decoder) decorated(field string, n *yaml.Node) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		d.unread(field, "aliases are not read here", "write the value out")
	case n.Anchor != "":
		d.unread(field, "anchors are not read here", "delete &"+n.Anchor)
	case n.Style&yaml.TaggedStyle != 0:
		d.unread(field, "tags of YAML are not read here", "delete "+n.Tag)
	default:
		return false
	}
	return true
}

// isNull tells whether a node stands for no value.
func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && isPlain(n) && n.ShortTag() == "!!null"
}

// is reports a node of another kind than the field's.
func (d *decoder) is(field string, n *yaml.Node, kind yaml.Kind, name, remedy string) bool {
	if n.Kind != kind {
		d.unread(field, shown(n)+" is not "+name, remedy)
	}
	return n.Kind == kind
}

// structure reads a mapping whose keys are known.
func (d *decoder) structure(field string, n *yaml.Node, v reflect.Value) {
	if !d.is(field, n, yaml.MappingNode, "a section", "write its fields below it, indented") {
		return
	}
	index, names := fields(v.Type())
	for key, value := range d.pairs(field, n) {
		i, known := index[key.Value]
		if !known {
			path := join(field, key.Value)
			d.mark(path, key)
			d.report(path, "unknown field", didYouMean(key.Value, names))
			continue
		}
		path := join(field, key.Value)
		d.value(path, value, v.Field(i), v.Type().Field(i).Tag.Get("unit"))
		if value.Kind != yaml.ScalarNode {
			d.mark(path, key) // a section stands where its name does
		}
	}
}

// pairs yields the keys of a mapping with their values and reports those that are repeated or no
// plain names.
func (d *decoder) pairs(field string, n *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		first := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			if key.Kind != yaml.ScalarNode || key.Anchor != "" || key.Style&yaml.TaggedStyle != 0 {
				d.errs = append(d.errs, Error{d.file, key.Line, key.Column, field,
					"a field's name is no plain text", remedy("write name: value")})
				continue
			}
			if key.Value == "<<" && isPlain(key) {
				d.errs = append(d.errs, Error{d.file, key.Line, key.Column, join(field, "<<"),
					"other sections are not merged in", remedy("write the fields out")})
				continue
			}
			if line, again := first[key.Value]; again {
				d.errs = append(d.errs, Error{d.file, key.Line, key.Column, join(field, key.Value),
					fmt.Sprintf("stands here for the second time, after line %d", line),
					remedy("delete one of the two")})
				continue
			}
			first[key.Value] = key.Line
			if !yield(key, value) {
				return
			}
		}
	}
}

// list reads a sequence. New hosts and the like start from their zero value.
func (d *decoder) list(field string, n *yaml.Node, v reflect.Value) {
	if !d.is(field, n, yaml.SequenceNode, "a list",
		"write [a, b], or one line each that starts with \"- \"") {
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.value(element(field, i), item, out.Index(i), "")
	}
	v.Set(out)
}

// mapping reads a mapping whose keys are free.
func (d *decoder) mapping(field string, n *yaml.Node) map[string]any {
	m := map[string]any{}
	for key, value := range d.pairs(field, n) {
		m[key.Value] = d.free(join(field, key.Value), value)
	}
	return m
}

// free reads a value of any kind.
func (d *decoder) free(field string, n *yaml.Node) any {
	d.mark(field, n)
	switch {
	case d.decorated(field, n):
	case n.Kind == yaml.MappingNode:
		return d.mapping(field, n)
	case n.Kind == yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = d.free(element(field, i), item)
		}
		return list
	default:
		return d.plain(field, n)
	}
	return nil
}

// fields returns the index of each field of a struct by its name in YAML, and the names in order.
func fields(t reflect.Type) (map[string]int, []string) {
	index := map[string]int{}
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); name != "" {
			index[name] = i
		}
	}
	return index, slices.SortedFunc(maps.Keys(index),
		func(a, b string) int { return index[a] - index[b] })
}

func join(field, name string) string {
	if field == "" {
		return name
	}
	return field + "." + name
}

// parent is the section that holds a field.
func parent(field string) string { return field[:max(0, strings.LastIndexAny(field, ".["))] }

func element(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

var durationType = reflect.TypeFor[time.Duration]()
