package doctor

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestSymptomsExist holds what findings say that they explain to the findings there are: a name
// that is misspelled would fold nothing.
func TestSymptomsExist(t *testing.T) {
	t.Parallel()
	ids := IDs()
	written := writtenSymptoms(t)
	if len(written) < 100 {
		t.Fatalf("only %d symptoms were found in the source: is this test blind?", len(written))
	}
	for where, id := range written {
		if !slices.Contains(ids, id) {
			t.Errorf("%s: there is no finding %q to explain", where, id)
		}
	}
}

// TestIDsAreUnique: two rules that declare one ID could not be told apart.
func TestIDsAreUnique(t *testing.T) {
	t.Parallel()
	ids := IDs()
	if slices.Sort(ids); len(slices.Compact(slices.Clone(ids))) != len(ids) {
		t.Errorf("an ID is declared twice: %v", ids)
	}
}

// writtenSymptoms returns the first word of every symptom in the source, by where it stands.
func writtenSymptoms(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			members := []ast.Expr{lit}
			if list, ok := lit.Type.(*ast.ArrayType); ok && isSymptom(list.Elt) {
				members = lit.Elts
			} else if !isSymptom(lit.Type) {
				return true
			}
			for _, m := range members {
				if id, ok := firstWord(m); ok {
					found[set.Position(m.Pos()).String()] = id
				}
			}
			return true
		})
	}
	return found
}

func isSymptom(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "symptom"
}

func firstWord(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.CompositeLit)
	if !ok || len(lit.Elts) == 0 {
		return "", false
	}
	word, ok := lit.Elts[0].(*ast.BasicLit)
	if !ok {
		return "", false
	}
	text, err := strconv.Unquote(word.Value)
	return text, err == nil
}
