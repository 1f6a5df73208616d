package spec

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/internal/scalar"
)

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
