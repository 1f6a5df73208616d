package provision

import (
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/configtree"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

// ownerOf says which component a change's subject belongs to and what of the specification it is
// made from. What no component's layout lists belongs to the phase that makes it.
func ownerOf(host layout.Host, ch PlannedChange) (owner, from string) {
	switch ch.Kind {
	case "setting":
		return "patroni", configtree.SpecPath(ch.Name)
	case "role":
		return "postgresql", "roles"
	case "database", "schema", "extension":
		return "postgresql", "databases"
	case "command":
		if ch.Name == timeZone {
			return "host", "timezone"
		}
	}
	for _, l := range host {
		if from, ok := listed(l, ch); ok {
			return l.Component, from
		}
	}
	if ch.Kind == "package" {
		return strings.TrimPrefix(ch.Phase, "install "), layout.FromRole
	}
	return ch.Phase, ""
}

// listed tells whether a layout lists what a change is about, and what it is made from.
func listed(l layout.Layout, ch PlannedChange) (from string, ok bool) {
	switch ch.Kind {
	case "file", "directory", "copy":
		_, f, ok := layout.Host{l}.File(remote.CopyOf(ch.Name))
		return f.From, ok
	case "package":
		return l.PackagesFrom, slices.Contains(l.Packages.Names, ch.Name)
	case "user":
		return layout.FromTemplates, slices.Contains(l.Users, ch.Name)
	case "unit":
		i := slices.IndexFunc(l.Units, func(u layout.Unit) bool { return u.Name == ch.Name })
		if i >= 0 {
			return l.Units[i].From, true
		}
	}
	return "", false
}
