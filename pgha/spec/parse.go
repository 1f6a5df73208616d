package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/pgha/errs"
)

// Load reads the spec in a file. It returns what Parse does, and the errors of reading the file.
func Load(path string) (*Spec, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read spec: %w", err)
	}
	return Parse(path, data)
}

// Parse reads and checks a spec and fills in the defaults. Name is the file's path: it appears in
// errors, and relative paths in the spec start at its folder. The files that the spec names are
// looked at; no host is.
//
// What is wrong comes as *Errors, everything at once, and is ErrInvalid for errors.Is.
func Parse(name string, data []byte) (*Spec, error) {
	d := newDecoder(name)
	root := d.document(data)
	if root == nil {
		return nil, sorted(d.errs)
	}
	s := New()
	s.Version = 0
	d.value("", root, reflect.ValueOf(s).Elem(), "")
	d.at[""] = position{1, 1}
	s.origin = &origin{d.file, d.at}
	finish(s, d, filepath.Dir(name))
	if err := sorted(d.errs); err != nil {
		return nil, err
	}
	return s, nil
}

// Complete fills in what New leaves open because it depends on other fields, makes paths absolute
// (relative ones start at the working directory) and checks the spec, files included. Its errors
// are those of Parse, without positions. Completing a complete spec changes nothing.
func (s *Spec) Complete() error {
	d := newDecoder("")
	finish(s, d, ".")
	return sorted(d.errs)
}

// document returns the one document of a file.
func (d *decoder) document(data []byte) *yaml.Node {
	if !d.isText(data) {
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); err != nil {
		d.syntax(data, err)
		return nil
	}
	if len(doc.Content) == 0 || doc.Content[0].ShortTag() == "!!null" {
		d.syntax(data, io.EOF)
		return nil
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		d.errs = append(d.errs, Error{File: d.file, Line: max(1, second.Line),
			Column:  max(1, second.Column),
			Problem: "a second document starts here",
			Remedy:  remedy("keep one cluster a file and delete the line ---")})
		return nil
	case !errors.Is(err, io.EOF):
		d.syntax(data, err)
		return nil
	}
	return doc.Content[0]
}

// isText reports bytes that are no UTF-8.
func (d *decoder) isText(data []byte) bool {
	if utf8.Valid(data) {
		return true
	}
	line, column := 1, 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 {
			break
		}
		if column++; r == '\n' {
			line, column = line+1, 1
		}
		data = data[size:]
	}
	d.errs = append(d.errs, Error{File: d.file, Line: line, Column: column,
		Problem: "the file is not text in UTF-8", Remedy: remedy("save it as UTF-8")})
	return false
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(.*)$`)

// syntax reports what keeps a file from being YAML at all.
func (d *decoder) syntax(data []byte, err error) {
	e := Error{File: d.file, Line: 1, Column: 1}
	lines := strings.Split(string(data), "\n")
	switch m := yamlLine.FindStringSubmatch(err.Error()); {
	case errors.Is(err, io.EOF):
		e.Problem, e.Remedy = "the file is empty",
			errs.Text("start from an example: %s writes one", errs.Verb("init"))
	default:
		e.Problem, e.Remedy = "not valid YAML: "+m[2],
			remedy("check the indentation, colons, brackets and quotes here and on the line above")
		if n, err := strconv.Atoi(m[1]); err == nil && n >= 1 && n <= len(lines) {
			e.Line = n
			e.Column = 1 + len(lines[n-1]) - len(strings.TrimLeft(lines[n-1], " "))
		}
		if line, column, ok := indentedByTab(lines); ok {
			e.Line, e.Column = line, column
			e.Problem, e.Remedy = "the line is indented with a tab", remedy("use spaces")
		}
	}
	d.errs = append(d.errs, e)
}

// indentedByTab finds the first line with a tab before its text.
func indentedByTab(lines []string) (line, column int, ok bool) {
	for i, l := range lines {
		if indent := l[:len(l)-len(strings.TrimLeft(l, " \t"))]; strings.Contains(indent, "\t") &&
			strings.TrimSpace(l) != "" {
			return i + 1, strings.IndexByte(indent, '\t') + 1, true
		}
	}
	return 0, 0, false
}

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
