package labtest

import (
	"context"
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"testing"

	"github.com/pgha/toolkit/pgha"
)

// hostAddress is a host's name and address in the lab's specification.
var hostAddress = regexp.MustCompile(`\{name: (\S+), address: [0-9.]+`)

// byName gives the hosts names in the place of their addresses; two keep theirs.
func byName(text string) string {
	return hostAddress.ReplaceAllStringFunc(text, func(entry string) string {
		name := hostAddress.FindStringSubmatch(entry)[1]
		if name == "haproxy-03" || name == "postgres-02" {
			return entry
		}
		return "{name: " + name + ", address: " + name
	})
}

// testNames wants a cluster that was applied by its hosts' names to be the one of their addresses,
// and to be looked at and operated while nobody resolves a name.
func testNames(t *testing.T, s site) {
	s.applyNothing(t)
	newSite(t, s.Lab, nil).applyNothing(t) // and forgets no name: there is none
	down := pgha.ConnectOptions{Existing: true, AllowUnreachable: true,
		Lookup: func(context.Context, string) ([]netip.Addr, error) {
			return nil, errors.New("no resolver")
		}}
	s.with(t, down, func(c *pgha.Cluster) {
		if status, err := c.Status(t.Context()); err != nil || !status.Healthy() ||
			len(c.Remembered) != 4 {
			t.Errorf("without a resolver: %v, %+v; remembered %v", err, status, c.Remembered)
		}
		if _, err := c.Switchover(t.Context(), pgha.SwitchoverOptions{}); err != nil {
			t.Errorf("switchover without a resolver: %v", err)
		}
	})
	s.awaitHealthy(t)
	if got := s.cli(t, "doctor"); got.code != 0 {
		t.Errorf("doctor: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	s.oneNameLost(t)
}

// oneNameLost has a host whose name nobody knows, and no apply has known: it alone is out of reach.
func (s site) oneNameLost(t *testing.T) {
	t.Helper()
	other := newSite(t, s.Lab, func(text string) string {
		return hostAddress.ReplaceAllStringFunc(text, func(entry string) string {
			if name := hostAddress.FindStringSubmatch(entry)[1]; name == "haproxy-02" {
				return "{name: haproxy-02, address: lost.example.com, ssh: {address: haproxy-02}"
			}
			return entry
		})
	})
	status := other.status(t)
	if len(status.Unreachable) != 1 || status.Unreachable["haproxy-02"] == "" ||
		len(status.Members) != 3 ||
		slices.ContainsFunc(status.Members, func(m pgha.MemberStatus) bool {
			return m.State == ""
		}) {
		t.Errorf("%+v", status)
	}
	if got := other.cli(t, "plan"); got.code != 1 {
		t.Errorf("plan: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}
