package verify

import (
	"errors"
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/hosttest"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/remote"
)

// TestUnits: a unit that does not run, or does not start at boot, is named; each host is asked once.
func TestUnits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ active, enabled, says string }{
		"all is well":        {"active\nreloading\n", "enabled\nenabled\n", ""},
		"one does not run":   {"active\nfailed\n", "enabled\nenabled\n", " is failed"},
		"one is not enabled": {"active\nactive\n", "disabled\nenabled\n", " is disabled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := sitetest.New(t)
			hosts := map[string]*hosttest.Host{}
			for host, target := range c.Connections {
				h := hosttest.New(host, func(*hosttest.Host, remote.Cmd) (remote.Result, error) {
					return remote.Result{}, errors.New("an unexpected question")
				})
				h.Say("systemctl is-active", func() string { return tt.active })
				h.Say("systemctl is-enabled", func() string { return tt.enabled })
				hosts[host], target.Executor = h, h
			}
			_, err := checkUnits(t.Context(), c)
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v", err)
			}
			for host, h := range hosts {
				if _, looks := h.Changes(); looks != 1 {
					t.Errorf("%s was asked %d times", host, looks)
				}
			}
		})
	}
}
