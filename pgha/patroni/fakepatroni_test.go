package patroni

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/configtree"
	"github.com/pgha/toolkit/pgha/remote"
)

// The members of the fake cluster.
const (
	first  = "postgresql-01" // leads at the beginning
	second = "postgresql-02"
	third  = "postgresql-03"
)

// fakeMember is one Patroni with its PostgreSQL.
type fakeMember struct {
	state     string
	streaming bool
	timeline  int64
	location  int64
	started   time.Time
	pending   []string // names, or name=old>new
	scheduled string
	version   string
	tags      map[string]any
	dead      bool
	promoted  bool // runs as primary without the lock
	watchdog  bool // is required and cannot be armed
	sync      Role // in the DCS
	lag       any  // in the DCS, instead of the true one
	deaf      bool // does not notice changes of the configuration
	copies    int  // looks for which the copy still takes
	rounds    int  // of its loop: one for each look
}

// fakePatroni is a cluster that does at once what it is asked for. on overrides a call: it returns
// true when it has answered.
type fakePatroni struct {
	t        *testing.T
	mu       sync.Mutex
	leader   string
	optime   int64 // the leader's position in the DCS
	members  map[string]*fakeMember
	config   map[string]any
	schedule map[string]any
	history  string
	on       map[string]func(w http.ResponseWriter, name string, body map[string]any) bool
	writes   []string // what was asked for, without the wake-ups
	changes  []remote.Change
}

// newFakePatroni starts a healthy cluster behind the options' members.
func newFakePatroni(t *testing.T, o Options) *fakePatroni {
	t.Helper()
	f := &fakePatroni{
		t: t, leader: first, optime: 1000, members: map[string]*fakeMember{},
		config: map[string]any{"ttl": 30, "loop_wait": 10},
		on:     map[string]func(http.ResponseWriter, string, map[string]any) bool{},
	}
	for i, m := range o.Members {
		f.members[m.Name] = &fakeMember{
			state: "running", streaming: m.Name != first, timeline: 4, location: 1000,
			started: time.Date(2026, 11, 23, 10, 0, i, 0, time.UTC), version: "4.1.5",
		}
		serve(t, o, i, func(w http.ResponseWriter, r *http.Request) { f.serve(w, r, m.Name) })
		host := m.Target.Executor.(*fakeHost)
		dial := host.dial
		host.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			f.mu.Lock()
			dead := f.members[m.Name].dead
			f.mu.Unlock()
			if dead {
				return nil, remote.ErrUnreachable
			}
			return dial(ctx, network, address)
		}
		m.Target.OnChange = func(c remote.Change) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.changes = append(f.changes, c)
		}
	}
	return f
}

// answerWith is an answer for fakePatroni.on.
func answerWith(code int, text string) func(http.ResponseWriter, string, map[string]any) bool {
	return func(w http.ResponseWriter, _ string, _ map[string]any) bool {
		http.Error(w, text, code)
		return true
	}
}

// asked returns what the cluster was asked to do.
func (f *fakePatroni) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.writes)
}

// told returns the reported changes, one "kind name: action" each.
func (f *fakePatroni) told() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var words []string
	for _, c := range f.changes {
		word := c.Kind + " " + c.Name + ": " + c.Action
		if c.Planned {
			word = "would: " + word
		}
		words = append(words, word)
	}
	return words
}

// plan makes the targets only plan. They are new ones: a call that was cut short may still be
// dialling through the old.
func plan(o Options) {
	for i, m := range o.Members {
		o.Members[i].Target = &remote.Target{
			Host: m.Target.Host, Executor: remote.Plan(m.Target.Executor),
			OnChange: m.Target.OnChange,
		}
	}
}

func (f *fakePatroni) serve(w http.ResponseWriter, r *http.Request, name string) {
	time.Sleep(time.Millisecond) // the bubble's clock: an answer takes some time
	f.mu.Lock()
	defer f.mu.Unlock()
	var body map[string]any
	if r.Method != http.MethodGet {
		content, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(content, &body)
		if _, wake := body["pgha"]; !wake {
			f.writes = append(f.writes, strings.TrimSpace(name+" "+r.Method+" "+r.URL.Path+" "+
				string(content)))
		}
	}
	call := r.Method + " " + r.URL.Path
	if hook := f.on[call]; hook != nil && hook(w, name, body) {
		return
	}
	switch call {
	case "GET /cluster":
		_ = json.NewEncoder(w).Encode(f.cluster())
	case "GET /patroni":
		_ = json.NewEncoder(w).Encode(f.patroni(name))
	case "GET /config":
		config := f.config
		if f.members[name].deaf {
			config = map[string]any{}
		}
		_ = json.NewEncoder(w).Encode(config)
	case "PATCH /config":
		f.config = configtree.Merged(f.config, body)
		_ = json.NewEncoder(w).Encode(f.config)
	case "GET /history":
		_, _ = io.WriteString(w, f.history)
	default:
		f.act(w, call, name, body)
	}
}

func (f *fakePatroni) act(w http.ResponseWriter, call, name string, body map[string]any) {
	text := func(key string) string { s, _ := body[key].(string); return s }
	member := f.members[name]
	code := http.StatusOK
	switch call {
	case "POST /switchover", "POST /failover":
		if at := text("scheduled_at"); at != "" {
			f.schedule = map[string]any{"at": at, "from": text("leader")}
			if to := text("candidate"); to != "" {
				f.schedule["to"] = to
			}
			code = http.StatusAccepted
			break
		}
		to := text("candidate")
		if to == "" {
			to = f.furthest()
		}
		f.promote(to)
	case "DELETE /switchover":
		if f.schedule == nil {
			code = http.StatusNotFound
		}
		f.schedule = nil
	case "POST /restart":
		if at := text("schedule"); at != "" {
			code = http.StatusAccepted
			if member.scheduled != "" {
				code = http.StatusConflict
			}
			member.scheduled = at
			break
		}
		f.restart(name)
	case "DELETE /restart":
		if member.scheduled == "" {
			code = http.StatusNotFound
		}
		member.scheduled = ""
	case "POST /reload":
		code = http.StatusAccepted
	case "POST /reinitialize":
		member.state, member.streaming, member.copies = "creating replica", false, 3
	default:
		code = http.StatusNotImplemented
	}
	w.WriteHeader(code)
}

// furthest is the member that Patroni elects when none is named: the living replica with most of
// the WAL, here the first of several.
func (f *fakePatroni) furthest() string {
	best := ""
	for _, name := range slices.Sorted(maps.Keys(f.members)) {
		if m := f.members[name]; name != f.leader && !m.dead &&
			(best == "" || m.location > f.members[best].location) {
			best = name
		}
	}
	return best
}

// promote moves the leadership; everybody who lives follows, the former leader after a restart.
func (f *fakePatroni) promote(name string) {
	timeline := f.members[name].timeline + 1
	if former := f.members[f.leader]; former != nil && !former.dead {
		former.started = former.started.Add(time.Hour)
		former.pending = nil
	}
	f.leader = name
	for other, m := range f.members {
		if !m.dead {
			m.state, m.streaming, m.timeline, m.promoted = "running", other != name, timeline, false
		}
	}
}

// restart restarts PostgreSQL.
func (f *fakePatroni) restart(name string) {
	m := f.members[name]
	m.started, m.pending = m.started.Add(time.Hour), nil
}

func (f *fakePatroni) cluster() map[string]any {
	var members []map[string]any
	for _, name := range slices.Sorted(maps.Keys(f.members)) {
		m := f.members[name]
		row := map[string]any{"name": name, "role": "replica", "state": m.state,
			"timeline": m.timeline, "tags": m.tags}
		if m.sync != "" {
			row["role"] = m.sync
		}
		if m.streaming {
			row["state"] = "streaming"
		}
		if name == f.leader {
			row["role"] = "leader"
		} else {
			row["lag"] = max(f.optime-m.location, 0)
			if m.version >= "4.1" {
				row["lsn"] = LSN(m.location).String()
			}
			if m.lag != nil {
				row["lag"], row["lsn"] = m.lag, "unknown"
			}
		}
		if len(m.pending) > 0 {
			row["pending_restart"] = true
		}
		if m.scheduled != "" {
			row["scheduled_restart"] = map[string]any{"schedule": m.scheduled}
		}
		members = append(members, row)
	}
	state := map[string]any{"members": members, "scope": "test", "pause": f.config["pause"]}
	if f.schedule != nil {
		state["scheduled_switchover"] = f.schedule
	}
	return state
}

func (f *fakePatroni) patroni(name string) map[string]any {
	m := f.members[name]
	if m.copies > 0 {
		if m.copies--; m.copies == 0 {
			m.state, m.streaming, m.timeline = "running", true, f.members[f.leader].timeline
			f.restart(name)
		}
	}
	m.rounds++
	node := map[string]any{
		"dcs_last_seen": 1800000000 + m.rounds,
		"state":         m.state, "role": "replica", "timeline": m.timeline,
		"pause": f.config["pause"] == true && !m.deaf,
		"xlog": map[string]any{"received_location": m.location,
			"replayed_location": m.location},
		"patroni":         map[string]any{"name": name, "version": m.version},
		"watchdog_failed": m.watchdog,
	}
	if m.streaming {
		node["replication_state"] = "streaming"
	}
	if m.state == "running" {
		node["postmaster_start_time"] = m.started.Format("2006-01-02 15:04:05.999999-07:00")
	}
	if name == f.leader || m.promoted {
		node["role"], node["xlog"] = "primary", map[string]any{"location": m.location}
		node["replication"] = f.replication(name)
	}
	if len(m.pending) > 0 {
		reasons := map[string]any{}
		for _, p := range m.pending {
			name, values, _ := strings.Cut(p, "=") // max_connections=100>90
			old, next, _ := strings.Cut(values, ">")
			reasons[name] = map[string]any{"old_value": old, "new_value": next}
		}
		node["pending_restart"], node["pending_restart_reason"] = true, reasons
	}
	return node
}

func (f *fakePatroni) replication(leader string) []map[string]any {
	var rows []map[string]any
	for name, m := range f.members {
		if name == leader || !m.streaming {
			continue
		}
		state := map[Role]string{RoleSyncStandby: "sync", RoleQuorumStandby: "quorum"}[m.sync]
		if state == "" {
			state = "async"
		}
		rows = append(rows, map[string]any{"application_name": name, "state": "streaming",
			"sync_state": state})
	}
	return rows
}

// refuses runs a verb on a cluster that was prepared for it, for real and planning, and wants it
// refused for this reason with these words, with nothing asked of Patroni and no change reported.
func refuses(t *testing.T, name string, prepare func(*fakePatroni), want error, text string,
	verb func(context.Context, Options) error) {
	t.Helper()
	for _, planning := range []bool{false, true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := fullOptions(t)
				f := newFakePatroni(t, o)
				if prepare != nil {
					prepare(f)
				}
				if planning {
					plan(o)
				}
				err := verb(t.Context(), o)
				if !errors.Is(err, want) || !strings.Contains(err.Error()+" "+
					remote.Hint(err), text) {
					t.Errorf("got %v (hint %q), want %v with %q", err, remote.Hint(err), want, text)
				}
				if asked := f.asked(); len(asked) > 0 || len(f.told()) > 0 {
					t.Errorf("asked %q, told %q", asked, f.told())
				}
			})
		})
	}
}
