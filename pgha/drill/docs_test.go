package drill

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestDocs wants docs/drills.md to report every scenario as it is.
func TestDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/drills.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range Scenarios() {
		where := "no"
		if s.Safe {
			where = "safe"
		}
		if row := fmt.Sprintf("| `%s` | %s | %s | %s |\n", s.Name, where, s.Does,
			s.Holds); !strings.Contains(string(text), row) {
			t.Errorf("docs/drills.md lacks this row:\n%s", row)
		}
	}
}

// TestScenarios wants every scenario to be told apart, told about, and caused.
func TestScenarios(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range Scenarios() {
		if seen[s.Name] || s.Title == "" || s.Does == "" || s.Holds == "" || s.cause == nil ||
			s.Expect.Writes == "" {
			t.Errorf("%s: twice, or incomplete", s.Name)
		}
		seen[s.Name] = true
	}
	// What puts a session on two primaries, or needs hands at the console, stays in the lab.
	for _, name := range []string{
		"leader-power", "balancer-power", "leader-partitioned", "vrrp-blocked", "etcd-quorum-lost",
		"disk-full",
	} {
		if slices.Contains(safe(), name) {
			t.Errorf("%s is called safe", name)
		}
	}
}
