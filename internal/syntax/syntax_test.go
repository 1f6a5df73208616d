package syntax_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/syntax"
)

// TestPatterns: what a file could read as something else is no name.
func TestPatterns(t *testing.T) {
	t.Parallel()
	for pattern, longest := range map[string]int{syntax.Interface: 15, syntax.Name: 63} {
		syntax := regexp.MustCompile(pattern)
		for _, name := range []string{"eth0", "ens1.100", "br-lan_2",
			strings.Repeat("a", longest)} {
			if !syntax.MatchString(name) {
				t.Errorf("%q is refused", name)
			}
		}
		for _, name := range []string{"", "-x", ".x", "a b", "a\n", "a:1", "a/b", "#a",
			strings.Repeat("a", longest+1)} {
			if syntax.MatchString(name) {
				t.Errorf("%q is taken", name)
			}
		}
	}
}
