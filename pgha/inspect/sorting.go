package inspect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/spec"
)

// judgeSorting compares the C library of a database host that comes with that of the members: each
// version has collations of its own, and a copy has the indexes that the other one has sorted
// (PostgreSQL's documentation, "Collation support"). Where every locale is C's, which sorts by code
// point, it is a warning.
func judgeSorting(sp *spec.Spec, facts map[string]preflight.Facts) []preflight.Finding {
	member, used := "", ""
	for _, h := range sp.Databases() {
		f := facts[h.Name]
		if v := glibc(f); v != "" && f.Premises.Member && len(f.Running.Data) > 0 && member == "" {
			member, used = h.Name, v
		}
	}
	var found []preflight.Finding
	for _, h := range sp.Databases() {
		f := facts[h.Name]
		v := glibc(f)
		if member == "" || v == "" || v == used || len(f.Running.Data) > 0 {
			continue
		}
		locale := sorting(sp)
		what := "the locale of new databases, " + sp.PostgreSQL.Locale + ", sorts by code point, and " +
			"other collations do not"
		if locale != "" {
			what = "locale " + locale + " sorts text otherwise there, and indexes that are copied would " +
				"be wrong"
		}
		found = append(found, preflight.Finding{Host: h.Name, Warning: locale == "",
			Problem: fmt.Sprintf("it has glibc %s, and %s has %s: %s", v, member, used, what),
			Remedy: errs.Text("install the release there that %s has; another release takes a new "+
				"cluster, and its data moved there by logical replication", member)})
	}
	return found
}

// sorting is a locale of the specification's that glibc sorts by rules of its version; "" where
// there is none.
func sorting(sp *spec.Spec) string {
	locales := []string{sp.PostgreSQL.Locale}
	for _, d := range sp.PGDatabases {
		locales = append(locales, d.Locale)
	}
	i := slices.IndexFunc(locales, func(l string) bool {
		name, _, _ := strings.Cut(l, ".")
		return name != "" && name != "C" && name != "POSIX"
	})
	if i < 0 {
		return ""
	}
	return locales[i]
}

// glibc is the version of a host's C library without Debian's revision: "2.41".
func glibc(f preflight.Facts) string {
	version, _, _ := strings.Cut(f.Candidates[preflight.CLibrary], "-")
	return version
}
