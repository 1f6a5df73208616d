package pgha

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/spec"
)

func TestSwitchoverRefusesWhatIsNoMember(t *testing.T) {
	t.Parallel()
	c := testCluster(t)
	c.log, c.credentials = slog.New(slog.DiscardHandler), &credentials{}
	for to, want := range map[string]error{"lb1": patroni.ErrInvalid, "nobody": spec.ErrUnknownHost} {
		if _, err := c.Switchover(t.Context(), SwitchoverOptions{To: to}); !errors.Is(err, want) {
			t.Errorf("to %s: %v, want %v", to, err, want)
		}
	}
}
