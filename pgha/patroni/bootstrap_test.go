package patroni

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/layout"
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
			"put " + layout.CertificateOf(layout.RESTServer).Key + ".pgha-new -rw------- postgres",
			"put " + ConfigPath + ".pgha-new -rw------- postgres",
			"/usr/bin/python3 -I - " + ConfigPath + ".pgha-new < script",
			"mv -fT -- " + ConfigPath + ".pgha-new " + ConfigPath,
			"put /etc/systemd/system/patroni.service.d/pgha.conf -rw-r--r-- root",
		}
		at := -1
		for _, step := range order {
			next := slices.Index(host.done, step)
			if next <= at {
				t.Errorf("%s: %q is missing or too early in\n%s", m.Name, step,
					strings.Join(host.done, "\n"))
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
	if err == nil || !strings.Contains(err.Error(), "postgresql-02") ||
		strings.Contains(err.Error(), "postgresql-01") {
		t.Errorf("got %v", err)
	}
	if !slices.Contains(host.done, "rm -f -- "+ConfigPath+".pgha-new") ||
		slices.ContainsFunc(host.done, func(s string) bool { return strings.HasPrefix(s, "mv") }) {
		t.Errorf("did\n%s", strings.Join(host.done, "\n"))
	}
}

func TestInstallRefusesInvalidOptions(t *testing.T) {
	t.Parallel()
	o := fullOptions(t)
	o.TTL = time.Second
	if err := Install(t.Context(), o); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if looks := o.Members[0].Target.Executor.(*fakeHost).looks; looks > 0 {
		t.Error("a host was looked at")
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

// fakeCluster answers for a cluster whose members need a while, and whose replicas only stream
// after a wake-up.
type fakeCluster struct {
	mu     sync.Mutex
	asked  int
	woken  int
	leader string
	config map[string]any
}

func (f *fakeCluster) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r.Method + " " + r.URL.Path {
	case "GET /cluster":
		f.asked++
		_ = json.NewEncoder(w).Encode(f.state())
	case "GET /patroni":
		_, _ = io.WriteString(w,
			`{"role": "primary", "state": "running", "timeline": 2, "patroni": {"name": "pg1"}, "pending_restart": true, "pending_restart_reason": {"max_connections": {}}}`)
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
	default:
		http.NotFound(w, r)
	}
}

func (f *fakeCluster) state() map[string]any {
	var members []map[string]any
	for _, name := range []string{"postgresql-01", "postgresql-02", "postgresql-03"} {
		m := map[string]any{"name": name, "role": "replica", "state": "running", "timeline": 1,
			"lag": "unknown"}
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
	return map[string]any{"members": members}
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
	bubble(t, func(t *testing.T) {
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
			if host.looks != 2 { // whose turn it is, then what differs
				t.Errorf("%s: %d looks", m.Name, host.looks)
			}
			if slices.Index(host.done, "systemctl start "+Unit) < slices.Index(host.done,
				"mv -fT -- "+ConfigPath+".pgha-new "+ConfigPath) {
				t.Errorf("%s: started before it was configured:\n%s", m.Name,
					strings.Join(host.done, "\n"))
			}
		}
		if !slices.Contains(told,
			"warning: PostgreSQL on pg1 must be restarted for max_connections to take effect") {
			t.Errorf("nothing said of the pending restart: %q", told)
		}
		if f.woken == 0 || f.config["ttl"] == nil {
			t.Errorf("woken %d, told %q, config %v", f.woken, told, f.config)
		}
	})
}

func TestBootstrapTimesOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		o.Wait = 400 * time.Millisecond
		f := newFakeCluster(t, o)
		f.leader = "" // nobody ever leads
		err := Bootstrap(t.Context(), o)
		var timeout *TimeoutError
		if !errors.Is(err, ErrTimeout) || !errors.As(err, &timeout) {
			t.Fatalf("got %v", err)
		}
		if !strings.Contains(err.Error(), "postgresql-02 is replica") ||
			!strings.Contains(remote.Hint(err), "journalctl -u patroni -n 50` on postgresql-01") {
			t.Errorf("%v; hint %q", err, remote.Hint(err))
		}
	})
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
