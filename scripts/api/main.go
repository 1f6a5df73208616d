// Command api prints the exported declarations of every public package, without comments, for the
// golden file that `make lint` compares: what an embedder can compile against.
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	var dirs []string
	err := filepath.WalkDir("pgha", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		switch d.Name() {
		case "internal", "testdata", "labtest":
			return filepath.SkipDir
		}
		dirs = append(dirs, path)
		return nil
	})
	for _, dir := range dirs {
		if err == nil {
			err = show(dir)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// ofRooms are functions that only the toolkit's own packages can call, for what they take is
// internal.
var ofRooms = regexp.MustCompile(`(?m)^func .*\*(site|job)\.`)

// show prints one package, its declarations sorted.
func show(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	var shown []string
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.FileExports(file)
		for _, d := range file.Decls {
			declared, err := text(set, d)
			if err != nil {
				return err
			}
			if declared != "" && !ofRooms.MatchString(declared) {
				shown = append(shown, declared)
			}
		}
	}
	if len(shown) > 0 {
		slices.Sort(shown)
		fmt.Printf("package %s\n\n%s\n\n", dir, strings.Join(slices.Compact(shown), "\n"))
	}
	return nil
}

// text is a declaration without bodies, values of variables and imports.
func text(set *token.FileSet, d ast.Decl) (string, error) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		d.Body = nil
	case *ast.GenDecl:
		if d.Tok == token.IMPORT {
			return "", nil
		}
		for _, s := range d.Specs {
			if v, ok := s.(*ast.ValueSpec); ok && d.Tok == token.VAR {
				v.Values = nil
			}
		}
	}
	var out bytes.Buffer
	if err := printer.Fprint(&out, set, d); err != nil {
		return "", err
	}
	lines := slices.DeleteFunc(strings.Split(out.String(), "\n"),
		func(l string) bool { return strings.TrimSpace(l) == "" })
	return strings.Join(lines, "\n"), nil
}
