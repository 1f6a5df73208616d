package patroni

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/remote"
)

func TestInstallOrder(t *testing.T) {
	t.Parallel()
	o := fullOptions(t)
	if err := Install(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for _, m := range o.Members {
		host := m.Target.Executor.(*fakeHost)
		if host.looks != 1 {
			t.Errorf("%s: %d looks", m.Name, host.looks)
		}
		want, err := Config(o, m)
		if err != nil {
			t.Fatal(err)
		}
		if got := host.files[ConfigPath+".pgha-new"]; got != string(want) {
			t.Errorf("%s: wrong config.yml:\n%s", m.Name, got)
		}
		order := []string{
			"install -d -m 700 -o postgres -g postgres -- " + CertsDir,
			"put " + restKey + " -rw------- postgres",
			"put " + ConfigPath + ".pgha-new -rw------- postgres",
			"/usr/bin/python3 -I - " + ConfigPath + ".pgha-new < script",
			"mv -fT -- " + ConfigPath + ".pgha-new " + ConfigPath,
			"put /etc/systemd/system/patroni.service.d/pgha.conf -rw-r--r-- root",
		}
		at := -1
		for _, step := range order {
			next := slices.Index(host.done, step)
			if next <= at {
				t.Errorf("%s: %q is missing or too early in\n%s", m.Name, step, strings.Join(host.done, "\n"))
			}
			at = next
		}
		for _, line := range host.done {
			if strings.HasPrefix(line, "systemctl start") || strings.Contains(line, "-password") {
				t.Errorf("%s: %s", m.Name, line)
			}
		}
	}
}

func TestRefusedConfigKeepsTheOld(t *testing.T) {
	t.Parallel()
	o := fullOptions(t)
	host := o.Members[1].Target.Executor.(*fakeHost)
	host.fail = "python3"
	err := Install(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "postgresql-02") || strings.Contains(err.Error(), "postgresql-01") {
		t.Errorf("got %v", err)
	}
	if !slices.Contains(host.done, "rm -f -- "+ConfigPath+".pgha-new") || slices.ContainsFunc(host.done, func(s string) bool { return strings.HasPrefix(s, "mv") }) {
		t.Errorf("did\n%s", strings.Join(host.done, "\n"))
	}
}

func TestMemberWithoutTarget(t *testing.T) {
	t.Parallel()
	o := fullOptions(t)
	o.Members[2].Target = nil
	if err := Bootstrap(t.Context(), o); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

// fakeCluster answers for a cluster whose members need a while, and whose replicas only stream after a wake-up.
type fakeCluster struct {
	mu     sync.Mutex
	asked  int
	woken  int
	leader string
	paused bool
	config map[string]any
	// switchover answers POST /switchover; the leader moves if it returns true.
	switchover func(w http.ResponseWriter) bool
}

func (f *fakeCluster) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r.Method + " " + r.URL.Path {
	case "GET /cluster":
		f.asked++
		_ = json.NewEncoder(w).Encode(f.state())
	case "GET /patroni":
		_, _ = io.WriteString(w, `{"role": "primary", "state": "running", "timeline": 2, "patroni": {"name": "pg1"}, "pending_restart": true, "pending_restart_reason": {"max_connections": {}}}`)
	case "GET /config":
		_ = json.NewEncoder(w).Encode(f.config)
	case "PATCH /config":
		var patch map[string]any
		_ = json.NewDecoder(r.Body).Decode(&patch)
		if _, ok := patch["pgha"]; ok {
			f.woken++
		} else {
			f.config = patch
		}
		_ = json.NewEncoder(w).Encode(f.config)
	case "POST /switchover":
		var request struct{ Leader, Candidate string }
		_ = json.NewDecoder(r.Body).Decode(&request)
		if request.Leader != f.leader {
			http.Error(w, "leader name does not match", http.StatusPreconditionFailed)
			return
		}
		if f.switchover(w) {
			f.leader, f.woken = request.Candidate, 0
		}
	default:
		http.NotFound(w, r)
	}
}

func (f *fakeCluster) state() map[string]any {
	timeline := 1
	if f.leader != "postgresql-01" {
		timeline = 2
	}
	var members []map[string]any
	for _, name := range []string{"postgresql-01", "postgresql-02", "postgresql-03"} {
		m := map[string]any{"name": name, "role": "replica", "state": "running", "timeline": timeline, "lag": "unknown"}
		switch {
		case f.asked < 2:
			m["state"] = "creating replica"
		case name == f.leader:
			m["role"] = "leader"
		case f.woken > 0:
			m["state"], m["lag"] = "streaming", len(name)
		}
		members = append(members, m)
	}
	return map[string]any{"members": members, "pause": f.paused}
}

func newFakeCluster(t *testing.T, o Options) *fakeCluster {
	t.Helper()
	f := &fakeCluster{leader: "postgresql-01", config: map[string]any{}}
	for i := range o.Members {
		serve(t, o, i, f.serve)
	}
	return f
}

func TestBootstrap(t *testing.T) {
	t.Parallel()
	o := fullOptions(t)
	f := newFakeCluster(t, o)
	var mu sync.Mutex
	var told []string
	o.Progress = func(s string) { mu.Lock(); defer mu.Unlock(); told = append(told, s) }
	if err := Bootstrap(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for _, m := range o.Members {
		host := m.Target.Executor.(*fakeHost)
		if host.looks != 1 {
			t.Errorf("%s: %d looks", m.Name, host.looks)
		}
		if slices.Index(host.done, "systemctl start "+Unit) < slices.Index(host.done, "mv -fT -- "+ConfigPath+".pgha-new "+ConfigPath) {
			t.Errorf("%s: started before it was configured:\n%s", m.Name, strings.Join(host.done, "\n"))
		}
	}
	if !slices.Contains(told, "warning: PostgreSQL on pg1 must be restarted for max_connections to take effect") {
		t.Errorf("nothing said of the pending restart: %q", told)
	}
	if f.woken == 0 || f.config["ttl"] == nil {
		t.Errorf("woken %d, told %q, config %v", f.woken, told, f.config)
	}
}

func TestBootstrapTimesOut(t *testing.T) {
	t.Parallel()
	o := fullOptions(t)
	o.Wait = 400 * time.Millisecond
	f := newFakeCluster(t, o)
	f.leader = "" // nobody ever leads
	err := Bootstrap(t.Context(), o)
	var timeout *TimeoutError
	if !errors.Is(err, ErrTimeout) || !errors.As(err, &timeout) {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(err.Error(), "postgresql-02 is replica") || !strings.Contains(remote.Hint(err), "journalctl -u patroni -n 50` on postgresql-01") {
		t.Errorf("%v; hint %q", err, remote.Hint(err))
	}
}

func TestBootstrapPlanWaitsForNothing(t *testing.T) {
	t.Parallel()
	o := fullOptions(t)
	var mu sync.Mutex
	var kinds []string
	for _, m := range o.Members {
		host := m.Target.Executor
		m.Target.Executor = remote.Plan(host)
		m.Target.OnChange = func(c remote.Change) {
			mu.Lock()
			defer mu.Unlock()
			if !c.Planned {
				t.Errorf("%s was done", c)
			}
			kinds = append(kinds, c.Kind)
		}
	}
	if err := Bootstrap(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(kinds, "unit") || !slices.Contains(kinds, "file") {
		t.Errorf("planned %q", kinds)
	}
}

func TestSwitchover(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]func(w http.ResponseWriter) bool{
		"done": func(w http.ResponseWriter) bool { _, _ = io.WriteString(w, "Successfully switched over"); return true },
		"status unknown": func(w http.ResponseWriter) bool {
			http.Error(w, "Switchover status unknown after 20 seconds", 503)
			return true
		},
		"no answer": func(http.ResponseWriter) bool { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := fullOptions(t)
			f := newFakeCluster(t, o)
			f.asked, f.woken, f.switchover = 5, 1, tt
			if name == "no answer" {
				f.switchover = func(w http.ResponseWriter) bool {
					f.leader, f.woken = "postgresql-03", 0
					return tt(w)
				}
			}
			result, err := Switchover(t.Context(), o, SwitchoverOptions{Candidate: "postgresql-03"})
			if err != nil {
				t.Fatal(err)
			}
			result.Promoted, result.Complete = 0, 0
			want := SwitchoverResult{OldLeader: "postgresql-01", NewLeader: "postgresql-03", Timeline: 2}
			if diff := cmp.Diff(want, result); diff != "" {
				t.Error(diff)
			}
			again, err := Switchover(t.Context(), o, SwitchoverOptions{Candidate: "postgresql-03"})
			if err != nil || again.OldLeader != "postgresql-03" {
				t.Errorf("again: %+v %v", again, err)
			}
		})
	}
}

func TestSwitchoverRefusals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		prepare   func(*fakeCluster)
		candidate string
		want      error
	}{
		"no leader":      {func(f *fakeCluster) { f.leader = "" }, "", ErrNoLeader},
		"paused":         {func(f *fakeCluster) { f.paused = true }, "", ErrPaused},
		"not streaming":  {func(f *fakeCluster) { f.woken = 0 }, "", ErrNoCandidate},
		"no such member": {func(*fakeCluster) {}, "pg9", ErrNoCandidate},
		"412": {func(f *fakeCluster) {
			f.switchover = func(w http.ResponseWriter) bool { http.Error(w, "no good candidates", 412); return false }
		}, "postgresql-02", ErrNoCandidate},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := fullOptions(t)
			f := newFakeCluster(t, o)
			f.asked, f.woken = 5, 1
			f.switchover = func(http.ResponseWriter) bool { t.Error("asked for"); return false }
			tt.prepare(f)
			if _, err := Switchover(t.Context(), o, SwitchoverOptions{Candidate: tt.candidate}); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestChooseCandidate(t *testing.T) {
	t.Parallel()
	member := func(name string, role Role, lag int64, tags map[string]any) MemberState {
		return MemberState{Name: name, Role: role, State: "streaming", Timeline: 4, LagBytes: &lag, Tags: tags}
	}
	leader := MemberState{Name: "pg1", Role: RoleLeader, State: "running", Timeline: 4}
	for name, tt := range map[string]struct {
		members []MemberState
		named   string
		want    string // a member, or a part of the error
	}{
		"least behind":      {[]MemberState{member("pg2", RoleReplica, 9, nil), member("pg3", RoleReplica, 3, nil)}, "", "pg3"},
		"nofailover":        {[]MemberState{member("pg2", RoleReplica, 0, map[string]any{"nofailover": true}), member("pg3", RoleReplica, 3, nil)}, "", "pg3"},
		"priority zero":     {[]MemberState{member("pg2", RoleReplica, 0, map[string]any{"failover_priority": json.Number("0")})}, "pg2", "is tagged nofailover"},
		"too far behind":    {[]MemberState{member("pg2", RoleReplica, 1<<20+1, nil)}, "pg2", "1048577 bytes behind"},
		"synchronous first": {[]MemberState{member("pg2", RoleReplica, 0, nil), member("pg3", RoleSyncStandby, 3, nil)}, "", "pg3"},
		"not synchronous":   {[]MemberState{member("pg2", RoleReplica, 0, nil), member("pg3", RoleSyncStandby, 3, nil)}, "pg2", "is not the synchronous standby"},
		"alone":             {nil, "", "the cluster has no replica"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, got, err := Options{}.withDefaults().chooseCandidate(ClusterState{Members: append([]MemberState{leader}, tt.members...)}, tt.named)
			if err != nil {
				if !errors.Is(err, ErrNoCandidate) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v", err)
				}
				return
			}
			if got.Name != tt.want {
				t.Errorf("got %s", got.Name)
			}
		})
	}
}

func TestPollIsCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	err := poll(ctx, time.Minute, "nothing", func(context.Context) (bool, string, error) { cancel(); return false, "", nil })
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrTimeout) {
		t.Errorf("got %v", err)
	}
}
