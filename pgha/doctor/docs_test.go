package doctor

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// TestDocumented holds docs/doctor.md to the findings there are: each is explained, none is
// invented.
func TestDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\|").FindAllSubmatch(text, -1) {
		listed = append(listed, string(m[1]))
	}
	ids := IDs()
	for _, id := range ids {
		if !slices.Contains(listed, id) {
			t.Errorf("docs/doctor.md does not explain %s", id)
		}
	}
	for i, id := range listed {
		if !slices.Contains(ids, id) {
			t.Errorf("docs/doctor.md explains %s, which there is not", id)
		}
		if slices.Contains(listed[:i], id) {
			t.Errorf("docs/doctor.md explains %s twice", id)
		}
	}
}
