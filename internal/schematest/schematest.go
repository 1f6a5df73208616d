// Package schematest compares what pgha-cli prints for machines with its published schema.
package schematest

import (
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

// Check fails the test if a run with these arguments and --output json has printed something that
// the schema in the file does not describe. Runs without that option are not looked at. Safe for
// concurrent use.
func Check(t testing.TB, file string, args []string, stdout string) {
	t.Helper()
	if !wanted(args) || stdout == "" {
		return
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all jsonschema.Schema
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	name := command(all.Defs, args)
	if name == "" {
		t.Errorf("%s describes nothing that %v prints", file, args)
		return
	}
	all.Ref = "#/$defs/" + url.PathEscape(name)
	resolved, err := all.Resolve(nil)
	if err != nil {
		t.Fatalf("%s: %s: %v", file, name, err)
	}
	documents := 0
	for decoder := json.NewDecoder(strings.NewReader(stdout)); ; documents++ {
		var document any
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Errorf("%v prints no JSON: %v\n%s", args, err, stdout)
			return
		}
		if err := resolved.Validate(document); err != nil {
			t.Errorf("%v prints what the schema of %s does not describe: %v\n%s", args, name,
				err, stdout)
			return
		}
	}
	if documents != 1 && name != "apply" && name != "logs" {
		t.Errorf("%v prints %d documents", args, documents)
	}
}

func wanted(args []string) bool {
	for i, arg := range args {
		if arg == "--output=json" || (arg == "--output" || arg == "-o") &&
			slices.Equal(args[i+1:min(i+2, len(args))],
				[]string{"json"}) {
			return true
		}
	}
	return false
}

// command finds the command among the arguments: its one or two words stand together.
func command(all map[string]*jsonschema.Schema, args []string) string {
	for i := range args {
		for _, n := range []int{2, 1} {
			if name := strings.Join(args[i:min(i+n, len(args))], " "); all[name] != nil {
				return name
			}
		}
	}
	return ""
}
