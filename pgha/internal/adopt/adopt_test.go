package adopt

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/hostlook"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
)

// storeOf is a cluster whose etcd was formed again: db1 runs as the primary, and every Patroni
// refuses the new etcd.
func storeOf(change func(*storeView)) storeView {
	primary := hostlook.ControlData{Identifier: "7", State: "in production", Timeline: 3,
		Checkpoint: 90}
	replica := hostlook.ControlData{Identifier: "7", State: "in archive recovery", Timeline: 3,
		Checkpoint: 90}
	look := func(d hostlook.ControlData) hostlook.Look {
		return hostlook.Look{Active: map[string]string{patroni.Unit: "active"}, Server: true,
			Control: d}
	}
	stale := patroni.Refusal{Term: 2, Known: 10}
	v := storeView{
		looks: map[string]hostlook.Look{"db1": look(primary), "db2": look(replica),
			"db3": look(replica)},
		refusals: map[string]patroni.Refusal{"pg1": stale, "pg2": stale, "pg3": stale},
		keys:     map[string]string{},
	}
	change(&v)
	return v
}

func (v *storeView) change(host string, f func(*hostlook.Look)) {
	l := v.looks[host]
	f(&l)
	v.looks[host] = l
}

func TestPlanAdoption(t *testing.T) {
	t.Parallel()
	down := func(l *hostlook.Look) {
		l.Server, l.Active = false, map[string]string{patroni.Unit: "inactive"}
	}
	demoted := func(l *hostlook.Look) { l.Control.State = "in archive recovery" }
	for name, c := range map[string]struct {
		change            func(*storeView)
		first, rest, hold string
		forget            string
		refused           string // a part of the refusal
		nothing           bool
	}{
		"formed again": {change: func(*storeView) {}, first: "db1", rest: "db2 db3"},
		"etcd and Patroni agree": {
			change: func(v *storeView) {
				v.refusals, v.keys = nil, map[string]string{
					"initialize": "7", "leader": "pg1",
				}
			}, nothing: true,
		},
		"a cluster that is being made": {
			change:  func(v *storeView) { v.refusals, v.looks = nil, map[string]hostlook.Look{} },
			nothing: true,
		},
		"being made, its key is there before data": {
			change: func(v *storeView) {
				v.refusals, v.keys = nil, map[string]string{"initialize": ""}
			}, nothing: true,
		},
		"Patroni has not noticed yet": {
			change: func(v *storeView) { v.refusals = nil }, first: "db1", rest: "db2 db3",
			hold: "db2 db3",
		},
		"one that would take the lock": {
			change: func(v *storeView) { delete(v.refusals, "pg3") }, first: "db1", rest: "db2 db3",
			hold: "db3",
		},
		"the primary has it, the others not": {change: func(v *storeView) {
			delete(v.refusals, "pg1")
			v.keys = map[string]string{"initialize": "7", "leader": "pg1"}
		}, rest: "db2 db3"},
		"a snapshot that names a former leader": {change: func(v *storeView) {
			v.keys = map[string]string{
				"initialize": "7", "leader": "pg2", "sync": "{}", "failsafe": "{}", "status": "{}",
				"members/pg1": "{}", "config": "{}", "history": "[]",
			}
		}, first: "db1", rest: "db2 db3", forget: "failsafe leader members/pg1 status sync"},
		"a snapshot of another cluster": {
			change:  func(v *storeView) { v.keys = map[string]string{"initialize": "8"} },
			refused: "another database cluster",
		},
		"Patroni of the primary is dead": {change: func(v *storeView) {
			v.change("db1", func(l *hostlook.Look) {
				l.Active = map[string]string{patroni.Unit: "failed"}
			})
			delete(v.refusals, "pg1")
		}, first: "db1", rest: "db2 db3"},
		"Patroni of a replica is dead": {
			change: func(v *storeView) { v.change("db2", down); delete(v.refusals, "pg2") },
			first:  "db1", rest: "db3",
		},
		"without failsafe_mode the primary stepped down": {change: func(v *storeView) {
			v.change("db1", demoted)
			v.change("db1", func(l *hostlook.Look) { l.Control.Checkpoint = 99 })
		}, first: "db1", rest: "db2 db3"},
		"nobody leads, a replica is ahead": {change: func(v *storeView) {
			v.change("db1", demoted)
			v.change("db3", func(l *hostlook.Look) { l.Control.Timeline = 4 })
		}, first: "db3", rest: "db1 db2"},
		"nobody leads, and one is down": {
			change:  func(v *storeView) { v.change("db1", demoted); v.change("db2", down) },
			refused: "down on db2",
		},
		"all lost their power": {change: func(v *storeView) {
			v.refusals = nil
			for _, h := range []string{"db1", "db2", "db3"} {
				v.change(h, down)
			}
		}, first: "db1"},
		"a host is gone": {
			change: func(v *storeView) {
				v.looks["db1"] = hostlook.Look{Err: errors.New("no route")}
			},
			refused: "db1 may have the newest data",
		},
		"two primaries": {
			change:  func(v *storeView) { v.looks["db2"] = v.looks["db1"] },
			refused: "db1 and db2 both run as the primary",
		},
		"begins with given data": {change: func(v *storeView) {
			v.refusals = nil
			v.change("db1", down)
			v.looks["db2"], v.looks["db3"] = hostlook.Look{}, hostlook.Look{}
		}, nothing: true},
		"the only one with data, and Patroni was there": {change: func(v *storeView) {
			v.refusals = nil
			v.change("db1", down)
			v.change("db1", func(l *hostlook.Look) {
				l.Enabled = map[string]string{patroni.Unit: "enabled"}
			})
			v.looks["db2"], v.looks["db3"] = hostlook.Look{}, hostlook.Look{}
		}, first: "db1"},
		"another host than the first has the data": {change: func(v *storeView) {
			v.refusals = nil
			v.change("db2", func(l *hostlook.Look) { down(l); l.Control.State = "in production" })
			v.looks["db1"], v.looks["db3"] = hostlook.Look{}, hostlook.Look{}
		}, first: "db2"},
		"etcd knows, nobody refuses": {
			change: func(v *storeView) {
				v.refusals, v.keys = nil, map[string]string{"initialize": "7"}
			},
			nothing: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := planAdoption(sitetest.PowerSpec(), storeOf(c.change))
			if c.refused != "" {
				if !errors.Is(err, errs.ErrRefused) || !strings.Contains(err.Error(), c.refused) ||
					remote.Hint(err) == "" || strings.Contains(remote.Hint(err), "patronictl") {
					t.Errorf("got %v with hint %q, want a refusal with %q", err, remote.Hint(err),
						c.refused)
				}
				return
			}
			if err != nil || (a == nil) != c.nothing {
				t.Fatalf("got %+v, %v, want nothing: %v", a, err, c.nothing)
			}
			if a == nil {
				return
			}
			got := []string{
				a.first.Name, strings.Join(site.HostNames(a.rest), " "),
				strings.Join(site.HostNames(a.hold), " "), strings.Join(a.forget, " "),
			}
			if want := []string{c.first, c.rest, c.hold, c.forget}; !slices.Equal(got, want) ||
				a.why == "" {
				t.Errorf("got %q because %q, want %q", got, a.why, want)
			}
		})
	}
}
