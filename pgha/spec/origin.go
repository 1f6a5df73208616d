package spec

import (
	"fmt"
	"maps"
	"reflect"
)

// origin is the file that a spec was read from, with the places of its fields.
type origin struct {
	file string
	at   map[string]position
}

// At returns where a field stands, such as "hosts[2].address": as "pgha.yaml:12:5". A field that is
// not in the file has the place of the section that would hold it. It is "" for a spec that was not
// read from a file. Changes of the spec since it was read do not move anything.
func (s *Spec) At(field string) string {
	if s.origin == nil {
		return ""
	}
	p := nearest(s.origin.at, field)
	return fmt.Sprintf("%s:%d:%d", s.origin.file, p.line, p.column)
}

// Equal tells whether two specs say the same, wherever in their files.
func (s *Spec) Equal(other *Spec) bool {
	a, b := *s, *other
	a.origin, b.origin = nil, nil
	return reflect.DeepEqual(a, b)
}

// decoderOf knows the places of the spec's fields, for errors about a spec that was read before.
func (s *Spec) decoderOf() *decoder {
	d := newDecoder("")
	if s.origin != nil {
		d.file, d.at = s.origin.file, maps.Clone(s.origin.at)
	}
	return d
}

// nearest is the place of a field, or of the innermost section around it that is in the file.
func nearest(at map[string]position, field string) position {
	for path := field; ; path = parent(path) {
		if p, ok := at[path]; ok || path == "" {
			return p
		}
	}
}
