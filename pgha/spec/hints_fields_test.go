package spec_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/spec"
)

// wrongValues are wrong for most fields, each in another way.
var wrongValues = []any{
	"nonsense value", "-3s", "999999999", []any{"x all all 10.0.0.0/8 reject"},
}

// TestHintsOfEveryField gives every field of the specification values that are wrong for most, and
// applies what the remedies name. A field that is added takes part by itself.
func TestHintsOfEveryField(t *testing.T) {
	t.Parallel()
	dir, tried, fields := folder(t), 0, map[string]bool{}
	for _, field := range testkit.Fields() {
		for _, wrong := range wrongValues {
			text := withField(t, field, wrong)
			_, err := spec.Parse(filepath.Join(dir, "pgha.yaml"), []byte(text))
			var all *spec.Errors
			if err != nil && !errors.As(err, &all) {
				t.Fatalf("%s: %v", field, err)
			}
			if err == nil {
				continue
			}
			for _, e := range all.List {
				if !strings.HasPrefix(e.Field, strings.ReplaceAll(field, "[]", "[0]")) {
					continue // another field suffers, and its remedy is about that
				}
				var refusals []string
				accepted := false
				for _, value := range proposed(e.Remedy.String()) {
					again, ok := corrected(t, dir, text, e, value)
					if !ok {
						continue
					}
					tried++
					fields[field] = true
					accepted = accepted || again == ""
					refusals = append(refusals, value+" says of it: "+again)
				}
				if len(refusals) > 0 && !accepted {
					t.Errorf("%s: %v: %s: %s\n%s", field, wrong, e.Problem, e.Remedy,
						strings.Join(refusals, "\n"))
				}
			}
		}
	}
	t.Logf("%d values for %d fields", tried, len(fields))
	if tried < 250 || len(fields) < 50 {
		t.Errorf("only %d values were tried, for %d fields", tried, len(fields))
	}
}

// withField is the minimal specification, with a field set in its first host or its section.
func withField(t *testing.T, field string, value any) string {
	t.Helper()
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(minimal), &doc); err != nil {
		t.Fatal(err)
	}
	at, steps := doc, strings.Split(field, ".")
	for _, step := range steps[:len(steps)-1] {
		if list, ok := strings.CutSuffix(step, "[]"); ok {
			items, _ := at[list].([]any)
			if len(items) == 0 {
				items = []any{map[string]any{}}
				at[list] = items
			}
			at = items[0].(map[string]any) //nolint:errcheck // a specification's lists are of objects
			continue
		}
		inner, ok := at[step].(map[string]any)
		if !ok {
			inner = map[string]any{}
			at[step] = inner
		}
		at = inner
	}
	// A scalar stands as an operator would type it.
	node := yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(value)}
	if text, ok := value.(string); !ok || strings.Contains(text, "\n") {
		at[steps[len(steps)-1]] = value
	} else {
		at[steps[len(steps)-1]] = &node
	}
	text, err := yaml.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
