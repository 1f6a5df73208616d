package sitetest

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/remotetest"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// New returns a site without connections.
func New(t *testing.T) *site.Site {
	t.Helper()
	c := &site.Site{Spec: testkit.Spec(t), Connections: map[string]*remote.Target{}}
	for _, h := range c.Spec.Hosts {
		c.Connections[h.Name] = &remote.Target{Host: remote.Host{Name: h.Name, Address: h.Address},
			Executor: &remote.Local{Name: h.Name}}
	}
	return c
}

// PowerSpec has three databases, db1 to db3 with the members pg1 to pg3, and three balancers, lb1
// to lb3.
func PowerSpec() *spec.Spec {
	sp := &spec.Spec{Cluster: "c", VIP: &spec.VIP{Address: "10.0.0.9"}}
	for i := range 3 {
		sp.Hosts = append(sp.Hosts, spec.Host{Name: fmt.Sprintf("db%d", i+1),
			Member: fmt.Sprintf("pg%d", i+1),
			Role:   spec.RoleDatabase})
	}
	for i := range 3 {
		sp.Hosts = append(sp.Hosts, spec.Host{Name: fmt.Sprintf("lb%d", i+1),
			Role: spec.RoleBalancer})
	}
	return sp
}

// PowerStatus is healthy, but for the hosts that are down: pg1 leads, lb1 has the address, or the
// next that is up.
func PowerStatus(down ...string) status.Status {
	s := status.Status{VIP: &status.VIPStatus{Address: "10.0.0.9"}}
	leader := ""
	for i := range 3 {
		db, pg, lb := fmt.Sprintf("db%d", i+1), fmt.Sprintf("pg%d", i+1), fmt.Sprintf("lb%d", i+1)
		up := !slices.Contains(down, db)
		m := status.MemberStatus{Name: pg, Host: db, Healthy: up}
		switch {
		case up && leader == "":
			leader, m.Role, m.State = pg, "leader", "running"
		case up:
			lag := int64(i)
			m.Role, m.State, m.LagBytes = "replica", "streaming", &lag
		}
		s.Members = append(s.Members, m)
		s.Etcd = append(s.Etcd, status.EtcdStatus{Name: pg, Healthy: up, Leader: up &&
			pg == leader})
		b := status.BalancerStatus{Host: lb, Primary: []string{leader}}
		if slices.Contains(down, lb) {
			b.Error = "no answer"
		} else if len(s.VIP.Holders) == 0 {
			s.VIP.Holders = []string{lb}
		}
		s.Balancers = append(s.Balancers, b)
	}
	return s
}

// HeldHosts is a cluster on hosts without an answer to anything: whatever is asked of one fails the
// test. more are lines of its specification.
func HeldHosts(t *testing.T, more ...string) (*site.Site, map[string]*remotetest.Fake) {
	t.Helper()
	sp := testkit.Spec(t, more...)
	state, err := vault.OpenState(sp.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = state.Close() })
	c := &site.Site{Spec: sp, Connections: map[string]*remote.Target{}, State: state,
		Log: slog.New(slog.DiscardHandler)}
	cr, err := vault.LoadCredentials(t.Context(), state, sp)
	if err != nil {
		t.Fatal(err)
	}
	c.Hold(cr)
	fakes := map[string]*remotetest.Fake{}
	for _, h := range sp.Hosts {
		fakes[h.Name] = remotetest.NewFake(t, h.Name)
		c.Connections[h.Name] = &remote.Target{Host: remote.Host{Name: h.Name, Address: h.Address},
			Executor: fakes[h.Name]}
	}
	return c, fakes
}
