package dynamic

import (
	"encoding/json"
	"testing"

	"github.com/pgha/toolkit/pgha/patroni/rest"
)

func TestDifference(t *testing.T) {
	t.Parallel()
	parse := func(text string) map[string]any {
		config, err := rest.ParseConfig([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return config
	}
	for name, tt := range map[string]struct{ have, want, patch, words string }{
		"same":            {`{"ttl": 30, "other": 1}`, `{"ttl": 30}`, `{}`, ``},
		"text and number": {`{"ttl": "30"}`, `{"ttl": 30}`, `{}`, ``},
		"changed": {`{"ttl": 30}`, `{"ttl": 20}`, `{"ttl":20}`,
			`ttl changed from 30 to 20;`},
		"missing": {`{}`, `{"a": false}`, `{"a":false}`, `a set to false;`},
		"null":    {`{"a": null}`, `{"a": false}`, `{"a":false}`, `a set to false;`},
		"nested": {`{"postgresql": {"use_slots": true, "parameters": {"a": 1, "b": 2}}}`,
			`{"postgresql": {"use_slots": true, "parameters": {"b": 3}}}`,
			`{"postgresql":{"parameters":{"b":3}}}`,
			`postgresql.parameters.b changed from 2 to 3;`},
		"not an object": {
			`{"postgresql": 1}`, `{"postgresql": {"use_slots": true}}`,
			`{"postgresql":{"use_slots":true}}`,
			`postgresql.use_slots set to true;`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			patch, changes := Difference(parse(tt.have), parse(tt.want))
			encoded, err := json.Marshal(patch)
			if err != nil {
				t.Fatal(err)
			}
			words := ""
			for _, c := range changes {
				words += c.Name + " " + c.Action + ";"
			}
			if string(encoded) != tt.patch || words != tt.words {
				t.Errorf("patch %s, words %q", encoded, words)
			}
		})
	}
}

func TestDrop(t *testing.T) {
	t.Parallel()
	config := func(text string) map[string]any {
		c, err := rest.ParseConfig([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for name, tt := range map[string]struct{ wanted, written, current, want string }{
		"no longer said": {
			`{"ttl": 30}`, `{"ttl": 30, "a": 1}`, `{"ttl": 30, "a": 1}`, `{"a":null,"ttl":30}`,
		},
		"another's value by now": {`{}`, `{"a": 1}`, `{"a": 2}`, `{}`},
		"gone already":           {`{}`, `{"a": 1}`, `{}`, `{}`},
		"another's key":          {`{}`, `{}`, `{"a": 1}`, `{}`},
		"nothing written":        {`{"a": 2}`, `{}`, `{"a": 1, "b": 2}`, `{"a":2}`},
		"a parameter": {
			`{"postgresql": {"parameters": {"x": 1}}}`,
			`{"postgresql": {"parameters": {"x": 1, "y": "2"}}}`,
			`{"postgresql": {"parameters": {"x": 1, "y": 2}}}`,
			`{"postgresql":{"parameters":{"x":1,"y":null}}}`,
		},
		"the section is not named": {
			`{}`, `{"p": {"q": {"y": 1}}}`, `{"p": {"q": {"y": 1}}}`, `{"p":{"q":{"y":null}}}`,
		},
		"a slot": {
			`{}`, `{"slots": {"a": {"type": "logical"}, "b": {"type": "physical"}}}`,
			`{"slots": {"a": {"type": "logical"}, "b": {"type": "physical"}, "c": {}}}`,
			`{"slots":{"a":null,"b":null}}`,
		},
		"another's slot by now": {
			`{}`, `{"slots": {"a": {"type": "logical", "plugin": "x"}}}`,
			`{"slots": {"a": {"type": "logical", "plugin": "y"}}}`, `{}`,
		},
		"a section became a value": {`{}`, `{"p": {"y": 1}}`, `{"p": 1}`, `{}`},
		"zero is a value":          {`{"a": 0}`, `{"a": 1}`, `{"a": 1}`, `{"a":0}`},
		"null is a wish":           {`{"a": null}`, `{"a": 1}`, `{"a": 5}`, `{"a":null}`},
	} {
		wanted := config(tt.wanted)
		Drop(wanted, config(tt.written), config(tt.current))
		got, err := json.Marshal(wanted)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %s, want %s (%v)", name, got, tt.want, err)
		}
	}
}

// TestYield: a list of slots to be left alone that somebody has written is not replaced.
func TestYield(t *testing.T) {
	t.Parallel()
	list := func(kind string) []any { return []any{map[string]any{"type": kind}} }
	for name, tt := range map[string]struct {
		written, current any
		stays            bool
	}{
		"nobody has written one": {nil, nil, true},
		"an earlier run has":     {list("logical"), list("logical"), true},
		"an operator has":        {nil, list("physical"), false},
		"an operator has since":  {list("logical"), list("physical"), false},
	} {
		of := func(value any) map[string]any {
			if value == nil {
				return map[string]any{}
			}
			return map[string]any{"ignore_slots": value}
		}
		wanted := of(list("logical"))
		Yield(wanted, of(tt.written), of(tt.current))
		if _, stays := wanted["ignore_slots"]; stays != tt.stays {
			t.Errorf("%s: %v", name, wanted)
		}
	}
}
