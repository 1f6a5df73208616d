package trial

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// recorded is the member that the answers in testdata come from.
func recorded(t *testing.T) Present {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "present.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return ReadPresent(string(text))
}

// TestRecordedAnswers judges what hosts of a lab have said of changes.
func TestRecordedAnswers(t *testing.T) {
	t.Parallel()
	present := recorded(t)
	for name, tt := range cases() {
		text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		s := Server{
			Version: 18, DataDir: "/var/lib/postgresql/data", Settings: tt.settings,
			Rules: append(tt.rules, present.Rules...),
		}
		faults := Judge(s.Over(present), s.Changed(present), Read(string(text)))
		if tt.field == "" {
			if len(faults) > 0 {
				t.Errorf("%s: %+v", name, faults)
			}
			continue
		}
		found := slices.ContainsFunc(faults, func(f Fault) bool {
			return (f.Setting == tt.field || f.Rule == tt.field) &&
				strings.Contains(f.Problem, tt.problem) &&
				f.Remedy != ""
		})
		if !found || len(faults) != 1 {
			t.Errorf("%s: want %s with %q alone, got %+v", name, tt.field, tt.problem, faults)
		}
	}
}
