package labtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
)

// TestInterrupted stops Apply in the middle of three phases, one after the other on the same hosts.
// The next one finishes what was begun.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	rarely(t)
	l := startLab(t, lab.Options{Name: "e2e-interrupted", Hosts: 4})
	s := newSite(t, l, nil)
	for _, stop := range []struct {
		phase  string
		events int // stop at this event of the phase, its start being the first
	}{
		{"install databases", 4},
		{"etcd", 12},
		{"patroni", 20},
	} {
		interrupt(t, s, stop.phase, stop.events)
	}
	s.apply(t, pgha.ApplyOptions{})
	s.awaitHealthy(t)
	s.verify(t)
	s.applyNothing(t)
}

// interrupt cancels Apply at the n-th event of a phase and wants it to end at once with the reason.
func interrupt(t *testing.T, s site, phase string, n int) {
	t.Helper()
	s.with(t, pgha.ConnectOptions{}, func(c *pgha.Cluster) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var seen int
		var cancelled time.Time
		report, err := c.Apply(ctx, pgha.ApplyOptions{Observer: func(e pgha.Event) {
			if e.Phase != phase {
				return
			}
			if seen++; seen == n {
				cancelled = time.Now()
				cancel()
			}
		}})
		if seen < n {
			t.Fatalf("phase %s had only %d events, %v", phase, seen, err)
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted in phase %s: got error %v", phase, err)
		}
		if took := time.Since(cancelled); took > 10*time.Second {
			t.Errorf("apply ended %s after it was cancelled in phase %s", took, phase)
		}
		t.Logf("interrupted in phase %s after %s and %d changes", phase,
			report.Duration.Round(100*time.Millisecond),
			len(report.Changes))
	})
}
