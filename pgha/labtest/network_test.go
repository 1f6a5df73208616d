package labtest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
)

// testBlockedPort drops new connections between one pair of hosts and wants preflight to name that
// pair alone.
func testBlockedPort(t *testing.T, s site) {
	s.mustInHost(t, "postgres-03", `nft -f - <<'.'
table ip labtest {
	chain input {
		type filter hook input priority 0
		ip saddr 192.168.0.204 tcp dport 2380 tcp flags & (syn | ack) == syn drop
	}
}
.`)
	removed := false
	remove := func() {
		if !removed {
			removed = true
			_, _ = s.Exec(context.WithoutCancel(t.Context()), "postgres-03", []string{
				"nft", "delete", "table", "ip", "labtest",
			}, lab.Stdio{})
		}
	}
	defer remove()
	s.with(t, pgha.ConnectOptions{}, func(c *pgha.Cluster) {
		report, err := c.Preflight(t.Context(), pgha.PreflightOptions{Ports: true})
		if err != nil {
			t.Fatal(err)
		}
		if report.RoutesTried != len(c.Routes()) {
			t.Errorf("%d routes tried, want %d", report.RoutesTried, len(c.Routes()))
		}
		stopping := 0
		for _, f := range report.Findings {
			if f.Warning {
				continue
			}
			stopping++
			if f.Host != "postgres-02" || !strings.Contains(f.Problem, "port 2380 of postgres-03") {
				t.Errorf("unexpected finding: %+v", f)
			}
		}
		if stopping != 1 {
			t.Errorf("%d findings, want 1: %+v", stopping, report.Findings)
		}
		remove()
		report, err = c.Preflight(t.Context(), pgha.PreflightOptions{Ports: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := report.Err(); err != nil {
			t.Errorf("with the rule removed: %v", err)
		}
	})
	s.awaitHealthy(t)
}

// testUnreachable cuts a replica's cable: apply says so and touches no host, status reports the
// rest.
func testUnreachable(t *testing.T, s site, secrets needles) {
	host := hostWith(t, s.status(t), "replica")
	before := digests(t, s)
	if err := s.Cut(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	healed := false
	heal := func() {
		if !healed {
			healed = true
			if err := s.Heal(context.WithoutCancel(t.Context()), host); err != nil {
				t.Error(err)
			}
		}
	}
	defer heal()
	apply := s.cli(t, "apply")
	if apply.code != 1 || !strings.Contains(apply.stderr, host) {
		t.Errorf("apply: exit code %d\n%s%s", apply.code, apply.stdout, apply.stderr)
	}
	if apply.took > 20*time.Second {
		t.Errorf("apply took %s to give up", apply.took)
	}
	secrets.check(t, "apply with an unreachable host", []byte(apply.stdout+apply.stderr))
	if diff := cmp.Diff(before, digests(t, s)); diff != "" {
		t.Errorf("files changed (-before +after):\n%s", diff)
	}
	status := s.cli(t, "status")
	if status.code != 1 || !strings.Contains(status.stdout, host) ||
		!strings.Contains(status.stdout, "leader") {
		t.Errorf("status: exit code %d\n%s%s", status.code, status.stdout, status.stderr)
	}
	t.Logf("with %s cut: apply gave up after %s, status took %s", host,
		apply.took.Round(100*time.Millisecond),
		status.took.Round(100*time.Millisecond))
	heal()
	s.awaitHealthy(t)
	s.applyNothing(t)
}

// hostWith returns a host whose member has the role.
func hostWith(t *testing.T, status pgha.Status, role string) string {
	t.Helper()
	for _, m := range status.Members {
		if m.Role == role {
			return m.Host
		}
	}
	t.Fatalf("no %s in %+v", role, status.Members)
	return ""
}

// testPowerLoss takes and restores the power of one host of each kind; apply leaves the cluster
// healthy each time.
func testPowerLoss(t *testing.T, s site) {
	for _, kind := range []string{"leader", "holder"} {
		t.Run(kind, func(t *testing.T) {
			status := s.awaitHealthy(t)
			host := status.VIP.Holders[0]
			if kind != "holder" {
				host = hostWith(t, status, kind)
			}
			if err := s.Kill(t.Context(), host); err != nil {
				t.Fatal(err)
			}
			if err := s.StartHost(t.Context(), host); err != nil {
				t.Fatal(err)
			}
			report := s.apply(t, pgha.ApplyOptions{})
			t.Logf("apply after the power loss of %s: %d changes in %s", host, len(report.Changes),
				report.Duration.Round(100*time.Millisecond))
			s.verify(t)
			s.applyNothing(t)
		})
	}
}
