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
