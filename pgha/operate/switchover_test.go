package operate

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/spec"
)

func TestSwitchoverRefusesWhatIsNoMember(t *testing.T) {
	t.Parallel()
	c := sitetest.New(t)
	c.Log = slog.New(slog.DiscardHandler)
	c.Hold(&vault.Credentials{})
	for to, want := range map[string]error{"lb1": patroni.ErrInvalid,
		"nobody": spec.ErrUnknownHost} {
		if _, err := Switchover(t.Context(), c, SwitchoverOptions{To: to}); !errors.Is(err, want) {
			t.Errorf("to %s: %v, want %v", to, err, want)
		}
	}
}
