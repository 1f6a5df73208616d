package status_test

import (
	"context"
	"errors"
	"fmt"
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
			[]string{"10.0.0.9 is held by 2 balancers: lb1, lb2"},
		},
		"both addresses": {
			func(s *status.Status) {
				s.VIP.Former, s.VIP.FormerHolders = "10.0.0.8", []string{"lb1"}
			}, nil,
		},
		"the address of before nowhere": {
			func(s *status.Status) { s.VIP.Former = "10.0.0.8" },
			[]string{"10.0.0.8 is held by 0 balancers"},
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
		"an outage": {func(s *status.Status) {
			s.NoWrites = "no writes through 10.0.0.9:5432: refused"
		},
			[]string{"no writes through 10.0.0.9:5432: refused"}},
		"a REST API that is silent": {func(s *status.Status) {
			s.Members[1].Healthy, s.Members[1].Fault = false,
				"has a Patroni whose REST API doesn't answer"
		}, []string{"member pg2 has a Patroni whose REST API doesn't answer"}},
		"no readers": {func(s *status.Status) { s.Balancers[0].Missing = []string{"pg2", "pg3"} },
			[]string{"balancer lb1 sends no reads to pg2, pg3"}},
		"a balancer that cannot start again": {func(s *status.Status) {
			s.Balancers[0].Former = "cannot bind"
		},
			[]string{"balancer lb1 serves a former configuration and cannot start again: " +
				"cannot bind"}},
		"a stranger": {func(s *status.Status) { s.Strangers = []string{"pg9"} },
			[]string{"member pg9 is in the cluster and not in the specification"}},
		"a member that remembers a former leader": {func(s *status.Status) {
			s.Members[2].Believes = "pg2"
		},
			[]string{"pg3 holds pg2 for the leader; most members name pg1"}},
		"a fence": {func(s *status.Status) {
			at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
			s.Fences = []status.FenceStatus{{Host: "db2", Against: "pg1", Address: "10.0.0.1",
				Since: at, Until: at.Add(80 * time.Second)}}
		}, []string{"db2 has fenced pg1 since 03:04:05: no packet goes out to 10.0.0.1 until its " +
			"own PostgreSQL is on a newer timeline, until 03:05:25 at the latest"}},
		"an agent that does not run": {func(s *status.Status) {
			s.Services = []status.ServiceStatus{{Host: "db1", Unit: "pgha-failover.service",
				Active: "inactive", AtBoot: true}}
		}, []string{"pgha-failover.service on db1 is inactive"}},
		"a pause": {func(s *status.Status) { s.Paused = true },
			[]string{"the cluster is paused: nobody is promoted if the leader fails"}},
		"a full disk": {func(s *status.Status) {
			s.Disks = []status.DiskStatus{{Host: "db1", Path: "/data", Size: 1000, Free: 20}}
		}, []string{"the disk of /data on db1 is full"}},
		"a disk with room": {func(s *status.Status) {
			s.Disks = []status.DiskStatus{{Host: "db1", Path: "/data", Size: 1000, Free: 21}}
		}, nil},
		"a disk without inodes": {func(s *status.Status) {
			s.Disks = []status.DiskStatus{{Host: "db1", Path: "/data", Size: 9, Free: 9,
				Inodes: 1000, InodesFree: 1}}
		}, []string{"the disk of /data on db1 has no inode left"}},
		"a disk that can only be read": {func(s *status.Status) {
			s.Disks = []status.DiskStatus{{Host: "db1", Path: "/data", Size: 9, Free: 9,
				ReadOnly: true}}
		}, []string{"/data on db1 can only be read"}},
		"services": {func(s *status.Status) {
			s.Services = []status.ServiceStatus{
				{Host: "db1", Unit: "patroni.service", Active: "reloading", AtBoot: true},
				{Host: "lb1", Unit: "keepalived.service", Active: "inactive", AtBoot: true},
				{Host: "lb2", Unit: "haproxy.service", Active: "active"},
				{Host: "lb3", Unit: "haproxy.service"},
			}
		}, []string{"keepalived.service on lb1 is inactive",
			"haproxy.service on lb2 does not start at boot",
			"haproxy.service on lb3 is not known to systemd"}},
		"a certificate that has ended": {func(s *status.Status) {
			s.Certificates = []status.CertificateStatus{{Name: "db1 postgres", Host: "db1",
				Error: "ended on x"},
				{Name: "db2 postgres", Host: "db2"}}
		}, []string{"the certificate db1 postgres ended on x"}},
		"all certificates of a host": {func(s *status.Status) {
			s.Certificates = []status.CertificateStatus{{Name: "postgres CA"},
				{Name: "db1 postgres", Host: "db1", Error: "ended on x"},
				{Name: "db1 etcd", Host: "db1", Error: "ended on y"}}
		}, []string{"2 of 2 certificates on db1 are worth nothing: db1 postgres ended on x, ..."}},
		"a part that was not had": {func(s *status.Status) {
			s.Errors = map[string]string{"lock": "etcd is slow"}
		},
			[]string{"etcd is slow"}},
		"a part whose members say why": {func(s *status.Status) {
			s.Etcd[1].Healthy, s.Errors = false, map[string]string{"etcd": "some do not answer"}
		}, []string{"etcd on pg2 is not healthy: it does not answer"}},
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
		return answering(cmd.Script, func(question string) string {
			if strings.Contains(question, site.ResetFile) {
				return d.mark
			}
			return ""
		}), nil
	}
	return remote.Result{ExitCode: -1}, remote.OnHost(d.name, remote.ErrUnreachable)
}

// TestStatusOfADeadCluster: the status of a cluster that answers nothing is a status, in which
// every part says why it is missing, and what is known here is there.
// answering is a host that answers each question of a batch.
func answering(script string, answer func(question string) string) remote.Result {
	var out strings.Builder
	question := ""
	for line := range strings.Lines(script) {
		if mark, ok := strings.CutPrefix(line, `printf '\n`); ok {
			mark, _, _ = strings.Cut(mark, " ")
			fmt.Fprintf(&out, "%s\n%s 0\n", answer(question), mark)
		}
		question = line
	}
	return remote.Result{Stdout: []byte(out.String())}
}

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
	if s.Errors["patroni"] == "" || s.Unreachable["pg1"] == "" || s.Unreachable["pg2"] != "" {
		t.Errorf("it does not say what is missing: %v, %v", s.Errors, s.Unreachable)
	}
	if !strings.Contains(s.Problems()[0], "no writes through") {
		t.Errorf("an outage is not told first: %q", s.Problems())
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
	c := deafHosts(t, nil)
	var last status.Status
	var err error
	// On a busy machine the first look takes longer than the wait.
	for bound := time.Second; len(last.Members) != 3 && bound < time.Minute; bound *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), bound)
		last, err = status.AwaitHealthy(ctx, c)
		cancel()
	}
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
