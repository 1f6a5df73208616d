// Command house prints figures of the code's structure, and fails where one is beyond its limit.
package main

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// figures are what is counted over all packages.
type figures struct {
	files, lines, methods map[string]int // by package, by package, by type
	namesCLI              map[string]bool
	code, tests           int
	scripts               scripts
	all, wide             int
}

func main() {
	f := figures{files: map[string]int{}, lines: map[string]int{}, methods: map[string]int{},
		namesCLI: map[string]bool{}}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name == "testdata" || name == "tools" || len(name) > 1 &&
				name[0] == '.' {
				return filepath.SkipDir
			}
			return nil
		}
		f.scripts.add(path)
		if filepath.Ext(path) != ".go" {
			return nil
		}
		return f.add(path)
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if !f.print() {
		os.Exit(1)
	}
}

// add counts one file.
func (f *figures) add(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := 0
	for scanner := bufio.NewScanner(strings.NewReader(string(text))); scanner.Scan(); lines++ {
		f.all++
		if utf8.RuneCountInString(strings.ReplaceAll(scanner.Text(), "\t", "    ")) > 120 {
			f.wide++
		}
	}
	if strings.HasSuffix(path, "_test.go") {
		f.tests += lines
		return nil
	}
	dir := filepath.Dir(path)
	f.code += lines
	f.files[dir]++
	f.lines[dir] += lines
	if strings.HasPrefix(path, "pgha/") && strings.Contains(string(text), "pgha-cli") {
		f.namesCLI[path] = true
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, d := range parsed.Decls {
		if m, ok := d.(*ast.FuncDecl); ok && m.Recv != nil {
			t := m.Recv.List[0].Type
			if star, ok := t.(*ast.StarExpr); ok {
				t = star.X
			}
			f.methods[fmt.Sprintf("%s.%s", dir, t)]++
		}
	}
	return nil
}

// print writes the table and tells whether every figure is within its limit. A negative limit is
// none.
func (f *figures) print() bool {
	most := func(m map[string]int) (name string, n int) {
		for k, v := range m {
			if v > n || v == n && k < name {
				name, n = k, v
			}
		}
		return name, n
	}
	crowded, files := most(f.files)
	biggest, methods := most(f.methods)
	within := true
	row := func(what string, n float64, limit float64, unit string) {
		mark := ""
		if limit >= 0 && n > limit {
			within, mark = false, "  <- too much"
		}
		bound := "-"
		if limit >= 0 {
			bound = fmt.Sprintf("%g%s", limit, unit)
		}
		fmt.Printf("%-52s %8.4g%-2s %8s%s\n", what, n, unit, bound, mark)
	}
	fmt.Printf("%-52s %10s %8s\n", "", "now", "at most")
	row("files in the root package", float64(f.files["pgha"]), 12, "")
	row("lines in it", float64(f.lines["pgha"]), 1200, "")
	row("methods on one type ("+biggest+")", float64(methods), 60, "")
	row("files in one package ("+crowded+")", float64(files), 35, "")
	row("library files that name the CLI", float64(len(f.namesCLI)), 0, "")
	row("lines over 120 columns", 100*float64(f.wide)/float64(f.all), 0.5, "%")
	untested := f.scripts.untested()
	fmt.Printf("%-52s %8d %10s\n", "scripts on hosts run by no test but the lab's",
		len(untested), "0")
	for _, path := range untested {
		within = false
		fmt.Println("   ", path, " <- no test of its package names it")
	}
	row("test lines for each code line", float64(f.tests)/float64(f.code), -1, "")
	return within
}
