package spec_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/golden"
	"github.com/pgha/toolkit/pgha/spec"
)

// schema is one level of a JSON Schema, as far as a spec needs it.
type schema struct {
	Schema      string     `json:"$schema,omitempty"`
	Title       string     `json:"title,omitempty"`
	Description string     `json:"description,omitempty"`
	Type        any        `json:"type,omitempty"`
	Const       any        `json:"const,omitempty"`
	Enum        []string   `json:"enum,omitempty"`
	Pattern     string     `json:"pattern,omitempty"`
	Minimum     *int       `json:"minimum,omitempty"`
	Maximum     *int       `json:"maximum,omitempty"`
	Default     any        `json:"default,omitempty"`
	MinItems    int        `json:"minItems,omitempty"`
	Items       *schema    `json:"items,omitempty"`
	Required    []string   `json:"required,omitempty"`
	Properties  properties `json:"properties,omitempty"`
	// Additional is false for a section, or the schema of free values.
	Additional any `json:"additionalProperties,omitempty"`
}

type property struct {
	name string
	*schema
}

// properties keep the order of the struct's fields.
type properties []property

func (ps properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for i, p := range ps {
		b.WriteByte("{,"[min(i, 1)])
		fmt.Fprintf(&b, "%q:", p.name)
		if err := e.Encode(p.schema); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

const (
	octet    = `(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])`
	ipv4     = `(?:` + octet + `\.){3}` + octet
	ipv6     = `[0-9A-Fa-f]*:[0-9A-Fa-f:.]*`
	name     = `(?:[A-Za-z0-9-]+\.)*[A-Za-z0-9-]*[A-Za-z][A-Za-z0-9-]*`
	duration = `\+?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+`
	number   = `[0-9]+(?:\.[0-9]*)?`
)

// patterns are forms that the reader does not check with a regular expression.
var patterns = map[string]string{
	"hosts[].address":                 `^(?:` + ipv4 + `|` + ipv6 + `|` + name + `)$`,
	"vip.address":                     `^(?:` + ipv4 + `|` + ipv6 + `)$`,
	"hosts[].ssh.host_key":            `^SHA256:[A-Za-z0-9+/]{43}$`,
	"postgresql.client_networks[]":    `^(?:` + ipv4 + `|` + ipv6 + `)/[0-9]{1,3}$`,
	"postgresql.superuser_networks[]": `^(?:` + ipv4 + `|` + ipv6 + `)/[0-9]{1,3}$`,
	"access[].networks[]":             `^(?:` + ipv4 + `|` + ipv6 + `)/[0-9]{1,3}$`,
	"postgresql.pg_hba[]":             `^\s*"?(?:local|host|hostssl|hostnossl)"?\s+\S`,
	"etcd.sha256":                     `^[0-9a-f]{64}$`,
}

// scalars are what free values may be, by field.
var scalars = map[string][]string{
	"hosts[].tags":          {"string", "number", "boolean"},
	"postgresql.parameters": {"string", "number", "boolean", "null"},
	"roles[].settings":      {"string", "number", "boolean", "null"},
}

// generator makes the schema from the types, their tags and what stands at them in the source.
type generator struct {
	docs      map[string]string // by "Type.Field" and by constant
	constants []constant
}

type constant struct{ name, typ, value string }

// generateSchema returns the schema that belongs to the source in this folder.
func generateSchema(t *testing.T) []byte {
	t.Helper()
	g := &generator{docs: map[string]string{}}
	g.read(t)
	defaults := spec.New()
	vip := spec.NewVIP()
	defaults.VIP = &vip
	backup := spec.NewBackup()
	backup.BootstrapFrom = &spec.BootstrapFrom{To: "latest", Repository: &spec.BackupRepository{}}
	defaults.Backup = &backup
	pooler := spec.NewPooler()
	defaults.Pooler = &pooler
	s := g.section("", reflect.ValueOf(*defaults))
	s.Schema, s.Title = "https://json-schema.org/draft/2020-12/schema",
		"pgha: specification of a PostgreSQL high-availability cluster"
	s.Type = "object"
	var compact, b bytes.Buffer
	e := json.NewEncoder(&compact)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		t.Fatal(err)
	}
	if err := json.Indent(&b, compact.Bytes(), "", "  "); err != nil {
		t.Fatal(err)
	}
	return shortLists.ReplaceAllFunc(b.Bytes(), func(list []byte) []byte {
		words := bytes.Fields(list[1 : len(list)-1])
		return slices.Concat([]byte("["), bytes.Join(words, []byte(" ")), []byte("]"))
	})
}

// shortLists are lists of single words, which fit on one line.
var shortLists = regexp.MustCompile(`\[\s+(?:"\S*",?\s+)+\]`)

// read gathers the comments and constants of the package.
func (g *generator) read(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				if st, ok := n.Type.(*ast.StructType); ok {
					for _, field := range st.Fields.List {
						for _, name := range field.Names {
							g.docs[n.Name.Name+"."+name.Name] = firstParagraph(field.Doc)
						}
					}
				}
			case *ast.ValueSpec:
				g.constant(n)
			}
			return true
		})
	}
}

// firstParagraph is what a comment says to everybody; what follows is for Go programs.
func firstParagraph(doc *ast.CommentGroup) string {
	text, _, _ := strings.Cut(doc.Text(), "\n\n")
	return strings.Join(strings.Fields(text), " ")
}

func (g *generator) constant(n *ast.ValueSpec) {
	if len(n.Values) != 1 {
		return
	}
	typ := ""
	if t, ok := n.Type.(*ast.Ident); ok {
		typ = t.Name
	}
	literal, ok := n.Values[0].(*ast.BasicLit)
	if !ok {
		return
	}
	value, err := strconv.Unquote(literal.Value)
	if err != nil {
		return
	}
	g.constants = append(g.constants, constant{n.Names[0].Name, typ, value})
	g.docs[n.Names[0].Name] = firstParagraph(n.Doc)
}

// section is the schema of a struct; value holds the defaults.
func (g *generator) section(path string, value reflect.Value) *schema {
	t := value.Type()
	// A section's name with nothing below it is read as one without fields.
	s := &schema{Type: []string{"object", "null"}, Additional: false}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		at := strings.TrimPrefix(path+"."+name, ".")
		doc := g.docs[t.Name()+"."+f.Name]
		p := g.value(at, doc, f.Tag.Get("unit"), value.Field(i), options == "omitempty")
		if strings.HasSuffix(doc, ". No default.") {
			s.Required = append(s.Required, name)
		}
		p.Description = g.describe(t, f.Type.Name(), doc)
		s.Properties = append(s.Properties, property{name, p})
	}
	return s
}

// value is the schema of a field.
func (g *generator) value(path, doc, unit string, value reflect.Value, optional bool) *schema {
	typ := value.Type()
	switch {
	case typ.Kind() == reflect.Pointer && typ.Elem().Kind() == reflect.Struct:
		s := g.section(path, value.Elem())
		s.Type = "object"
		return s
	case typ.Kind() == reflect.Struct:
		return g.section(path, value)
	case typ.Kind() == reflect.Map:
		s := &schema{Type: "object"}
		if types := scalars[path]; types != nil {
			s.Additional = &schema{Type: types}
		}
		return s
	case typ.Kind() == reflect.Slice:
		s := &schema{Type: "array", Items: g.value(path+"[]", "", "",
			reflect.Zero(typ.Elem()), false)}
		if typ.Elem().Kind() == reflect.Struct {
			s.Items.Type = "object"
		}
		switch path {
		case "hosts":
			s.MinItems = 1
		case "databases[].schemas", "databases[].extensions": // a name may stand for the section
			s.Items.Type = []string{"object", "string", "number", "boolean"}
		}
		return s
	}
	s := g.scalar(path, doc, unit, value, optional)
	if s.Const == nil && value.Kind() != reflect.Pointer && !value.IsZero() {
		s.Default = value.Interface()
	}
	if d, ok := s.Default.(time.Duration); ok {
		s.Default = strings.NewReplacer("m0s", "m", "h0m0s", "h").Replace(d.String())
	}
	return s
}

// scalar is the schema of a single value, without its default.
func (g *generator) scalar(path, doc, unit string, value reflect.Value, optional bool) *schema {
	typ := value.Type()
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch {
	case path == "version":
		return &schema{Const: 1}
	case typ == reflect.TypeFor[time.Duration]() && unit == "":
		return &schema{Type: "string", Pattern: "^" + duration + "$"}
	case typ == reflect.TypeFor[time.Duration]():
		return &schema{
			Type: []string{"string", "number"}, Pattern: "^(?:" + duration + "|" + number + ")$",
			Minimum: new(int),
		}
	case typ.Kind() == reflect.Bool:
		return &schema{Type: "boolean"}
	case typ.Kind() != reflect.String:
		least, most := limits(path, doc, optional)
		return &schema{Type: "integer", Minimum: least, Maximum: most}
	}
	if words := g.words(typ.Name(), doc); words != nil {
		return &schema{Type: "string", Enum: words}
	}
	// A name like 12 is the text that it is written as.
	s := &schema{Type: []string{"string", "number", "boolean"}, Pattern: patterns[path]}
	if syntax, ok := spec.Syntaxes[path]; ok {
		s.Pattern = syntax.String()
	}
	if s.Pattern != "" && optional {
		s.Pattern = "^$|" + s.Pattern
	}
	return s
}

var rangePattern = regexp.MustCompile(`\b(\d+) to (\d+)\b`)

// limits are those of ports, and those that the field's comment tells.
func limits(path, doc string, optional bool) (least, most *int) {
	m := rangePattern.FindStringSubmatch(doc)
	switch {
	case strings.HasSuffix(path, "port"):
		m = []string{"", "1", "65535"}
	case m == nil:
		return nil, nil
	case optional:
		m[1] = "0" // which stands for the default
	}
	from, _ := strconv.Atoi(m[1])
	to, _ := strconv.Atoi(m[2])
	return &from, &to
}

// words are the constants of a type: those that the field's comment begins with, or all.
func (g *generator) words(typ, doc string) []string {
	var all, named []string
	first, _, _ := strings.Cut(doc, ". ")
	for _, c := range g.constants {
		if typ == "" || c.typ != typ {
			continue
		}
		all = append(all, c.value)
		if slices.Contains(goName.FindAllString(first, -1), c.name) {
			named = append(named, c.value)
		}
	}
	if named != nil {
		return named
	}
	return all
}

var goName = regexp.MustCompile(`\b(?:[A-Z][A-Za-z0-9]*\.)?[A-Z][A-Za-z0-9]*\b`)

// describe is the comment of a field of type t in the words of the file, with what each word to
// choose from means.
func (g *generator) describe(t reflect.Type, typ, doc string) string {
	words := g.words(typ, doc)
	for _, c := range g.constants {
		if c.typ == typ && slices.Contains(words, c.value) {
			doc += "\n\n" + g.docs[c.name]
		}
	}
	first := true
	return goName.ReplaceAllStringFunc(doc, func(word string) string {
		lead := first
		first = false
		return g.translate(t, word, lead)
	})
}

// translate turns a name of the Go package into that of the file. Products are called like some
// sections; only the word that a comment begins with is the section.
func (g *generator) translate(t reflect.Type, word string, lead bool) string {
	for _, c := range g.constants {
		if c.name == word {
			return c.value
		}
	}
	root := reflect.TypeFor[spec.Spec]()
	if section, field, ok := strings.Cut(word, "."); ok {
		if f, known := root.FieldByName(section); known {
			return g.translate(root, section, true) + "." + g.translate(f.Type, field, true)
		}
		return word
	}
	f, known := t.FieldByName(word)
	section := known && (f.Type.Kind() == reflect.Struct || f.Type.Kind() == reflect.Pointer &&
		f.Type.Elem().Kind() == reflect.Struct)
	if !known || section && !lead {
		return word
	}
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return name
}

// TestSchemaIsUpToDate compares schema.json with what the source says; -update writes it.
func TestSchemaIsUpToDate(t *testing.T) {
	want := generateSchema(t)
	if golden.Update() {
		if err := os.WriteFile("schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(spec.Schema(), want) {
		t.Error("schema.json is not what the source says: run go generate ./pgha/spec")
	}
}
