package power

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/hostlook"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// withoutQuorum is a cluster whose etcd is away: nobody is healthy by Patroni's own account, and
// db1 takes writes all the same.
func withoutQuorum() (*spec.Spec, status.Status, map[string]hostlook.Look) {
	sp := sitetest.PowerSpec()
	sp.Patroni.FailsafeMode = true
	s := status.Status{
		Etcd: []status.EtcdStatus{
			{Name: "pg1", Error: "refused"}, {Name: "pg2", Error: "refused"},
			{Name: "pg3", Healthy: true},
		},
	}
	looks := map[string]hostlook.Look{}
	for i, h := range sp.Databases() {
		code := http.StatusServiceUnavailable
		if i == 0 {
			code = http.StatusOK
		}
		s.Members = append(s.Members, status.MemberStatus{
			Name: h.Member, Host: h.Name, Endpoints: map[string]int{"/primary": code},
		})
		looks[h.Name] = hostlook.Look{Active: map[string]string{patroni.Unit: "active"}}
	}
	return sp, s, looks
}

func TestStopRefusesWhileFailsafeHoldsThePrimary(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change  func(*spec.Spec, *status.Status, map[string]hostlook.Look)
		hosts   []string
		force   bool
		refused bool
	}{
		"a replica":                {hosts: []string{"db2"}, refused: true},
		"the primary":              {hosts: []string{"db1"}, refused: true},
		"a replica and a balancer": {hosts: []string{"db3", "lb1"}, refused: true},
		"forced":                   {hosts: []string{"db2"}, force: true},
		"everything":               {hosts: []string{"db1", "db2", "db3", "lb1", "lb2", "lb3"}},
		"one whose Patroni is down": {
			hosts: []string{"db2"},
			change: func(_ *spec.Spec, _ *status.Status, l map[string]hostlook.Look) {
				l["db2"] = hostlook.Look{}
			},
		},
		"etcd has its quorum": {
			hosts: []string{"db2"},
			change: func(_ *spec.Spec, s *status.Status, _ map[string]hostlook.Look) {
				s.Etcd[0].Healthy = true
			},
		},
		"etcd takes no writes": {hosts: []string{"db2"},
			change: func(_ *spec.Spec, s *status.Status, _ map[string]hostlook.Look) {
				for i := range s.Etcd {
					s.Etcd[i] = status.EtcdStatus{Name: s.Etcd[i].Name, Alarm: "NOSPACE"}
				}
			}},
		"failsafe_mode is off": {
			hosts: []string{"db2"},
			change: func(sp *spec.Spec, _ *status.Status,
				_ map[string]hostlook.Look) {
				sp.Patroni.FailsafeMode = false
			},
		},
		"nobody takes writes any longer": {hosts: []string{"db2"},
			change: func(_ *spec.Spec, s *status.Status, _ map[string]hostlook.Look) {
				s.Members[0].Endpoints["/primary"] = 503
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sp, s, looks := withoutQuorum()
			if c.change != nil {
				c.change(sp, &s, looks)
			}
			hosts, err := (&site.Site{Spec: sp}).Chosen(c.hosts)
			if err != nil {
				t.Fatal(err)
			}
			err = refuseStop(sp, s, looks, hosts, c.force)
			said := err != nil && strings.Contains(err.Error(), "failsafe_mode")
			if said != c.refused || said && (!errors.Is(err, errs.ErrRefused) ||
				remote.Hint(err) == "") {
				t.Errorf("got %v, want a refusal: %v", err, c.refused)
			}
		})
	}
}
