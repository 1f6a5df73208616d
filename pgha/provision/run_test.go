package provision

import (
	"context"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/remote"
)

// changeHost tries to change a host in each way that a connection offers.
func changeHost(ctx context.Context, t *remote.Target) error {
	touch := remote.Cmd{Argv: []string{"touch", "/tmp/touched"}, Mutating: true}
	_, err := t.Do(ctx, "file /tmp/touched", "made", touch)
	_, runErr := t.Run(ctx, touch)
	_, putErr := t.Put(ctx, strings.NewReader("x"),
		remote.FileMeta{Path: "/tmp/touched", Mode: 0o600})
	errs := []error{err, runErr, putErr}
	if s, ok := remote.As[remote.Streamer](t.Executor); ok {
		_, err := s.Stream(ctx, touch, io.Discard, io.Discard)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// TestPhaseChangesNothingInAPlan lets a phase of the user's own reach hosts by every method that a
// Run has. A method that is new must be added to the list, with what it reaches.
func TestPhaseChangesNothingInAPlan(t *testing.T) {
	t.Parallel()
	c, fakes := sitetest.HeldHosts(t)
	reach := map[string]func(*engine.Run) ([]*remote.Target, error){
		"Target": func(r *engine.Run) ([]*remote.Target, error) {
			target, err := r.Target("pg1")
			return []*remote.Target{target}, err
		},
		"Targets": func(r *engine.Run) ([]*remote.Target, error) { return r.Targets(), nil },
		"EtcdOptions": func(r *engine.Run) (found []*remote.Target, err error) {
			o, err := r.EtcdOptions()
			for _, m := range o.Members {
				found = append(found, m.Target)
			}
			return found, err
		},
		"PatroniOptions": func(r *engine.Run) (found []*remote.Target, err error) {
			o, err := r.PatroniOptions()
			for _, m := range o.Members {
				found = append(found, m.Target)
			}
			return found, err
		},
		"BalancerOptions": func(r *engine.Run) ([]*remote.Target, error) {
			o, err := r.BalancerOptions()
			return o.Balancers, err
		},
		"AddressOptions": func(r *engine.Run) (found []*remote.Target, err error) {
			o, _, err := r.AddressOptions()
			for _, b := range o.Balancers {
				found = append(found, b.Target)
			}
			return found, err
		},
	}
	// These return no connection: they look, or tell the observer.
	look := []string{"Planning", "Preflight", "Progress", "Status", "Warn", "WarnNext"}

	var known []string
	for name := range reach {
		known = append(known, name)
	}
	slices.Sort(known)
	for m := range reflect.TypeFor[*engine.Run]().Methods() {
		if !slices.Contains(known, m.Name) && !slices.Contains(look, m.Name) {
			t.Errorf("Run.%s is new: what can a phase change by it?", m.Name)
		}
	}
	for f := range reflect.TypeFor[engine.Run]().Fields() {
		if f.IsExported() && f.Name != "Spec" || f.Anonymous {
			t.Errorf("the field Run.%s is new: what can a phase change by it?", f.Name)
		}
	}

	for _, name := range known {
		reached := 0
		plan, _, err := Draw(t.Context(), c,
			PlanOptions{Phases: []engine.Phase{{Name: "own",
				Run: func(ctx context.Context, run *engine.Run) error {
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
			t.Errorf("%s: %d hosts were reached, the plan has %d changes", name, reached,
				len(plan.Changes))
		}
	}
	for name, f := range fakes {
		if done := f.Mutations(); len(done) > 0 {
			t.Errorf("%s was changed: %v", name, done)
		}
	}
}
