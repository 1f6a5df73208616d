package errs_test

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// kindless are the public packages whose sentinels have no kind, with the reason.
var kindless = map[string]string{
	"pki": "it stands alone, and its errors are judgements about certificates, not failures of " +
		"a verb",
	"probe": "it stands alone, and its one sentinel ends a loop of the caller's own",
}

// Every exported sentinel of a public package carries a kind, so that an exit code follows from it.
func TestSentinelsHaveKinds(t *testing.T) {
	t.Parallel()
	sentinels, used := 0, map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "internal" || d.Name() == "testdata") {
			return cmp.Or(err, error(fs.SkipDir))
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for name, made := range declared(file) {
			sentinels++
			in, _ := filepath.Rel("..", filepath.Dir(path))
			switch _, excused := kindless[in]; {
			case made == "errors.New" && excused:
				used[in] = true
			case made == "errors.New":
				t.Errorf("%s: %s has no kind: make it with errs.New", path, name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if sentinels < 60 {
		t.Errorf("only %d sentinels were found", sentinels)
	}
	for in := range kindless {
		if !used[in] {
			t.Errorf("%s is excused, and has no sentinel without a kind", in)
		}
	}
}

// declared returns the exported Err variables of a file, with the function that makes each, or "".
func declared(file *ast.File) map[string]string {
	found := map[string]string{}
	for _, d := range file.Decls {
		vars, ok := d.(*ast.GenDecl)
		if !ok || vars.Tok != token.VAR {
			continue
		}
		for _, spec := range vars.Specs {
			v := spec.(*ast.ValueSpec)
			for i, name := range v.Names {
				if strings.HasPrefix(name.Name, "Err") && i < len(v.Values) {
					found[name.Name] = maker(v.Values[i])
				}
			}
		}
	}
	return found
}

func maker(e ast.Expr) string {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return ""
	}
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if from, ok := f.X.(*ast.Ident); ok && slices.Contains([]string{"errors", "fmt"}, from.Name) {
		return "errors.New"
	}
	return f.Sel.Name
}
