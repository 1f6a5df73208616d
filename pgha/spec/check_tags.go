package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/scalar"
	"github.com/pgha/toolkit/internal/suggest"
)

// knownTags are Patroni's own, with the type of their value.
var knownTags = map[string]string{
	"nofailover": "boolean", "noloadbalance": "boolean", "clonefrom": "boolean", "nosync": "boolean",
	"nostream":          "boolean",
	"failover_priority": "number", "sync_priority": "number", "replicatefrom": "member",
}

func (c *checker) tags(field string, h Host) {
	for _, name := range slices.Sorted(maps.Keys(h.Tags)) {
		at, value := join(field, name), h.Tags[name]
		switch knownTags[name] {
		case "boolean":
			if _, ok := value.(bool); !ok {
				c.bad(at, fmt.Sprintf("%v is not a boolean", value), unquotedOr(value, "write true or false"))
			}
		case "number":
			if n, ok := value.(int); !ok || n < 0 {
				c.bad(at, fmt.Sprintf("%v is not a whole number from 0 on", value),
					unquotedOr(value, "write a number such as 1; 0 means never"))
			}
		case "member":
			c.replicateFrom(at, h, fmt.Sprint(value))
		default:
			if near := suggest.Nearest(name, slices.Sorted(maps.Keys(knownTags))); near != "" {
				c.bad(at, "is not a tag of Patroni but nearly one", "did you mean "+near+"?")
			}
			switch value.(type) {
			case nil, []any, map[string]any:
				c.bad(at, "is not a single value", "write text, a number, true or false")
			}
		}
	}
	if priority, ok := h.Tags["failover_priority"].(int); ok && h.Tags["nofailover"] == true &&
		priority > 0 {
		c.bad(join(field, "failover_priority"), fmt.Sprintf("%d contradicts nofailover: true", priority),
			"keep one of the two")
	}
	if priority, ok := h.Tags["sync_priority"].(int); ok && h.Tags["nosync"] == true && priority > 0 {
		c.bad(join(field, "sync_priority"), fmt.Sprintf("%d contradicts nosync: true", priority),
			"keep one of the two")
	}
	if h.Tags["nostream"] == true {
		c.noStream(field, h)
	}
}

// unquotedOr is the remedy for text where quotes alone may be wrong.
func unquotedOr(value any, remedy string) string {
	text, ok := value.(string)
	if !ok {
		return remedy
	}
	_, noBool := scalar.Bool(text)
	n, noNumber := scalar.Whole(text)
	if (noBool == nil && strings.Contains(remedy, "true")) ||
		(noNumber == nil && n >= 0 && strings.Contains(remedy, "number")) {
		return "write " + text + " without quotes"
	}
	return remedy
}

func (c *checker) replicateFrom(field string, h Host, source string) {
	var others []string
	for _, o := range c.Databases() {
		if o.Member != h.Member {
			others = append(others, o.Member)
		}
	}
	if !slices.Contains(others, source) {
		c.bad(field, quoted(source)+" is not another member", didYouMean(source, others))
	}
}
