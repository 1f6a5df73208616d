package spec

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// scalar reads a text, number, duration or boolean into v.
func (d *decoder) scalar(field string, n *yaml.Node, v reflect.Value, unit string) {
	if v.Type() == durationType {
		d.duration(field, n, v, unit)
		return
	}
	tag := n.ShortTag()
	switch v.Kind() {
	case reflect.String:
		// A name like 12 and a version like 3.6 are the text that they are written as.
		if n.Kind != yaml.ScalarNode || !slices.Contains([]string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp"}, tag) {
			d.unread(field, shown(n)+" is not text", "write a single value")
			return
		}
		v.SetString(n.Value)
	case reflect.Bool:
		if tag != "!!bool" || n.Decode(v.Addr().Interface()) != nil {
			d.unread(field, shown(n)+" is not a boolean", "write true or false")
		}
	default:
		if tag != "!!int" || n.Decode(v.Addr().Interface()) != nil {
			d.unread(field, shown(n)+" is not a whole number", "write digits only")
		}
	}
}

// duration reads "10s", "1h30m" and the like, and a plain number where the field has a unit of its own.
func (d *decoder) duration(field string, n *yaml.Node, v reflect.Value, unit string) {
	if t, err := time.ParseDuration(n.Value); n.Kind == yaml.ScalarNode && err == nil && (t != 0 || unit == "" || n.Value != "0") {
		if t < 0 {
			d.unread(field, shown(n)+" is negative", "write a duration such as 10s")
		}
		v.SetInt(int64(t))
		return
	}
	number, err := strconv.ParseFloat(n.Value, 64)
	switch {
	case n.Kind != yaml.ScalarNode || err != nil || math.IsNaN(number):
		remedy := "write a number with a unit, such as 500ms, 10s, 5m or 1h30m"
		if strings.HasSuffix(n.Value, "d") {
			remedy = "days are not a unit; write hours, such as 24h"
		}
		d.unread(field, shown(n)+" is not a duration", remedy)
	case unit == "":
		d.unread(field, shown(n)+" has no unit", "write "+n.Value+"s for seconds or "+n.Value+"ms for milliseconds")
	case number < 0 || number > 1e9:
		d.unread(field, shown(n)+" is out of range", "write seconds, or a duration such as 10s")
	default:
		v.SetInt(int64(math.Round(number * float64(time.Second))))
	}
}

// shown is a value as an error names it.
func shown(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return quoted(n.Value)
}

// quoted shows a value on one line, shortened if it is long.
func quoted(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:57]) + "..."
	}
	return strconv.Quote(s)
}
