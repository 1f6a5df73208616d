package pgha

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/remotetest"
)

// heldHosts is a cluster on hosts without an answer to anything: whatever is asked of one fails the test.
func heldHosts(t *testing.T) (*Cluster, map[string]*remotetest.Fake) {
	t.Helper()
	sp := testSpec(t)
	state, err := openState(sp.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = state.close() })
	c := &Cluster{Spec: sp, targets: map[string]*remote.Target{}, state: state, log: slog.New(slog.DiscardHandler)}
	if c.credentials, err = loadCredentials(t.Context(), state, sp); err != nil {
		t.Fatal(err)
	}
	fakes := map[string]*remotetest.Fake{}
	for _, h := range sp.Hosts {
		fakes[h.Name] = remotetest.NewFake(t, h.Name)
		c.targets[h.Name] = &remote.Target{Host: remote.Host{Name: h.Name, Address: h.Address}, Executor: fakes[h.Name]}
	}
	return c, fakes
}

// changeHost tries to change a host in each way that a connection offers.
func changeHost(ctx context.Context, t *remote.Target) error {
	touch := remote.Cmd{Argv: []string{"touch", "/tmp/touched"}, Mutating: true}
	_, err := t.Do(ctx, "file /tmp/touched", "made", touch)
	_, runErr := t.Run(ctx, touch)
	_, putErr := t.Put(ctx, strings.NewReader("x"), remote.FileMeta{Path: "/tmp/touched", Mode: 0o600})
	errs := []error{err, runErr, putErr}
	if s, ok := remote.As[remote.Streamer](t.Executor); ok {
		_, err := s.Stream(ctx, touch, io.Discard, io.Discard)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// TestPhaseChangesNothingInAPlan lets a phase of the user's own reach hosts by every method that a Run has. A method that is
// new must be added to the list, with what it reaches.
func TestPhaseChangesNothingInAPlan(t *testing.T) {
	t.Parallel()
	c, fakes := heldHosts(t)
	reach := map[string]func(*Run) ([]*remote.Target, error){
		"Target": func(r *Run) ([]*remote.Target, error) {
			target, err := r.Target("pg1")
			return []*remote.Target{target}, err
		},
		"Targets": func(r *Run) ([]*remote.Target, error) { return r.Targets(), nil },
		"EtcdOptions": func(r *Run) (found []*remote.Target, err error) {
			o, err := r.EtcdOptions()
			for _, m := range o.Members {
				found = append(found, m.Target)
			}
			return found, err
		},
		"PatroniOptions": func(r *Run) (found []*remote.Target, err error) {
			o, err := r.PatroniOptions()
			for _, m := range o.Members {
				found = append(found, m.Target)
			}
			return found, err
		},
		"BalancerOptions": func(r *Run) ([]*remote.Target, error) {
			o, err := r.BalancerOptions()
			return o.Balancers, err
		},
		"AddressOptions": func(r *Run) (found []*remote.Target, err error) {
			o, _, err := r.AddressOptions()
			for _, b := range o.Balancers {
				found = append(found, b.Target)
			}
			return found, err
		},
	}
	// These return no connection: they look, or tell the observer.
	look := []string{"Planning", "Preflight", "Progress", "Status", "Warn"}

	var known []string
	for name := range reach {
		known = append(known, name)
	}
	slices.Sort(known)
	for m := range reflect.TypeFor[*Run]().Methods() {
		if !slices.Contains(known, m.Name) && !slices.Contains(look, m.Name) {
			t.Errorf("Run.%s is new: what can a phase change by it?", m.Name)
		}
	}
	for f := range reflect.TypeFor[Run]().Fields() {
		if f.IsExported() && f.Name != "Spec" || f.Anonymous {
			t.Errorf("the field Run.%s is new: what can a phase change by it?", f.Name)
		}
	}

	for _, name := range known {
		reached := 0
		plan, _, err := c.plan(t.Context(), PlanOptions{Phases: []Phase{{Name: "own", Run: func(ctx context.Context, run *Run) error {
			targets, err := reach[name](run)
			for _, target := range targets {
				reached++
				err = errors.Join(err, changeHost(ctx, target))
			}
			return err
		}}}})
		if err != nil || reached == 0 {
			t.Errorf("%s: reached %d hosts, %v", name, reached, err)
		}
		if len(plan.Changes) != reached {
			t.Errorf("%s: %d hosts were reached, the plan has %d changes", name, reached, len(plan.Changes))
		}
	}
	for name, f := range fakes {
		if done := f.Mutations(); len(done) > 0 {
			t.Errorf("%s was changed: %v", name, done)
		}
	}
}
