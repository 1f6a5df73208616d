package status_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// TestProblems breaks a healthy cluster in one way at a time: each is a problem, said in words.
func TestProblems(t *testing.T) {
	t.Parallel()
	if got := sitetest.PowerStatus().Problems(); len(got) > 0 {
		t.Fatalf("a healthy cluster has problems: %q", got)
	}
	for name, tt := range map[string]struct {
		breaks func(*status.Status)
		want   []string
	}{
		"a replica on an old timeline": {func(s *status.Status) {
			s.Members[1].Healthy, s.Members[1].State, s.Members[1].Timeline = false, "running", 3
		}, []string{"member pg2 is replica running on timeline 3"}},
		"a member that says nothing": {func(s *status.Status) {
			s.Members[2] = status.MemberStatus{Name: "pg3"}
		},
			[]string{"nothing is known about member pg3"}},
		"a member without a role": {func(s *status.Status) {
			s.Members[2] = status.MemberStatus{Name: "pg3", State: "stopped"}
		}, []string{"member pg3 is stopped on timeline 0"}},
		"two leaders": {func(s *status.Status) { s.Members[1].Role = "leader" },
			[]string{"the cluster has 2 leaders"}},
		"a cluster that follows another": {func(s *status.Status) {
			s.Members[0].Role = "standby_leader"
		},
			[]string{"the cluster has 0 leaders"}},
		"etcd without a leader": {func(s *status.Status) { s.Etcd[0].Leader = false },
			[]string{"etcd has 0 leaders"}},
		"etcd torn in two": {func(s *status.Status) { s.Etcd[1].Leader = true },
			[]string{"etcd has 2 leaders"}},
		"etcd's alarm": {func(s *status.Status) {
			s.Etcd[1].Healthy, s.Etcd[1].Error = false,
				"alarm NOSPACE"
		},
			[]string{"etcd on pg2 is not healthy: alarm NOSPACE"}},
		"a balancer that does not answer": {func(s *status.Status) {
			s.Balancers[2].Error = "refused"
		},
			[]string{"balancer lb3: refused"}},
		"a balancer without a primary": {func(s *status.Status) { s.Balancers[1].Primary = nil },
			[]string{"balancer lb2 sends writes to 0 members"}},
		"a balancer with two": {func(s *status.Status) {
			s.Balancers[1].Primary = []string{"pg1", "pg2"}
		},
			[]string{"balancer lb2 sends writes to 2 members"}},
		"the address nowhere": {
			func(s *status.Status) {
				s.VIP.Holders = nil
			}, []string{"10.0.0.9 is held by 0 balancers"},
		},
		"the address on two": {
			func(s *status.Status) { s.VIP.Holders = []string{"lb1", "lb2"} },
			[]string{"10.0.0.9 is held by 2 balancers"},
		},
		"no address in the spec": {func(s *status.Status) { s.VIP = nil }, nil},
		"a reset that was stopped": {
			func(s *status.Status) {
				s.UnfinishedReset = "a reset was begun"
			}, []string{"a reset was begun"},
		},
		"hosts without a connection": {func(s *status.Status) {
			s.Unreachable = map[string]string{"lb3": "x", "db2": "y"}
		}, []string{"y", "x"}},
		"somebody at work": {func(s *status.Status) {
			s.Operation = &status.OperationStatus{}
		}, nil},
		"a setting that is to be": {func(s *status.Status) {
			s.Members[0].PendingRestart = true
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sitetest.PowerStatus()
			tt.breaks(&s)
			if diff := cmp.Diff(tt.want, s.Problems()); diff != "" ||
				s.Healthy() != (len(tt.want) == 0) {
				t.Errorf("healthy: %v (-want +got):\n%s", s.Healthy(), diff)
			}
		})
	}
}

// TestServing: what HAProxy has not checked, or takes for a stand-in, serves nobody.
func TestServing(t *testing.T) {
	t.Parallel()
	server := func(proxy, name, state string, backup bool) lb.ServerState {
		return lb.ServerState{Proxy: proxy, Name: name, Status: state, Backup: backup}
	}
	primary, replicas := status.Serving(lb.BalancerState{Servers: []lb.ServerState{
		server(lb.WriteProxy, "pg1", "UP", false), server(lb.WriteProxy, "pg2", "DOWN", false),
		server(lb.ReadProxy, "pg2", "UP", false), server(lb.ReadProxy, "pg3", "DOWN", false),
		server(lb.ReadProxy, "pg1", "UP", true),
	}})
	if strings.Join(primary, ",") != "pg1" || strings.Join(replicas, ",") != "pg2" {
		t.Errorf("writes go to %q, reads to %q", primary, replicas)
	}
	if primary, replicas = status.Serving(lb.BalancerState{}); primary == nil || replicas == nil {
		t.Error("nothing is null in JSON")
	}
	s := sitetest.PowerStatus("lb2")
	for host, want := range map[string]bool{"lb1": true, "lb2": false, "lb9": false, "db1": false} {
		if s.Balances(host) != want {
			t.Errorf("%s balances: %v", host, !want)
		}
	}
}

// deafHosts is a cluster whose hosts answer nothing, the reset's mark aside: what they say to that
// is marks, by host.
func deafHosts(t *testing.T, marks map[string]string) *site.Site {
	t.Helper()
	c, _ := sitetest.HeldHosts(t)
	for _, h := range c.Spec.Hosts {
		c.Connections[h.Name] = &remote.Target{Host: remote.Host{Name: h.Name, Address: h.Address},
			Executor: deaf{name: h.Name, mark: marks[h.Name]}}
	}
	return c
}

type deaf struct {
	remote.Executor
	name, mark string
}

func (d deaf) String() string { return d.name }
func (d deaf) Close() error   { return nil }

func (d deaf) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	if d.mark != "" && strings.Contains(cmd.Script, site.ResetFile) {
		end := cmd.Script[strings.LastIndex(cmd.Script, `'\n`)+3:]
		end, _, _ = strings.Cut(end, " ")
		return remote.Result{Stdout: []byte(d.mark + "\n" + end + " 0\n")}, nil
	}
	return remote.Result{ExitCode: -1}, remote.OnHost(d.name, remote.ErrUnreachable)
}

// TestStatusOfADeadCluster: the status of a cluster that answers nothing is a status, in which
// every part says why it is missing, and what is known here is there.
func TestStatusOfADeadCluster(t *testing.T) {
	t.Parallel()
	c := deafHosts(t, map[string]string{"pg2": "alice@desk at 2026-11-23"})
	c.Unreachable = map[string]error{"pg3": errors.New("pg3: no route")}
	delete(c.Connections, "pg3")
	s, err := status.Look(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if s.Healthy() || len(s.Members) != 3 || len(s.Etcd) != 3 || len(s.Balancers) != 2 ||
		s.Leader() != "" {
		t.Errorf("%d members, %d of etcd, %d balancers, led by %q", len(s.Members), len(s.Etcd),
			len(s.Balancers),
			s.Leader())
	}
	for _, b := range s.Balancers {
		if b.Error == "" || b.HoldsVIP {
			t.Errorf("balancer %s is all right: %+v", b.Host, b)
		}
	}
	for _, part := range []string{"patroni", "reset"} {
		if s.Errors[part] == "" {
			t.Errorf("%s does not say why it is missing: %v", part, s.Errors)
		}
	}
	for _, m := range s.Members {
		for path, code := range m.Endpoints {
			if code != 0 {
				t.Errorf("%s answers %s with %d", m.Name, path, code)
			}
		}
	}
	if !strings.Contains(s.UnfinishedReset, "alice@desk") {
		t.Errorf("the mark on one host is %q", s.UnfinishedReset)
	}
	if s.Unreachable["pg3"] != "pg3: no route" || s.Operation != nil || len(s.VIP.Holders) != 0 {
		t.Errorf("unreachable: %v, at work: %v, the address is held by %v", s.Unreachable,
			s.Operation, s.VIP.Holders)
	}
	// three authorities, two of the operator's and seven for each database host
	if len(s.Certificates) != 5+3*7 || s.Certificates[0].Name != "etcd CA" ||
		s.Certificates[0].DaysLeft < 365 {
		t.Errorf("%d certificates: %+v", len(s.Certificates), s.Certificates)
	}
}

// TestStatusIsInterrupted: a look that was ended is an error, and not a dead cluster.
func TestStatusIsInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := status.Look(ctx, deafHosts(t, nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestWaitForAHealthyCluster ends with what was missing at the last look, and where to look next.
func TestWaitForAHealthyCluster(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	last, err := status.AwaitHealthy(ctx, deafHosts(t, nil))
	if !errors.Is(err, errs.ErrTimeout) || !strings.Contains(err.Error(),
		"the cluster has 0 leaders") {
		t.Errorf("got %v", err)
	}
	if len(last.Members) != 3 || remote.Hint(err) == "" {
		t.Errorf("%d members at the last look; next: %q", len(last.Members), remote.Hint(err))
	}
}

// TestLeadershipOfStrangers: names that are no member are refused before etcd is asked.
func TestLeadershipOfStrangers(t *testing.T) {
	t.Parallel()
	c := deafHosts(t, nil)
	if err := status.MoveEtcdLeader(t.Context(), c, "nobody"); !errors.Is(err,
		spec.ErrUnknownHost) {
		t.Errorf("to nobody: %v", err)
	}
	if err := status.MoveEtcdLeader(t.Context(), c, "lb1"); errs.KindOf(err) != errs.Refused {
		t.Errorf("to a balancer: %v", err)
	}
	if _, err := status.History(t.Context(), c); !strings.Contains(err.Error(),
		"no member of the cluster answers") {
		t.Errorf("history: %v", err)
	}
}
