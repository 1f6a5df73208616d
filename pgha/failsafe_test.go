package pgha

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/remote"
)

// withoutQuorum is a cluster whose etcd is away: nobody is healthy by Patroni's own account, and db1 takes writes all the same.
func withoutQuorum() (*Spec, Status, map[string]hostLook) {
	sp := powerSpec()
	sp.Patroni.FailsafeMode = true
	s := Status{Etcd: []EtcdStatus{{Name: "pg1", Error: "refused"}, {Name: "pg2", Error: "refused"}, {Name: "pg3", Healthy: true}}}
	looks := map[string]hostLook{}
	for i, h := range sp.Databases() {
		code := http.StatusServiceUnavailable
		if i == 0 {
			code = http.StatusOK
		}
		s.Members = append(s.Members, MemberStatus{Name: h.Member, Host: h.Name, Endpoints: map[string]int{"/primary": code}})
		looks[h.Name] = hostLook{active: map[string]string{patroniUnit: "active"}}
	}
	return sp, s, looks
}

func TestStopRefusesWhileFailsafeHoldsThePrimary(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change  func(*Spec, *Status, map[string]hostLook)
		hosts   []string
		force   bool
		refused bool
	}{
		"a replica":                 {hosts: []string{"db2"}, refused: true},
		"the primary":               {hosts: []string{"db1"}, refused: true},
		"a replica and a balancer":  {hosts: []string{"db3", "lb1"}, refused: true},
		"forced":                    {hosts: []string{"db2"}, force: true},
		"everything":                {hosts: []string{"db1", "db2", "db3", "lb1", "lb2", "lb3"}},
		"one whose Patroni is down": {hosts: []string{"db2"}, change: func(_ *Spec, _ *Status, l map[string]hostLook) { l["db2"] = hostLook{} }},
		"etcd has its quorum":       {hosts: []string{"db2"}, change: func(_ *Spec, s *Status, _ map[string]hostLook) { s.Etcd[0].Healthy = true }},
		"etcd takes no writes": {hosts: []string{"db2"}, change: func(_ *Spec, s *Status, _ map[string]hostLook) {
			for i := range s.Etcd {
				s.Etcd[i] = EtcdStatus{Name: s.Etcd[i].Name, Alarm: "NOSPACE"}
			}
		}},
		"failsafe_mode is off":           {hosts: []string{"db2"}, change: func(sp *Spec, _ *Status, _ map[string]hostLook) { sp.Patroni.FailsafeMode = false }},
		"nobody takes writes any longer": {hosts: []string{"db2"}, change: func(_ *Spec, s *Status, _ map[string]hostLook) { s.Members[0].Endpoints["/primary"] = 503 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sp, s, looks := withoutQuorum()
			if c.change != nil {
				c.change(sp, &s, looks)
			}
			hosts, err := (&Cluster{Spec: sp}).chosen(c.hosts)
			if err != nil {
				t.Fatal(err)
			}
			err = refuseStop(sp, s, looks, hosts, c.force)
			said := err != nil && strings.Contains(err.Error(), "failsafe_mode")
			if said != c.refused || said && (!errors.Is(err, ErrRefused) || remote.Hint(err) == "") {
				t.Errorf("got %v, want a refusal: %v", err, c.refused)
			}
		})
	}
}

func TestVerbsSayWhatFailsafeForbids(t *testing.T) {
	t.Parallel()
	c := &Cluster{Spec: powerSpec()}
	c.Spec.Patroni.FailsafeMode = true
	away := fmt.Errorf("%w: no member answers", etcd.ErrUnhealthy)
	for _, verb := range []string{"restart", "reinit", "rolling-reboot", "switchover", "failover"} {
		if err := c.aboutFailsafe(verb, away); !errors.Is(err, ErrRefused) || !errors.Is(err, etcd.ErrUnhealthy) || remote.Hint(err) == "" {
			t.Errorf("%s: %v", verb, err)
		}
	}
	if err := c.aboutFailsafe("pause", away); errors.Is(err, ErrRefused) {
		t.Errorf("pause stops no Patroni: %v", err)
	}
	c.Spec.Patroni.FailsafeMode = false
	if err := c.aboutFailsafe("restart", away); errors.Is(err, ErrRefused) {
		t.Errorf("without failsafe_mode: %v", err)
	}
}
