package status

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/patroni"
)

// sees is a member's answer: the cluster with that leader, each member on the leader's timeline.
func sees(member, leader string, timeline int64) answer {
	a := answer{member: member, codes: map[string]int{"/primary": 503, "/replica": 200,
		"/health": 200}}
	if member == leader {
		a.codes = map[string]int{"/primary": 200, "/replica": 503, "/health": 200}
	}
	for _, name := range []string{"pg1", "pg2", "pg3"} {
		m := patroni.MemberState{Name: name, Role: patroni.RoleReplica, State: "streaming",
			Timeline: timeline}
		if name == leader {
			m.Role, m.State = patroni.RoleLeader, "running"
		}
		a.state.Members = append(a.state.Members, m)
	}
	return a
}

func silent(member string) answer {
	return answer{member: member, err: errors.New(member + " is away")}
}

// TestMostMembersDecide: a member that is cut off shows nobody a former leader.
func TestMostMembersDecide(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answers []answer
		leader  string
		err     string
	}{
		"all agree": {[]answer{sees("pg1", "pg1", 3), sees("pg2", "pg1", 3), sees("pg3", "pg1", 3)},
			"pg1", ""},
		"the first is cut off": {
			[]answer{sees("pg1", "pg1", 3), sees("pg2", "pg2", 4), sees("pg3", "pg2", 4)},
			"pg2", ""},
		"the last is cut off": {
			[]answer{sees("pg1", "pg1", 4), sees("pg2", "pg1", 4), sees("pg3", "pg3", 3)},
			"pg1", ""},
		"one against one": {
			[]answer{sees("pg1", "pg1", 3), sees("pg2", "pg2", 4), silent("pg3")}, "pg2",
			"only 1 of 3 members"},
		"one alone": {[]answer{silent("pg1"), silent("pg2"), sees("pg3", "pg1", 3)}, "pg1",
			"only 1 of 3 members"},
		"two of three": {[]answer{silent("pg1"), sees("pg2", "pg2", 4), sees("pg3", "pg2", 4)},
			"pg2", ""},
		"nobody": {[]answer{silent("pg1"), silent("pg2"), silent("pg3")}, "",
			"no member of the cluster answers: pg1 is away; pg2 is away; pg3 is away"},
	} {
		state, err := agreed(tt.answers)
		if leaderIn(state) != tt.leader {
			t.Errorf("%s: %q leads", name, leaderIn(state))
		}
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOldViewOfTheSameLeader: of those who name the same leader most decide as well.
func TestOldViewOfTheSameLeader(t *testing.T) {
	t.Parallel()
	old := sees("pg1", "pg2", 4)
	old.state.Members[2].State = "stopped"
	state, err := agreed([]answer{old, sees("pg2", "pg2", 4), sees("pg3", "pg2", 4)})
	if m, _ := state.Member("pg3"); err != nil || m.State != "streaming" {
		t.Errorf("pg3 is %q, %v", m.State, err)
	}
}

func TestMemberOf(t *testing.T) {
	t.Parallel()
	now := sees("pg2", "pg2", 4).state
	hung := sees("pg2", "pg2", 4)
	hung.codes["/primary"] = 503
	behind := sees("pg3", "pg2", 4)
	late := sees("pg3", "pg2", 4).state
	late.Members[2].Timeline = 3
	for name, tt := range map[string]struct {
		state    patroni.ClusterState
		answer   answer
		healthy  bool
		fault    string
		believes string
	}{
		"leader":                 {now, sees("pg2", "pg2", 4), true, "", ""},
		"replica":                {now, sees("pg3", "pg2", 4), true, "", ""},
		"REST API silent":        {now, silent("pg3"), false, "REST API doesn't answer", ""},
		"leader whose key lives": {now, hung, false, "Patroni answers /primary with 503", ""},
		"on an old timeline":     {late, behind, false, "on timeline 3, the leader's is 4", ""},
		"remembers the former":   {now, sees("pg1", "pg1", 3), true, "", "pg1"},
		"knows no leader":        {now, sees("pg1", "", 3), true, "", "nobody"},
		"not reported":           {patroni.ClusterState{}, silent("pg1"), false, "", ""},
	} {
		m := memberOf(tt.state, tt.answer, "host")
		if m.Healthy != tt.healthy || !strings.Contains(m.Fault, tt.fault) ||
			(m.Fault == "") != (tt.fault == "") ||
			m.Believes != tt.believes {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

func TestCodesOf(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		says  map[string]int
		want  map[string]int
		asked string
	}{
		"primary": {map[string]int{"/primary": 200, "/replica": 503},
			map[string]int{"/primary": 200, "/replica": 503,
				"/health": 200}, "/primary /replica"},
		"replica": {map[string]int{"/primary": 503, "/replica": 200},
			map[string]int{"/primary": 503, "/replica": 200,
				"/health": 200}, "/primary /replica"},
		"starts": {map[string]int{"/primary": 503, "/replica": 503, "/health": 503},
			map[string]int{"/primary": 503,
				"/replica": 503, "/health": 503}, "/primary /replica /health"},
		"silent": {nil, map[string]int{"/primary": 0, "/replica": 0, "/health": 0}, "/primary"},
	} {
		var asked []string
		got := codesOf(func(path string) (int, error) {
			asked = append(asked, path)
			if tt.says == nil {
				return 0, errors.New("no answer")
			}
			return tt.says[path], nil
		})
		if diff := cmp.Diff(tt.want, got); diff != "" || strings.Join(asked, " ") != tt.asked {
			t.Errorf("%s: %q is asked\n%s", name, asked, diff)
		}
	}
}

// TestDescribe: a member that nobody knows is told of, and one whose Patroni was stopped is not
// stranded.
func TestDescribe(t *testing.T) {
	t.Parallel()
	state := sees("pg2", "pg2", 4).state
	state.Members[0].State, state.Members[2].State = "stopped", "start failed"
	state.Members = append(state.Members, patroni.MemberState{Name: "pg9",
		Role:  patroni.RoleReplica,
		State: "streaming", Timeline: 4})
	s := Status{Members: []MemberStatus{memberOf(state, silent("pg1"), "db1"),
		memberOf(state, sees("pg2", "pg2", 4), "db2"),
		memberOf(state, sees("pg3", "pg2", 4), "db3")}}
	s.describe(state)
	if strings.Join(s.Strangers, " ") != "pg9" {
		t.Errorf("strangers: %q", s.Strangers)
	}
	if len(s.Stranded) != 1 || s.Stranded[0].Member != "pg3" {
		t.Errorf("stranded: %+v", s.Stranded)
	}
}

// TestNoSuccessor: in a synchronous mode Patroni lets only those take over whom it has noted, which
// is later than a replica streams.
func TestNoSuccessor(t *testing.T) {
	t.Parallel()
	quorum := map[string]any{"synchronous_mode": "quorum"}
	for name, tt := range map[string]struct {
		breaks func(members []patroni.MemberState)
		config map[string]any
		err    error
		want   string
	}{
		"none is noted": {config: quorum, want: "Patroni has noted no synchronous replica " +
			"(synchronous_mode is quorum): nobody would take over if pg1 were lost now"},
		"one of two is noted": {func(m []patroni.MemberState) {
			m[2].Role = patroni.RoleQuorumStandby
		}, quorum, nil, ""},
		"another mode": {func(m []patroni.MemberState) { m[1].Role = patroni.RoleSyncStandby },
			map[string]any{"synchronous_mode": true}, nil, ""},
		"a drill has switched it off": {config: map[string]any{"synchronous_mode": false}},
		"the leader does not say":     {err: errors.New("away")},
		"no replica streams": {func(m []patroni.MemberState) {
			m[1].State, m[2].State = "starting", "stopped"
		}, quorum, nil, ""},
		"no replica may be synchronous": {func(m []patroni.MemberState) {
			m[1].Tags = map[string]any{"nosync": true}
			m[2].Tags = map[string]any{"nosync": true}
		}, quorum, nil, ""},
		"one of them may": {func(m []patroni.MemberState) {
			m[1].Tags = map[string]any{"nosync": true}
		}, map[string]any{"synchronous_mode": true, "synchronous_mode_strict": true}, nil,
			"Patroni has noted no synchronous replica (synchronous_mode is strict): nobody " +
				"would take over if pg1 were lost now"},
		"a cluster that follows another": {func(m []patroni.MemberState) {
			m[0].Role = patroni.RoleStandbyLeader
		}, quorum, nil, ""},
		"no leader": {func(m []patroni.MemberState) { m[0].Role = patroni.RoleReplica }, quorum,
			nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state := sees("pg1", "pg1", 3).state
			if tt.breaks != nil {
				tt.breaks(state.Members)
			}
			got := noSuccessor(state, func(string) (map[string]any, error) {
				return tt.config, tt.err
			})
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if problems := (Status{NoSuccessor: got}).ProblemsOf(PartMembers); got != "" &&
				!strings.Contains(strings.Join(problems, "\n"), got) {
				t.Errorf("problems are %q", problems)
			}
		})
	}
}
