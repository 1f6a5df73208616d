package site

import (
	"cmp"
	"fmt"
	"path"
	"strings"

	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// Where PostgreSQL's own packages come from by default: https://wiki.postgresql.org/wiki/Apt.
const (
	pgdgURL = "https://apt.postgresql.org/pub/repos/apt"
	// pgdgKey is where the distribution's postgresql-common package brings the repository's key, so
	// that trust in it comes from the distribution and not from a download.
	pgdgKey = "/usr/share/postgresql-common/pgdg/apt.postgresql.org.asc"

	repositoryFile = "/etc/apt/sources.list.d/pgdg.sources"
	repositoryKey  = "/etc/apt/keyrings/pgha-repository.asc"
)

// Repository is an apt repository laid out like PostgreSQL's own.
type Repository struct {
	URL, Suite, Codename string
	Components           []string
	// Key is the armored public key; nil takes the one that postgresql-common brings.
	Key []byte
}

// suite is the folder below dists that holds the packages.
func (r Repository) suite() string { return cmp.Or(r.Suite, r.Codename+"-pgdg") }

// Release is the URL of the file that apt reads first.
func (r Repository) Release() string {
	base, suite := strings.TrimSuffix(cmp.Or(r.URL, pgdgURL), "/"), r.suite()
	if strings.HasSuffix(suite, "/") {
		return base + "/" + strings.TrimPrefix(suite, "./") + "InRelease" // a flat repository
	}
	return base + "/dists/" + suite + "/InRelease"
}

// sources renders the repository in apt's deb822 format (sources.list(5)).
func (r Repository) sources() []byte {
	key := pgdgKey
	if r.Key != nil {
		key = repositoryKey
	}
	components := r.Components
	if len(components) == 0 {
		components = []string{"main"}
	}
	return fmt.Appendf(nil,
		"# Written by pgha from postgresql.repository of the specification; changes are "+
			"overwritten.\n"+
			"Types: deb\nURIs: %s\nSuites: %s\nComponents: %s\nSigned-By: %s\n",
		cmp.Or(r.URL, pgdgURL), r.suite(), strings.Join(components, " "), key)
}

// RepositoryLayout describes what the repository of the specification puts on a database host:
// nothing for the distribution's own.
func RepositoryLayout(sp *spec.Spec) layout.Layout {
	const from = "postgresql.source, postgresql.repository"
	l := layout.Layout{Component: "postgresql", PackagesFrom: from}
	if sp.PostgreSQL.Source == spec.SourceDistribution {
		return l
	}
	if sp.PostgreSQL.Repository.KeyFile != "" {
		l.Files = []layout.File{
			{Path: path.Dir(repositoryKey), Dir: true, From: from},
			{Path: repositoryKey, From: from},
		}
	} else {
		l.Packages.Names = []string{"postgresql-common", "ca-certificates"} // they bring the key
	}
	l.Files = append(l.Files, layout.File{Path: repositoryFile, From: from})
	return l
}

// Resources puts the repository in place. apt-get update runs with the next installation.
func (r Repository) Resources(l layout.Layout) []remote.Resource {
	var list []remote.Resource
	if r.Key != nil {
		list = append(list, l.Folder(path.Dir(repositoryKey)), l.Place(repositoryKey, r.Key))
	} else {
		list = append(list, l.Packages)
	}
	return append(list, l.Place(repositoryFile, r.sources()))
}
