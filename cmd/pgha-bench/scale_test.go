package main

import (
	"path/filepath"
	"testing"
)

// TestSecondRunCosts counts what a run without changes costs: one connection and few round trips a
// host, however many hosts there are.
func TestSecondRunCosts(t *testing.T) {
	t.Parallel()
	const hosts = 12
	f, err := newFleet(hosts, filepath.Join(t.TempDir(), "id_ed25519"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.close)
	first, err := f.apply(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if first.changes < 30*hosts {
		t.Errorf("the first run changed %d things on %d hosts", first.changes, hosts)
	}
	connections, commands := f.counts()
	second, err := f.apply(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if second.changes != 0 {
		t.Errorf("the second run changed %d things", second.changes)
	}
	if second.roundTrips > 8 {
		t.Errorf("%d round trips, one after the other, on a host", second.roundTrips)
	}
	c, n := f.counts()
	if c-connections != hosts {
		t.Errorf("%d connections to %d hosts", c-connections, hosts)
	}
	if n-commands != second.roundTrips*hosts {
		t.Errorf("%d commands on %d hosts, and %d counted on each", n-commands, hosts,
			second.roundTrips)
	}
	for _, h := range f.hosts {
		if _, _, _, there := h.File("/etc/patroni/config.yml"); !there {
			t.Errorf("%s has no config.yml", h)
		}
	}
}
