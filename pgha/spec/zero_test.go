package spec

import (
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const zeroBase = `version: 1
hosts:
  - {name: a, address: 10.0.0.1, role: database}
  - {name: b, address: 10.0.0.2, role: database}
  - {name: c, address: 10.0.0.3, role: database}
  - {name: l, address: 10.0.0.4, role: balancer}
  - {name: m, address: 10.0.0.5, role: balancer}
vip: {address: 10.0.0.10}
`

// TestZeroIsAValueOrRefused writes zero, false, "" and empty lists and sections into every field:
// each holds, or is refused, and none is silently something else.
func TestZeroIsAValueOrRefused(t *testing.T) {
	t.Parallel()
	merged := []string{"postgresql.parameters"} // documented: they come over the defaults
	seen := 0
	eachLeaf(reflect.TypeFor[Spec](), nil, func(path []string, kind reflect.Kind) {
		for _, zero := range zerosOf(kind) {
			seen++
			field := strings.Join(path, ".")
			s, err := Parse(filepath.Join(t.TempDir(), "pgha.yaml"), withField(t, path, zero))
			switch {
			case err != nil && !strings.Contains(err.Error(), path[0]):
				t.Errorf("%s: %#v: refused without its name: %v", field, zero, err)
			case err == nil && !isZero(valueAt(reflect.ValueOf(s).Elem(), path)) &&
				!slices.Contains(merged, field):
				t.Errorf("%s: %#v is silently %v", field, zero,
					valueAt(reflect.ValueOf(s).Elem(), path))
			}
		}
	})
	if seen < 80 {
		t.Errorf("only %d values were tried", seen)
	}
}

func yamlName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return name
}

// eachLeaf calls f for each field that is no section. Hosts are left out: their fields have to be
// given.
func eachLeaf(typ reflect.Type, path []string, f func(path []string, kind reflect.Kind)) {
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || typ.NumField() == 0 || yamlName(typ.Field(0)) == "" {
		f(path, typ.Kind())
		return
	}
	for i := range typ.NumField() {
		if name := yamlName(typ.Field(i)); name != "" && name != "-" && name != "hosts" {
			eachLeaf(typ.Field(i).Type, append(slices.Clone(path), name), f)
		}
	}
}

func zerosOf(kind reflect.Kind) []any {
	switch kind {
	case reflect.Slice:
		return []any{[]any{}}
	case reflect.Map:
		return []any{map[string]any{}}
	case reflect.Bool:
		return []any{false}
	case reflect.String:
		return []any{""}
	}
	return []any{0, "", "0s"}
}

func withField(t *testing.T, path []string, value any) []byte {
	t.Helper()
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(zeroBase), &doc); err != nil {
		t.Fatal(err)
	}
	at := doc
	for _, name := range path[:len(path)-1] {
		inner, _ := at[name].(map[string]any)
		inner = maps.Clone(inner)
		if inner == nil {
			inner = map[string]any{}
		}
		at[name], at = inner, inner
	}
	at[path[len(path)-1]] = value
	text, err := yaml.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func valueAt(v reflect.Value, path []string) reflect.Value {
	for _, name := range path {
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		i := slices.IndexFunc(reflect.VisibleFields(v.Type()),
			func(f reflect.StructField) bool { return yamlName(f) == name })
		v = v.Field(i)
	}
	return v
}

func isZero(v reflect.Value) bool {
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	return v.IsZero() || (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0 ||
		fmt.Sprint(v) == "0s"
}
