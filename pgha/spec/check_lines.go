package spec

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/oneline"
)

// lines refuses line ends and other control characters in every text of the spec: nearly all reach
// a file on a host that has one value a line, and one that is broken off there keeps a service from
// starting. Commands that run on this machine alone may have several lines. A field that has a
// problem already keeps that one.
func (c *checker) lines() { c.walk("", reflect.ValueOf(c.Spec).Elem()) }

func (c *checker) walk(field string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			c.walk(field, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
			if name != "" && !strings.HasSuffix(name, "_command") {
				c.walk(join(field, name), v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			c.walk(element(field, i), v.Index(i))
		}
	case reflect.Map:
		keys := slices.Sorted(maps.Keys(stringKeys(v)))
		for _, key := range keys {
			c.line(field, key)
			c.walk(join(field, key), v.MapIndex(reflect.ValueOf(key)))
		}
	case reflect.String:
		c.line(field, v.String())
	}
}

func stringKeys(m reflect.Value) map[string]bool {
	keys := map[string]bool{}
	for _, key := range m.MapKeys() {
		keys[fmt.Sprint(key.Interface())] = true
	}
	return keys
}

func (c *checker) line(field, text string) {
	problem, remedy := oneline.Fault(text)
	if problem == "" || slices.ContainsFunc(c.d.errs,
		func(e Error) bool { return e.Field == field }) {
		return
	}
	c.bad(field, problem, remedy)
}
