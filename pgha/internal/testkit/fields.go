package testkit

import (
	"reflect"
	"strings"

	"github.com/pgha/toolkit/pgha/spec"
)

// Fields are all fields of the specification that have a value of their own, as it writes them:
// "etcd.client_port", "hosts[].address".
func Fields() []string { return fieldsBelow("", reflect.TypeFor[spec.Spec]()) }

func fieldsBelow(prefix string, typ reflect.Type) []string {
	var names []string
	for f := range typ.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if !f.IsExported() || name == "" || name == "-" {
			continue
		}
		name, inner := prefix+name, f.Type
		if inner.Kind() == reflect.Slice && inner.Elem().Kind() == reflect.Struct {
			name, inner = name+"[]", inner.Elem()
		}
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct {
			names = append(names, fieldsBelow(name+".", inner)...)
			continue
		}
		names = append(names, name)
	}
	return names
}
