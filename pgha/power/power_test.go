package power

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/hostlook"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

func named(sp *spec.Spec, names ...string) []spec.Host {
	return slices.DeleteFunc(slices.Clone(sp.Hosts),
		func(h spec.Host) bool { return !slices.Contains(names, h.Name) })
}

func TestRefuseStop(t *testing.T) {
	t.Parallel()
	all := strings.Fields("db1 db2 db3 lb1 lb2 lb3")
	for name, c := range map[string]struct {
		hosts, down, silent []string
		paused, force       bool
		says                string
		is                  error
	}{
		"everything":                  {hosts: all},
		"everything, some of it down": {hosts: all, down: []string{"db2", "db3", "lb1"}},
		"everything, a host is silent": {
			hosts: all, silent: []string{"db2"}, down: []string{"db2"},
			says: "db2 cannot be reached",
			is:   errs.ErrRefused,
		},
		"the same by force": {hosts: all, silent: []string{"db2"}, down: []string{"db2"},
			force: true},
		"a replica":                 {hosts: []string{"db2"}},
		"the leader":                {hosts: []string{"db1"}},
		"a database and a balancer": {hosts: []string{"db1", "lb1"}},
		"two databases": {
			hosts: []string{"db1", "db2"}, says: "etcd would lose its quorum: 1 of its 3",
			is: errs.ErrRefused,
		},
		"two databases by force": {hosts: []string{"db1", "db2"}, force: true},
		"one of two that are left": {
			hosts: []string{"db1"}, down: []string{"db2"}, says: "etcd would lose its quorum",
			is: errs.ErrRefused,
		},
		"one that is down already": {hosts: []string{"db2"}, down: []string{"db2"}},
		"all databases": {
			hosts: []string{"db1", "db2", "db3"}, says: "no healthy member", is: errs.ErrRefused,
		},
		"two balancers": {hosts: []string{"lb1", "lb3"}},
		"all balancers": {
			hosts: []string{"lb1", "lb2", "lb3"}, says: "no balancer would be left",
			is: errs.ErrRefused,
		},
		"the last balancer": {
			hosts: []string{"lb2"}, down: []string{"lb1", "lb3"}, says: "no balancer would be left",
			is: errs.ErrRefused,
		},
		"the last balancer by force": {hosts: []string{"lb2"}, down: []string{"lb1", "lb3"},
			force: true},
		"paused": {
			hosts: []string{"db2"}, paused: true, says: "paused", is: patroni.ErrPaused,
		},
		"paused by force": {
			hosts: all, paused: true, force: true, says: "paused", is: patroni.ErrPaused,
		},
		"a balancer of a paused cluster": {hosts: []string{"lb2"}, paused: true},
		"several reasons come all at once": {
			hosts: []string{"db2", "db3", "lb1", "lb2", "lb3"},
			says:  "1 of its 3 members would be left; no balancer", is: errs.ErrRefused,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sp, s := sitetest.PowerSpec(), sitetest.PowerStatus(c.down...)
			s.Paused = c.paused
			looks := map[string]hostlook.Look{}
			for _, h := range c.silent {
				looks[h] = hostlook.Look{Err: remote.ErrUnreachable}
			}
			checkRefusal(t, refuseStop(sp, s, looks, named(sp, c.hosts...), c.force), c.is, c.says)
		})
	}
}

// checkRefusal wants no error, or one that is a refusal with a hint.
func checkRefusal(t *testing.T, err, is error, says string) {
	t.Helper()
	if is == nil {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	if !errors.Is(err, is) || errs.KindOf(err) != errs.Refused ||
		!strings.Contains(err.Error(), says) ||
		remote.Hint(err) == "" {
		t.Errorf("got %v with hint %q, want %v that says %q", err, remote.Hint(err), is, says)
	}
}

// stopped is a database host where nothing runs.
func stopped(state string, timeline int64, checkpoint uint64) hostlook.Look {
	return hostlook.Look{Active: map[string]string{
		etcd.Unit: "inactive", patroni.Unit: "inactive",
	}, Enabled: map[string]string{etcd.Unit: "enabled", patroni.Unit: "enabled"},
		Control: hostlook.ControlData{Identifier: "1", State: state, Timeline: timeline,
			Checkpoint: checkpoint}}
}

func TestRefuseStart(t *testing.T) {
	t.Parallel()
	running := stopped("in production", 1, 5)
	running.Active = map[string]string{etcd.Unit: "active", patroni.Unit: "active"}
	bare := stopped("", 0, 0)
	bare.Control, bare.Enabled = hostlook.ControlData{},
		map[string]string{etcd.Unit: "", patroni.Unit: ""}
	allStopped := map[string]hostlook.Look{
		"db1": stopped("shut down in recovery", 1, 9), "db2": stopped("shut down", 1, 9),
		"db3": stopped("shut down in recovery", 1, 9),
	}
	for name, c := range map[string]struct {
		looks map[string]hostlook.Look
		hosts []string
		force bool
		says  string
	}{
		"everything":           {allStopped, []string{"db1", "db2", "db3", "lb1"}, false, ""},
		"one alone":            {allStopped, []string{"db2"}, false, "1 of its 3 members"},
		"one alone by force":   {allStopped, []string{"db2"}, true, "1 of its 3 members"},
		"with the newest data": {allStopped, []string{"db2", "db3"}, false, ""},
		"without": {allStopped, []string{"db1", "db3"}, false,
			"db2 has the newest data"},
		"without, by force": {allStopped, []string{"db1", "db3"}, true, ""},
		"one of a running three": {
			map[string]hostlook.Look{
				"db1": stopped("in archive recovery", 1, 4), "db2": running, "db3": running,
			}, []string{"db1"}, false, "",
		},
		"newer, but others lead": {
			map[string]hostlook.Look{
				"db1": stopped("shut down in recovery", 1, 4), "db2": running, "db3": running,
				"lb1": {},
			}, []string{"db1"}, false, "",
		},
		"a balancer alone": {allStopped, []string{"lb1"}, false, ""},
		"never set up": {
			map[string]hostlook.Look{"db1": bare, "db2": bare, "db3": bare},
			[]string{"db1", "db2"}, false,
			"db1 has no",
		},
		"silent": {
			map[string]hostlook.Look{"db1": {Err: remote.ErrUnreachable}, "db2": running,
				"db3": running},
			[]string{"db1"}, false, "unreachable",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sp := sitetest.PowerSpec()
			var is error
			if c.says != "" {
				is = errs.ErrRefused
			}
			checkRefusal(t, refuseStart(sp, c.looks, named(sp, c.hosts...), c.force), is, c.says)
		})
	}
}

func TestRefuseReboot(t *testing.T) {
	t.Parallel()
	sp := sitetest.PowerSpec()
	enabled := map[string]hostlook.Look{"db1": stopped("", 1, 1)}
	disabled := map[string]hostlook.Look{
		"db1": {Enabled: map[string]string{etcd.Unit: "enabled", patroni.Unit: "disabled"}},
	}
	checkRefusal(t, refuseReboot(sitetest.PowerStatus(), enabled, named(sp, "db1")), nil, "")
	checkRefusal(t, refuseReboot(sitetest.PowerStatus(), disabled, named(sp, "db1")),
		errs.ErrRefused,
		"patroni.service on db1 is not enabled")
	checkRefusal(t, refuseReboot(sitetest.PowerStatus("lb2"), enabled, named(sp, "db1")),
		errs.ErrRefused,
		"balancer lb2")
	checkRefusal(t, refuseReboot(sitetest.PowerStatus("db2"), enabled, named(sp, "db1")),
		errs.ErrRefused, "member pg2")
	paused := sitetest.PowerStatus()
	paused.Paused = true
	checkRefusal(t, refuseReboot(paused, enabled, named(sp, "db1")), errs.ErrRefused, "paused")
}

// TestRebootOrder reboots everything in memory: the address and the leadership go where they would.
func TestRebootOrder(t *testing.T) {
	t.Parallel()
	sp := sitetest.PowerSpec()
	for name, c := range map[string]struct {
		hosts []string
		want  string
	}{
		"all": {strings.Fields("db1 db2 db3 lb1 lb2 lb3"),
			"lb2 lb3 lb1 db2 db3 db1"},
		"the leader and a replica": {strings.Fields("db1 db3"), "db3 db1"},
		"holder and leader":        {strings.Fields("db1 lb1"), "lb1 db1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			left, s := named(sp, c.hosts...), sitetest.PowerStatus()
			var got []string
			for len(left) > 0 {
				h := nextToReboot(left, s)
				got = append(got, h.Name)
				left = site.Without(left, []spec.Host{h})
			}
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestHeirs(t *testing.T) {
	t.Parallel()
	sp, s := sitetest.PowerSpec(), sitetest.PowerStatus() // pg2 is 1 byte behind, pg3 2
	for want, got := range map[string][]string{
		"pg2 pg3": successors(s, named(sp, "db1"), nil),
		"pg3 pg2": successors(s, named(sp, "db1"), []string{"pg3", "pg1"}),
		"pg3":     successors(s, named(sp, "db1", "db2"), nil),
		"":        successors(sitetest.PowerStatus("db2", "db3"), named(sp, "db1"), nil),
	} {
		if want != strings.Join(got, " ") {
			t.Errorf("got %v, want %s", got, want)
		}
	}
}
