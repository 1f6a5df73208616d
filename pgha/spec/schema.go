package spec

import (
	_ "embed"
	"slices"
)

//go:generate go test -run=^TestSchemaIsUpToDate$ -update .
//go:embed schema.json
var schema []byte

// Schema returns the JSON Schema (draft 2020-12) of a spec, for editors: names, descriptions,
// defaults, words to choose from and the form of addresses and durations. It refuses nothing that
// Parse accepts. Parse says more: the schema cannot compare two fields, and looks at no file.
func Schema() []byte { return slices.Clone(schema) }

//go:embed example.yaml
var example []byte

// Example returns a commented spec of six hosts to start from. Parse accepts it as it is; its
// values are the defaults except for the hosts, the time zone and the virtual IP.
func Example() []byte { return slices.Clone(example) }
