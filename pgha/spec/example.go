package spec

import (
	_ "embed"
	"slices"
)

//go:embed example.yaml
var example []byte

// Example returns a commented spec of six hosts to start from. Parse accepts it as it is; its values are the defaults
// except for the hosts, the time zone and the virtual IP.
func Example() []byte { return slices.Clone(example) }
