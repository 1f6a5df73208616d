package pgha

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// powerSpec has three databases, db1 to db3 with the members pg1 to pg3, and three balancers, lb1 to lb3.
func powerSpec() *Spec {
	sp := &Spec{Cluster: "c", VIP: &spec.VIP{Address: "10.0.0.9"}}
	for i := range 3 {
		sp.Hosts = append(sp.Hosts, spec.Host{Name: fmt.Sprintf("db%d", i+1), Member: fmt.Sprintf("pg%d", i+1), Role: spec.RoleDatabase})
	}
	for i := range 3 {
		sp.Hosts = append(sp.Hosts, spec.Host{Name: fmt.Sprintf("lb%d", i+1), Role: spec.RoleBalancer})
	}
	return sp
}

// powerStatus is healthy, but for the hosts that are down: pg1 leads, lb1 has the address, or the next that is up.
func powerStatus(down ...string) Status {
	s := Status{VIP: &VIPStatus{Address: "10.0.0.9"}}
	leader := ""
	for i := range 3 {
		db, pg, lb := fmt.Sprintf("db%d", i+1), fmt.Sprintf("pg%d", i+1), fmt.Sprintf("lb%d", i+1)
		up := !slices.Contains(down, db)
		m := MemberStatus{Name: pg, Host: db, Healthy: up}
		switch {
		case up && leader == "":
			leader, m.Role, m.State = pg, "leader", "running"
		case up:
			lag := int64(i)
			m.Role, m.State, m.LagBytes = "replica", "streaming", &lag
		}
		s.Members = append(s.Members, m)
		s.Etcd = append(s.Etcd, EtcdStatus{Name: pg, Healthy: up, Leader: up && pg == leader})
		b := BalancerStatus{Host: lb, Primary: []string{leader}}
		if slices.Contains(down, lb) {
			b.Error = "no answer"
		} else if len(s.VIP.Holders) == 0 {
			s.VIP.Holders = []string{lb}
		}
		s.Balancers = append(s.Balancers, b)
	}
	return s
}

func named(sp *Spec, names ...string) []spec.Host {
	return slices.DeleteFunc(slices.Clone(sp.Hosts), func(h spec.Host) bool { return !slices.Contains(names, h.Name) })
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
		"everything":                       {hosts: all},
		"everything, some of it down":      {hosts: all, down: []string{"db2", "db3", "lb1"}},
		"everything, a host is silent":     {hosts: all, silent: []string{"db2"}, down: []string{"db2"}, says: "db2 cannot be reached", is: ErrRefused},
		"the same by force":                {hosts: all, silent: []string{"db2"}, down: []string{"db2"}, force: true},
		"a replica":                        {hosts: []string{"db2"}},
		"the leader":                       {hosts: []string{"db1"}},
		"a database and a balancer":        {hosts: []string{"db1", "lb1"}},
		"two databases":                    {hosts: []string{"db1", "db2"}, says: "etcd would lose its quorum: 1 of its 3", is: ErrRefused},
		"two databases by force":           {hosts: []string{"db1", "db2"}, force: true},
		"one of two that are left":         {hosts: []string{"db1"}, down: []string{"db2"}, says: "etcd would lose its quorum", is: ErrRefused},
		"one that is down already":         {hosts: []string{"db2"}, down: []string{"db2"}},
		"all databases":                    {hosts: []string{"db1", "db2", "db3"}, says: "no healthy member", is: ErrRefused},
		"two balancers":                    {hosts: []string{"lb1", "lb3"}},
		"all balancers":                    {hosts: []string{"lb1", "lb2", "lb3"}, says: "no balancer would be left", is: ErrRefused},
		"the last balancer":                {hosts: []string{"lb2"}, down: []string{"lb1", "lb3"}, says: "no balancer would be left", is: ErrRefused},
		"the last balancer by force":       {hosts: []string{"lb2"}, down: []string{"lb1", "lb3"}, force: true},
		"paused":                           {hosts: []string{"db2"}, paused: true, says: "paused", is: patroni.ErrPaused},
		"paused by force":                  {hosts: all, paused: true, force: true, says: "paused", is: patroni.ErrPaused},
		"a balancer of a paused cluster":   {hosts: []string{"lb2"}, paused: true},
		"several reasons come all at once": {hosts: []string{"db2", "db3", "lb1", "lb2", "lb3"}, says: "1 of its 3 members would be left; no balancer", is: ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sp, s := powerSpec(), powerStatus(c.down...)
			s.Paused = c.paused
			looks := map[string]hostLook{}
			for _, h := range c.silent {
				looks[h] = hostLook{err: remote.ErrUnreachable}
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
	if !errors.Is(err, is) || !Refused(err) || !strings.Contains(err.Error(), says) || remote.Hint(err) == "" {
		t.Errorf("got %v with hint %q, want %v that says %q", err, remote.Hint(err), is, says)
	}
}

// stopped is a database host where nothing runs.
func stopped(state string, timeline int64, checkpoint uint64) hostLook {
	return hostLook{active: map[string]string{etcdUnit: "inactive", patroniUnit: "inactive"}, enabled: map[string]string{etcdUnit: "enabled", patroniUnit: "enabled"},
		control: controlData{identifier: "1", state: state, timeline: timeline, checkpoint: checkpoint}}
}

func TestRefuseStart(t *testing.T) {
	t.Parallel()
	running := stopped("in production", 1, 5)
	running.active = map[string]string{etcdUnit: "active", patroniUnit: "active"}
	bare := stopped("", 0, 0)
	bare.control, bare.enabled = controlData{}, map[string]string{etcdUnit: "", patroniUnit: ""}
	allStopped := map[string]hostLook{"db1": stopped("shut down in recovery", 1, 9), "db2": stopped("shut down", 1, 9), "db3": stopped("shut down in recovery", 1, 9)}
	for name, c := range map[string]struct {
		looks map[string]hostLook
		hosts []string
		force bool
		says  string
	}{
		"everything":             {allStopped, []string{"db1", "db2", "db3", "lb1"}, false, ""},
		"one alone":              {allStopped, []string{"db2"}, false, "1 of its 3 members"},
		"one alone by force":     {allStopped, []string{"db2"}, true, "1 of its 3 members"},
		"with the newest data":   {allStopped, []string{"db2", "db3"}, false, ""},
		"without":                {allStopped, []string{"db1", "db3"}, false, "db2 has the newest data"},
		"without, by force":      {allStopped, []string{"db1", "db3"}, true, ""},
		"one of a running three": {map[string]hostLook{"db1": stopped("in archive recovery", 1, 4), "db2": running, "db3": running}, []string{"db1"}, false, ""},
		"newer, but others lead": {map[string]hostLook{"db1": stopped("shut down in recovery", 1, 4), "db2": running, "db3": running, "lb1": {}}, []string{"db1"}, false, ""},
		"a balancer alone":       {allStopped, []string{"lb1"}, false, ""},
		"never set up":           {map[string]hostLook{"db1": bare, "db2": bare, "db3": bare}, []string{"db1", "db2"}, false, "db1 has no"},
		"silent":                 {map[string]hostLook{"db1": {err: remote.ErrUnreachable}, "db2": running, "db3": running}, []string{"db1"}, false, "unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sp := powerSpec()
			var is error
			if c.says != "" {
				is = ErrRefused
			}
			checkRefusal(t, refuseStart(sp, c.looks, named(sp, c.hosts...), c.force), is, c.says)
		})
	}
}

func TestRefuseReboot(t *testing.T) {
	t.Parallel()
	sp := powerSpec()
	enabled := map[string]hostLook{"db1": stopped("", 1, 1)}
	disabled := map[string]hostLook{"db1": {enabled: map[string]string{etcdUnit: "enabled", patroniUnit: "disabled"}}}
	checkRefusal(t, refuseReboot(powerStatus(), enabled, named(sp, "db1")), nil, "")
	checkRefusal(t, refuseReboot(powerStatus(), disabled, named(sp, "db1")), ErrRefused, "patroni.service on db1 is not enabled")
	checkRefusal(t, refuseReboot(powerStatus("lb2"), enabled, named(sp, "db1")), ErrRefused, "balancer lb2")
	checkRefusal(t, refuseReboot(powerStatus("db2"), enabled, named(sp, "db1")), ErrRefused, "member pg2")
	paused := powerStatus()
	paused.Paused = true
	checkRefusal(t, refuseReboot(paused, enabled, named(sp, "db1")), ErrRefused, "paused")
}

// TestRebootOrder reboots everything in memory: the address and the leadership go where they would.
func TestRebootOrder(t *testing.T) {
	t.Parallel()
	sp := powerSpec()
	for name, c := range map[string]struct {
		hosts []string
		want  string
	}{
		"all":                      {strings.Fields("db1 db2 db3 lb1 lb2 lb3"), "lb2 lb3 lb1 db2 db3 db1"},
		"the leader and a replica": {strings.Fields("db1 db3"), "db3 db1"},
		"holder and leader":        {strings.Fields("db1 lb1"), "lb1 db1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			left, s := named(sp, c.hosts...), powerStatus()
			var got []string
			for len(left) > 0 {
				h := nextToReboot(left, s)
				got = append(got, h.Name)
				left = without(left, []spec.Host{h})
			}
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestHeirs(t *testing.T) {
	t.Parallel()
	sp, s := powerSpec(), powerStatus() // pg2 is 1 byte behind, pg3 2
	for want, got := range map[string][]string{
		"pg2 pg3": heirs(s, named(sp, "db1"), nil),
		"pg3 pg2": heirs(s, named(sp, "db1"), []string{"pg3", "pg1"}),
		"pg3":     heirs(s, named(sp, "db1", "db2"), nil),
		"":        heirs(powerStatus("db2", "db3"), named(sp, "db1"), nil),
	} {
		if want != strings.Join(got, " ") {
			t.Errorf("got %v, want %s", got, want)
		}
	}
}

func TestControlData(t *testing.T) {
	t.Parallel()
	const text = `pg_control version number:            1800
Database system identifier:           7711352684321083151
Database cluster state:               shut down in recovery
Latest checkpoint location:           1F/2000150
Latest checkpoint's REDO location:    0/2000028
Latest checkpoint's TimeLineID:       12
Latest checkpoint's PrevTimeLineID:   11
`
	want := controlData{identifier: "7711352684321083151", state: "shut down in recovery", timeline: 12, checkpoint: 0x1F02000150}
	if diff := cmp.Diff(want, parseControlData(text), cmp.AllowUnexported(controlData{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := parseControlData("pg_controldata: error: could not open file"); got != (controlData{}) {
		t.Errorf("of an error: %+v", got)
	}
}

func TestMostAdvanced(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		db1, db2, db3 controlData
		want          string
	}{
		"no data":                         {want: ""},
		"the primary that shut down":      {controlData{"1", "shut down in recovery", 3, 99}, controlData{"1", "shut down", 3, 99}, controlData{"1", "shut down in recovery", 3, 99}, "db2"},
		"a primary that lost power":       {controlData{"1", "shut down in recovery", 3, 99}, controlData{"1", "in archive recovery", 3, 99}, controlData{"1", "in production", 3, 50}, "db3"},
		"a former primary on an old line": {controlData{"1", "in production", 2, 999}, controlData{"1", "shut down in recovery", 3, 5}, controlData{"1", "shut down in recovery", 3, 7}, "db3"},
		"one has data":                    {db3: controlData{"1", "shut down in recovery", 1, 1}, want: "db3"},
		"equals":                          {controlData{"1", "shut down in recovery", 1, 1}, controlData{"1", "shut down in recovery", 1, 1}, controlData{}, "db1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			looks := map[string]hostLook{"db1": {control: c.db1}, "db2": {control: c.db2}, "db3": {control: c.db3}}
			if got := mostAdvanced(powerSpec().Databases(), looks); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestLineStaysTheSame dials again underneath those who hold the connection.
func TestLineStaysTheSame(t *testing.T) {
	t.Parallel()
	made := 0
	open := func(context.Context) (remote.Executor, error) {
		made++
		return remote.Broken("db1", fmt.Errorf("connection %d", made)), nil
	}
	first, _ := open(t.Context())
	target := &remote.Target{Host: remote.Host{Name: "db1"}, Executor: newLine("db1", first, open)}
	holder := *target
	if err := redial(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Run(t.Context(), remote.Cmd{Argv: []string{"true"}}); err == nil || !strings.Contains(err.Error(), "connection 2") {
		t.Errorf("who held the connection before uses %v", err)
	}
	if _, ok := remote.As[remote.Dialer](holder.Executor); !ok {
		t.Error("the connection's abilities are hidden")
	}
	if err := redial(t.Context(), &remote.Target{Executor: &remote.Local{}}); err == nil {
		t.Error("an executor that cannot be made again was")
	}
}
