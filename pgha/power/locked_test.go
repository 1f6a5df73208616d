package power_test

import (
	"context"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/power"
	"github.com/pgha/toolkit/pgha/provision"
	"github.com/pgha/toolkit/pgha/recovery"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/secrets"
)

// verbs are those that begin with a lock which a unit test can hold.
var verbs = map[string]func(context.Context, *site.Site) error{
	"apply": func(ctx context.Context, c *site.Site) error {
		_, err := provision.Apply(ctx, c, provision.ApplyOptions{})
		return err
	},
	"start": func(ctx context.Context, c *site.Site) error {
		_, err := power.Start(ctx, c, power.StartOptions{})
		return err
	},
	"stop": func(ctx context.Context, c *site.Site) error {
		_, err := power.Stop(ctx, c, power.StopOptions{})
		return err
	},
	"reset": func(ctx context.Context, c *site.Site) error {
		_, err := power.Reset(ctx, c, power.ResetOptions{})
		return err
	},
	"recover": func(ctx context.Context, c *site.Site) error {
		_, err := recovery.FromMember(ctx, c, recovery.FromOptions{From: "m1"})
		return err
	},
}

// TestLockedByAnother: each verb that takes the hosts' lock names the holder, is an error of a lock
// and says what to do; nothing else is asked of a host. One that gives no lock for another reason
// is named with a way on.
func TestLockedByAnother(t *testing.T) {
	t.Parallel()
	const holder = "alice@laptop since 2026-11-29T08:00:00Z: switchover"
	for name, run := range verbs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for answer, kind := range map[string]errs.Kind{
				"taken " + holder + "\n": errs.Locked, "Welcome!\n": errs.Other,
				"": errs.Unavailable,
			} {
				c, _ := sitetest.HeldHosts(t)
				for _, h := range c.Spec.Hosts {
					c.Connections[h.Name] = &remote.Target{Host: remote.Host{Name: h.Name},
						Executor: sitetest.Lockable(h.Name, answer, nil)}
				}
				err := run(t.Context(), c)
				if err == nil || errs.KindOf(err) != kind || len(errs.Steps(err)) == 0 {
					t.Errorf("%q: %v of kind %v, %d hints", answer, err, errs.KindOf(err),
						len(errs.Steps(err)))
					continue
				}
				first := c.Spec.Databases()[0].Name
				if !strings.Contains(err.Error(), first) ||
					kind == errs.Locked && !strings.Contains(err.Error(), "locked by "+holder) {
					t.Errorf("%q: %v", answer, err)
				}
			}
		})
	}
}

// TestRotationBesideAnother: two processes on one machine share the state directory, whose lock a
// rotation takes first.
func TestRotationBesideAnother(t *testing.T) {
	t.Parallel()
	c, _ := sitetest.HeldHosts(t) // it holds the directory
	beside := c.Apart(c.Spec, c.Credentials())
	beside.State, beside.Connections = &vault.State{Dir: c.State.Dir}, map[string]*remote.Target{}
	_, err := secrets.RotateSecrets(t.Context(), beside,
		secrets.RotateOptions{Operation: engine.Operation{Holder: "bert"}})
	if errs.KindOf(err) != errs.Locked || len(errs.Steps(err)) == 0 ||
		!strings.Contains(err.Error(), vault.WhoAmI()) {
		t.Errorf("got %v of kind %v", err, errs.KindOf(err))
	}
}
