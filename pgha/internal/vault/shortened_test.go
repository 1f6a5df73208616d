package vault_test

import (
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
)

// TestShortened: certificates that end with their authority are told from those that may last as
// long as the specification says, or nearly.
func TestShortened(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		authority, leaf int
		short           bool
	}{
		"its authority ends later": {100, 30, false},
		"both end together":        {30, 30, false},
		"its authority ends first": {30, 32, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sp := testkit.Spec(t)
			sp.TLS.CALifetimeDays, sp.TLS.LeafLifetimeDays = tt.authority, tt.leaf
			s, err := vault.OpenState(sp.StateDir)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			c, err := vault.LoadCredentials(t.Context(), s, sp)
			if err != nil {
				t.Fatal(err)
			}
			for _, authority := range []string{layout.EtcdAuthority, layout.PostgresAuthority,
				layout.PatroniAuthority} {
				end, short := c.Shortened(sp, authority)
				if short != tt.short || end.Before(time.Now()) {
					t.Errorf("%s: %t, %s", authority, short, end)
				}
			}
			if end, short := c.Shortened(sp, layout.BackupAuthority); short || !end.IsZero() {
				t.Errorf("an authority that is not there: %t, %s", short, end)
			}
		})
	}
}
