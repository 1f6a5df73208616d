package spec

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/internal/scalar"
	"github.com/pgha/toolkit/internal/suggest"
)

// quoting are the styles that make text of whatever stands in them.
const quoting = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle

// isPlain tells whether a value stands without quotes.
func isPlain(n *yaml.Node) bool { return n.Style&quoting == 0 }

// scalar reads a text, number, duration or boolean into v. The field decides what its value is;
// what YAML would make of it does not count.
func (d *decoder) scalar(field string, n *yaml.Node, v reflect.Value, unit string) {
	if n.Kind != yaml.ScalarNode {
		d.unread(field, shown(n)+" is not "+kindOf(v), "write a single value")
		return
	}
	fault := d.text(field, n.Value, v, unit)
	if fault == nil && !isPlain(n) && v.Kind() != reflect.String && v.Type() != durationType {
		fault = &scalar.Fault{Problem: "is text because of its quotes",
			Remedy: "write " + n.Value + " without quotes"}
	}
	if fault == nil {
		return
	}
	d.unread(field, shown(n)+" "+fault.Problem, fault.Remedy)
	// Where it is clear what is meant, that is checked, too, so that the remedy is one that will be
	// accepted.
	if meant, ok := strings.CutPrefix(fault.Remedy, "write "); ok {
		meant, _, _ = strings.Cut(meant, " ")
		if d.text(field, strings.TrimSuffix(meant, ","), v, unit) == nil {
			delete(d.lost, field)
			d.formal[field] = len(d.errs) - 1
		}
	}
}

// text reads what stands in a value.
func (d *decoder) text(field, text string, v reflect.Value, unit string) *scalar.Fault {
	switch {
	case v.Type() == durationType:
		return d.duration(field, text, v, unit)
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		b, fault := scalar.Bool(text)
		v.SetBool(b)
		return fault
	default:
		n, fault := scalar.Whole(text)
		v.SetInt(n)
		return fault
	}
	return nil
}

// kindOf is what a field wants, for messages.
func kindOf(v reflect.Value) string {
	switch {
	case v.Type() == durationType:
		return "a duration"
	case v.Kind() == reflect.String:
		return "text"
	case v.Kind() == reflect.Bool:
		return "a boolean"
	}
	return "a whole number"
}

// duration reads "10s", "1h30m" and the like, and a plain number where the field has a unit of its
// own. A number without a unit in another field is left to the check of its range, which knows what
// units can be meant.
func (d *decoder) duration(field, text string, v reflect.Value, unit string) *scalar.Fault {
	read := scalar.Duration
	if unit != "" {
		read = scalar.Seconds
	}
	t, fault := read(text)
	if number, bare := scalar.Loose(text); bare && number >= 0 && unit == "" {
		d.bare[field], d.lost[field] = number, true
		return nil
	}
	v.SetInt(int64(t))
	return fault
}

// withUnit reports a number that needs one of two units, of which the range, in its steps,
// allows some.
func (d *decoder) withUnit(field string, number float64, least, most, step time.Duration) {
	var fitting []string
	for _, u := range []struct {
		size       time.Duration
		name, text string
	}{{time.Second, "s", "seconds"}, {time.Millisecond, "ms", "milliseconds"}, {time.Minute, "m",
		"minutes"}} {
		t := number * float64(u.size)
		if t >= float64(least) && t <= float64(most) && math.Mod(t, float64(step)) == 0 &&
			len(fitting) < 2 {
			fitting = append(fitting, scalar.Text(number)+u.name+" for "+u.text)
		}
	}
	remedy := fmt.Sprintf("write a duration from %s to %s", scalar.Short(least), scalar.Short(most))
	if len(fitting) > 0 {
		remedy = "write " + strings.Join(fitting, " or ")
	}
	d.report(field, quoted(scalar.Text(number))+" has no unit", remedy)
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

// didYouMean is a remedy that names the nearest candidate, or lists them all.
func didYouMean(word string, candidates []string) string {
	if c := suggest.Nearest(word, candidates); c != "" {
		return "did you mean " + c + "?"
	}
	if len(candidates) == 0 {
		return "remove it"
	}
	return "write one of " + strings.Join(candidates, ", ")
}

// freedom says how a value is read whose kind its field does not tell.
type freedom int

const (
	// anyValue is text, a number, true or false; what can be taken for two of these is refused.
	anyValue freedom = iota
	// settingValue is a setting of PostgreSQL, which reads all of them as text: on, off, 1.10 and
	// 4e3 stay as they are written.
	settingValue
	// wholeValue, truthValue and textValue are what Patroni's own tags want.
	wholeValue
	truthValue
	textValue
)

// freedomOf tells how the values below a field are read.
func freedomOf(field string) freedom {
	if strings.HasPrefix(field, "postgresql.parameters.") {
		return settingValue
	}
	if _, tag, ok := strings.Cut(field, "].tags."); ok && strings.HasPrefix(field, "hosts[") {
		switch knownTags[tag] {
		case "boolean":
			return truthValue
		case "number":
			return wholeValue
		case "member":
			return textValue
		}
	}
	return anyValue
}

// plain reads a value of a free kind.
func (d *decoder) plain(field string, n *yaml.Node) any {
	as := freedomOf(field)
	if !isPlain(n) || as == textValue {
		return n.Value
	}
	if n.ShortTag() == "!!null" {
		return nil
	}
	value, fault := freeValue(n.Value, as)
	if fault != nil {
		d.unread(field, shown(n)+" "+fault.Problem, fault.Remedy)
		return nil
	}
	return value
}

// freeValue reads a text that stands without quotes.
func freeValue(text string, as freedom) (any, *scalar.Fault) {
	switch as {
	case truthValue:
		return scalar.Bool(text)
	case wholeValue:
		n, fault := scalar.Whole(text)
		return int(n), fault
	}
	if b, fault := scalar.Bool(text); fault == nil {
		return b, nil
	}
	if fault := scalar.Strange(text); fault != nil {
		if as == anyValue {
			fault.Remedy += orText(text)
		}
		return nil, fault
	}
	if n, fault := scalar.Whole(text); fault == nil {
		return int(n), nil
	}
	f, number := scalar.Loose(text)
	switch {
	case number && scalar.Text(f) == text:
		return f, nil
	case as == settingValue:
		return text, nil
	case number:
		return nil, &scalar.Fault{Problem: "is not the shortest form of a number",
			Remedy: "write " + scalar.Text(f) + orText(text)}
	case scalar.YAML11(text):
		meant, _ := scalar.Truth(text)
		return nil, &scalar.Fault{Problem: "is text here and a boolean elsewhere",
			Remedy: "write " + strconv.FormatBool(meant) + orText(text)}
	}
	return text, nil
}

// orText offers quotes.
func orText(text string) string {
	return ", or " + strconv.Quote(text) + " in quotes if it is text"
}
