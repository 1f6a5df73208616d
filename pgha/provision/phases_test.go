package provision

import (
	"testing"

	"github.com/pgha/toolkit/pgha/engine"
)

func TestStandardPhasesFitTogether(t *testing.T) {
	t.Parallel()
	if _, err := engine.Order(StandardPhases()); err != nil {
		t.Error(err)
	}
	if _, err := engine.Order(append(StandardPhases(), engine.Phase{
		Name: "mine", After: []string{"ready"},
	})); err != nil {
		t.Error(err)
	}
}

// TestPlannedPhasesWaitForPreflightAlone: phases that wait for each other take as many round trips
// one after the other.
func TestPlannedPhasesWaitForPreflightAlone(t *testing.T) {
	t.Parallel()
	phases := sideBySide(StandardPhases())
	waits, err := engine.Order(phases)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range phases {
		if want := min(i, 1); len(waits[i]) != want || want == 1 && waits[i][0] != 0 {
			t.Errorf("%s waits for %v", p.Name, p.After)
		}
	}
}
