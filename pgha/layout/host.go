package layout

import (
	"cmp"
	"io/fs"
	"slices"

	"github.com/pgha/toolkit/pgha/remote"
)

// Host is what all components put on one host, in the order in which they are started.
type Host []Layout

// Units returns the names of the units of the given kinds, in the order in which they are started.
func (h Host) Units(kinds ...Kind) []string {
	var names []string
	for _, l := range h {
		for _, u := range l.Units {
			if slices.Contains(kinds, u.Kind) {
				names = append(names, u.Name)
			}
		}
	}
	return names
}

// Packages joins the packages of all components, each once, to be installed in one go.
func (h Host) Packages() remote.Packages {
	var p remote.Packages
	for _, l := range h {
		for _, name := range l.Packages.Names {
			if !slices.Contains(p.Names, name) {
				p.Names = append(p.Names, name)
			}
		}
		p.Quiet = append(p.Quiet, l.Packages.Quiet...)
		p.Modules = append(p.Modules, l.Packages.Modules...)
	}
	return p
}

// BeforePackages joins what must be there before the packages.
func (h Host) BeforePackages() []remote.Resource {
	var list []remote.Resource
	for _, l := range h {
		list = append(list, l.BeforePackages...)
	}
	return list
}

// Files returns the files and folders of all components.
func (h Host) Files() []File {
	var list []File
	for _, l := range h {
		list = append(list, l.Files...)
	}
	return list
}

// Configurations returns the files that configure units.
func (h Host) Configurations() []File {
	return slices.DeleteFunc(h.Files(), func(f File) bool { return f.Configures == "" })
}

// Private returns the files and folders that only their owner, and perhaps a group, may look into.
func (h Host) Private() []File {
	return slices.DeleteFunc(h.Files(), func(f File) bool {
		return f.Mode == 0 || f.most()&0o007 != 0
	})
}

func (f File) most() fs.FileMode { return cmp.Or(f.MostMode, f.Mode) }

// Ports returns the ports of all components.
func (h Host) Ports() []Port {
	var list []Port
	for _, l := range h {
		list = append(list, l.Ports...)
	}
	return list
}

// Certificates returns the certificates of all components.
func (h Host) Certificates() []Certificate {
	var list []Certificate
	for _, l := range h {
		list = append(list, l.Certificates...)
	}
	return list
}

// Runs tells whether the component of that name is on the host.
func (h Host) Runs(component string) bool {
	return slices.ContainsFunc(h, func(l Layout) bool { return l.Component == component })
}

// File returns the file or folder of that path with the component that writes it; false if none
// does.
func (h Host) File(path string) (component string, f File, ok bool) {
	for _, l := range h {
		if f, ok := find(l.Files, path); ok {
			return l.Component, f, true
		}
	}
	return "", File{}, false
}
