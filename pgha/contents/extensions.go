package contents

import (
	_ "embed"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/spec"
)

// bundled are the extensions of PostgreSQL 14 to 18 that Debian's postgresql-<version> brings, a
// name a line. Those of procedural languages have packages of their own.
//
//go:embed bundled.txt
var bundled string

// Bundled reports whether an extension comes with PostgreSQL itself.
func Bundled(extension string) bool {
	return slices.Contains(strings.Fields(bundled), extension)
}

// Packages are the packages of the specification's extensions, each once, sorted.
func Packages(sp *spec.Spec) []string {
	var names []string
	for _, d := range sp.PGDatabases {
		for _, e := range d.Extensions {
			if d.Present() && e.Package != "" {
				names = append(names, e.Package)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
