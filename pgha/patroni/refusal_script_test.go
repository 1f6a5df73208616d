package patroni

import (
	"slices"
	"testing"

	"github.com/pgha/toolkit/internal/scripttest"
)

// TestRefusalScript runs refusal.sh: only the present process is asked about, and its last refusal
// is the answer.
func TestRefusalScript(t *testing.T) {
	t.Parallel()
	const lines = `echo "Old known term is 4"; echo "something else"; echo "Old known term is 7"`
	for name, c := range map[string]struct {
		id, journal, want string
		asked             bool
	}{
		"the last one counts":     {"echo 8b11", lines, "Old known term is 7\n", true},
		"no refusal":              {"echo 8b11", "echo all is well", "", true},
		"an empty journal":        {"echo 8b11", "", "", true},
		"the unit does not run":   {"echo", lines, "", false},
		"systemd does not answer": {"exit 1", lines, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := scripttest.Run{With: "sh", Script: refusing, Args: []string{"patroni.service"},
				Fakes: map[string]string{"systemctl": c.id, "journalctl": c.journal}}.Do(t)
			asked := slices.Contains(r.Calls,
				"journalctl -q --no-pager -o cat --since=-30s _SYSTEMD_INVOCATION_ID=8b11")
			if r.Stdout != c.want || asked != c.asked {
				t.Errorf("%+v", r)
			}
		})
	}
}
