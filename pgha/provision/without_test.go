package provision

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/vip"
)

// TestWithoutRefuses: what is not safe without a host is refused, with a reason and a way.
func TestWithoutRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		without []string
		want    string // "" is not refused
	}{
		"nobody":                        {nil, ""},
		"a database":                    {[]string{"pg2"}, ""},
		"the same twice, as its member": {[]string{"pg2", "m2"}, ""},
		"a database and a balancer":     {[]string{"pg3", "lb1"}, ""},
		"no majority of etcd":           {[]string{"pg1", "pg3"}, "1 of 3 database hosts are left"},
		"no balancer":                   {[]string{"lb1", "lb2"}, "no balancer is left"},
		"a stranger":                    {[]string{"pg9"}, `unknown host "pg9"`},
	} {
		c, _ := sitetest.HeldHosts(t)
		left, err := without(t.Context(), c, tt.without)
		if tt.want != "" {
			if !errors.Is(err, errs.ErrRefused) || !strings.Contains(err.Error(), tt.want) ||
				remote.Hint(err) == "" {
				t.Errorf("%s: %v; %s", name, err, remote.Hint(err))
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := len(c.Spec.Hosts) - len(left.Targets()); got != len(left.LeftOut()) || got > 2 {
			t.Errorf("%s: %d hosts without a connection, %d left out", name, got,
				len(left.LeftOut()))
		}
	}
}

// TestWithoutDuringARotation: each step of an authority's rotation has to be on every host.
func TestWithoutDuringARotation(t *testing.T) {
	t.Parallel()
	c, _ := sitetest.HeldHosts(t)
	file := filepath.Join(c.State.Dir, vault.CAFile("patroni-old", ".crt"))
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700),
		os.WriteFile(file, []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := without(t.Context(), c, []string{"pg2"}); !errors.Is(err, errs.ErrRefused) ||
		!strings.Contains(err.Error(), "replacement of the authorities of rest") {
		t.Error(err)
	}
}

// TestSilentHosts: a host that does not answer is an error unless it is left out, and nothing is
// advised that would be refused.
func TestSilentHosts(t *testing.T) {
	t.Parallel()
	c, _ := sitetest.HeldHosts(t)
	for _, h := range c.Spec.Hosts {
		delete(c.Connections, h.Name)
	}
	c.Unreachable = map[string]error{"pg2": remote.OnHost("pg2", remote.ErrUnreachable)}
	if _, err := without(t.Context(), c, []string{"pg2"}); err != nil {
		t.Errorf("left out: %v", err)
	}
	_, err := without(t.Context(), c, []string{"pg3"})
	if !errors.Is(err, remote.ErrUnreachable) || !strings.Contains(err.Error(),
		"pg2: host unreachable") {
		t.Errorf("another is left out: %v", err)
	}
	if strings.Contains(remote.Hint(err), "--without") {
		t.Errorf("no majority would be left, and that is advised: %s", remote.Hint(err))
	}
	c.Unreachable, c.Remembered = nil, map[string]error{"pg1": errors.New("no such host")}
	if _, err := without(t.Context(), c, nil); err == nil || !strings.Contains(err.Error(), "pg1") {
		t.Errorf("a name that cannot be looked up: %v", err)
	}
}

// TestSilentSince reads from the balancers since when a member does not answer.
func TestSilentSince(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	server := func(proxy, name, status, check string, since time.Duration) lb.ServerState {
		return lb.ServerState{Proxy: proxy, Name: name, Status: status, Check: check, Since: since}
	}
	day := 24 * time.Hour
	states := []lb.BalancerState{
		{Host: "lb1", Servers: []lb.ServerState{
			server(lb.WriteProxy, "m1", "UP", "L7OK/200", 9*day),
			server(lb.ReadProxy, "m1:primary", "UP", "L7OK/200", 9*day),
			server(lb.WriteProxy, "m2", "DOWN", "L4TOUT", 9*day),
			server(lb.ReadProxy, "m2", "DOWN", "L4TOUT", 3*day),
			server(lb.WriteProxy, "m3", "DOWN", "L7STS/503", 9*day),
			server(lb.ReadProxy, "m3", "UP", "L7OK/200", 9*day),
			server(lb.WriteProxy, "m4", "DOWN", "", 0),
		}},
		{Host: "lb2", Servers: []lb.ServerState{server(lb.ReadProxy, "m2", "DOWN", "L4TOUT",
			time.Hour)}},
		{Host: "lb3", Err: errors.New("no answer")},
	}
	want := map[string]time.Time{"m2": now.Add(-3 * day)}
	if diff := cmp.Diff(want, silentSince(states, now)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestOrderedChangesWithoutABalancer: what all balancers change one after the other is refused
// while one is away; what is each one's own is not.
func TestOrderedChangesWithoutABalancer(t *testing.T) {
	t.Parallel()
	keepalived := func(diff string) []PlannedChange {
		return []PlannedChange{{Name: vip.ConfigPath, Diff: diff}}
	}
	for name, tt := range map[string]struct {
		without string
		changes []PlannedChange
		want    string
	}{
		"another router id": {"lb1", keepalived("\n-    virtual_router_id 51\n+    " +
			"virtual_router_id 77\n"), "vip.router_id"},
		"another address": {
			"lb1", keepalived("     virtual_ipaddress {\n-        10.0.0.9/24 dev eth0\n+        " +
				"10.0.0.8/24 dev eth0\n"),
			"vip.address",
		},
		"another port": {
			"lb1", []PlannedChange{{Name: lb.ConfigPath,
				Diff: "\n-    bind :5432\n+    bind :6432\n"}},
			"balancer.write_port",
		},
		"another interface": {
			"lb1", keepalived("\n-        10.0.0.9/24 dev eth0\n+        10.0.0.9/24 dev eth1\n"),
			"",
		},
		"another priority": {"lb1",
			keepalived("\n-    priority 90\n+    priority 80\n"), ""},
		"a router id where none": {"lb1", keepalived("\n+    virtual_router_id 77\n"), ""},
		"a database is left out": {"pg1",
			keepalived("\n-    virtual_router_id 51\n+    virtual_router_id 77\n"), ""},
		"the same in other order": {"lb1",
			keepalived("\n-    virtual_router_id 51\n+    virtual_router_id 51\n"), ""},
	} {
		c, _ := sitetest.HeldHosts(t)
		left, err := without(t.Context(), c, []string{tt.without})
		if err != nil {
			t.Fatal(err)
		}
		err = judgeOrdered(left, tt.changes)
		if (err != nil) != (tt.want != "") || err != nil && (!errors.Is(err, errs.ErrRefused) ||
			!strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.without)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPlanWithout: a plan asks nothing of a host that is left out, and says so; its phases find the
// host marked.
func TestPlanWithout(t *testing.T) {
	t.Parallel()
	c, _ := sitetest.HeldHosts(t) // whatever is asked of one fails the test
	var reached []string
	plan, err := Make(t.Context(), c, PlanOptions{Without: []string{"m2"}, Phases: []engine.Phase{{
		Name: "own", Run: func(ctx context.Context, run *engine.Run) error {
			for _, target := range run.Targets() {
				reached = append(reached, target.Name)
			}
			po, err := run.PatroniOptions()
			if err != nil {
				return err
			}
			for _, m := range po.Members {
				if m.Target.LeftOut != (m.Name == "m2") {
					return fmt.Errorf("%s: left out is %v", m.Name, m.Target.LeftOut)
				}
			}
			left, err := run.Target("pg2")
			if err != nil {
				return err
			}
			if changes, err := left.Ensure(ctx, remote.Unit{Name: "x",
				Running: remote.Yes}); err != nil || changes.Any() {
				return fmt.Errorf("a host that is left out is changed: %v, %w", changes, err)
			}
			if _, err := left.Output(ctx, "true"); !errors.Is(err, remote.ErrLeftOut) {
				return fmt.Errorf("a host that is left out is asked: %w", err)
			}
			return nil
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(strings.Join(reached, " "), "pg2") || len(reached) != len(c.Spec.Hosts)-1 {
		t.Errorf("reached %v", reached)
	}
	if len(plan.LeftOut) != 1 || plan.LeftOut[0] != "pg2" || !plan.Empty() ||
		len(plan.Consequences) != 1 ||
		!strings.Contains(plan.Consequences[0].String(), "pg2; the next `apply`") {
		t.Errorf("%+v", plan)
	}
}
