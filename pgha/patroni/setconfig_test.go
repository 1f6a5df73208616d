package patroni

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/remote"
)

func TestSetConfig(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		f.config = map[string]any{"ttl": 30, "maximum_lag_on_failover": 5, "postgresql": map[string]any{"parameters": map[string]any{"work_mem": "4MB"}}}
		f.members[third].dead = true
		f.on["PATCH /config"] = func(http.ResponseWriter, string, map[string]any) bool {
			f.members[second].pending = []string{"max_connections"}
			return false
		}
		result, err := SetConfig(t.Context(), o, SetConfigOptions{Patch: map[string]any{
			"ttl": 30, "loop_wait": 5, "maximum_lag_on_failover": nil, "check_timeline": nil,
			"postgresql": map[string]any{"parameters": map[string]any{"max_connections": 200, "work_mem": "4MB"}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		want := []ConfigChange{
			{Key: "loop_wait", New: json.Number("5")},
			{Key: "maximum_lag_on_failover", Old: json.Number("5")},
			{Key: "postgresql.parameters.max_connections", New: json.Number("200")},
		}
		if diff := cmp.Diff(want, result.Changes); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]PendingMember{{second, []string{"max_connections"}}}, result.Pending); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{third}, result.Silent); diff != "" {
			t.Error(diff)
		}
		if _, there := result.Config["maximum_lag_on_failover"]; there || result.Config["loop_wait"] != json.Number("5") {
			t.Errorf("config %v", result.Config)
		}
		if diff := cmp.Diff([]string{first + ` PATCH /config {"loop_wait":5,"maximum_lag_on_failover":null,"postgresql":{"parameters":{"max_connections":200}}}`}, f.asked()); diff != "" {
			t.Error(diff)
		}
		words := []string{"setting loop_wait: set to 5", "setting maximum_lag_on_failover: removed, it was 5", "setting postgresql.parameters.max_connections: set to 200"}
		if diff := cmp.Diff(words, f.told()); diff != "" {
			t.Error(diff)
		}
		again, err := SetConfig(t.Context(), o, SetConfigOptions{Patch: map[string]any{"loop_wait": "5"}, Expect: result.Config})
		if err != nil || len(again.Changes) > 0 || len(again.Pending) != 1 || len(f.asked()) != 1 {
			t.Errorf("again: %+v %v", again, err)
		}
	})
}

func TestSetConfigRefusals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		options SetConfigOptions
		want    error
		text    string
	}{
		"changed meanwhile": {SetConfigOptions{Patch: map[string]any{"loop_wait": 5}, Expect: map[string]any{"ttl": 20, "loop_wait": 10}}, ErrConflict, "ttl"},
		"new meanwhile":     {SetConfigOptions{Patch: map[string]any{"loop_wait": 5}, Expect: map[string]any{"ttl": 30}}, ErrConflict, "loop_wait"},
		"gone meanwhile": {SetConfigOptions{Patch: map[string]any{"loop_wait": 5}, Expect: map[string]any{"ttl": 30, "loop_wait": 10, "pause": true}},
			ErrConflict, "pause"},
		"against the rules": {SetConfigOptions{Patch: map[string]any{"ttl": 20}}, ErrInvalid, "raise ttl to 30"},
		"unknown":           {SetConfigOptions{Patch: map[string]any{"loopwait": 5}}, ErrInvalid, "did you mean loop_wait?"},
		"not for JSON":      {SetConfigOptions{Patch: map[string]any{"ttl": func() {}}}, ErrInvalid, "unsupported type"},
	} {
		for _, planning := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					o := fullOptions(t)
					f := newFakePatroni(t, o)
					if planning {
						plan(o)
					}
					result, err := SetConfig(t.Context(), o, tt.options)
					if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) || len(result.Changes) > 0 {
						t.Errorf("got %v, %+v", err, result.Changes)
					}
					if len(f.asked()) > 0 || len(f.told()) > 0 {
						t.Errorf("asked %q, told %q", f.asked(), f.told())
					}
				})
			})
		}
	}
}

func TestSetConfigPlansWaitsAndEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		f.config["mistake"] = 1 // of somebody else: no reason against this change
		f.members[second].deaf = true
		_, err := SetConfig(t.Context(), o, SetConfigOptions{Patch: map[string]any{"loop_wait": 4}, Timeout: 1500 * time.Millisecond})
		if !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "not yet: "+second) {
			t.Errorf("got %v", err)
		}
		plan(o)
		result, err := SetConfig(t.Context(), o, SetConfigOptions{Patch: map[string]any{"loop_wait": 3}})
		if err != nil || len(result.Changes) != 1 || len(f.asked()) != 1 {
			t.Errorf("%+v %v", result, err)
		}
		if told := f.told(); told[len(told)-1] != "would: setting loop_wait: changed from 4 to 3" {
			t.Errorf("told %q", told)
		}
	})
}

func TestValidateDynamic(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		config string
		want   []string // "key: beginning of the problem"
	}{
		"nothing": {`{}`, nil},
		"good": {`{"ttl": 20, "loop_wait": 5, "retry_timeout": "5", "synchronous_mode": "quorum", "synchronous_mode_strict": "off", "member_slots_ttl": "30min", "slots": {"x": {"type": "physical"}},
			"ignore_slots": [], "standby_cluster": null, "postgresql": {"use_slots": true, "pg_hba": [], "parameters": {"max_connections": 100, "work_mem": "4MB", "jit": false, "port": null}, "my_method": {"command": "x"}}}`, nil},
		"too small": {`{"ttl": 19, "loop_wait": 0, "retry_timeout": 2, "maximum_lag_on_failover": -1, "maximum_lag_on_syncnode": -1, "synchronous_node_count": 0}`,
			[]string{"loop_wait: 0 is too small", "maximum_lag_on_failover: -1 is too small", "retry_timeout: 2 is too small", "synchronous_node_count: 0 is too small", "ttl: 19 is too small"}},
		"sum":          {`{"ttl": 30, "retry_timeout": 11}`, []string{"ttl: loop_wait 10 + 2 * retry_timeout 11 = 32 is more than ttl 30; raise ttl to 32"}},
		"sum, default": {`{"ttl": 20}`, []string{"ttl: loop_wait 10 + 2 * retry_timeout 10 = 30 is more"}},
		"types": {`{"ttl": "30s", "failsafe_mode": "maybe", "postgresql": [], "ignore_slots": {}, "slots": 1, "member_slots_ttl": "soon", "loop_wait": 1.5}`,
			[]string{"failsafe_mode: maybe is neither", "ignore_slots: map[] is not a list", "loop_wait: 1.5 is not a whole", "member_slots_ttl: soon is no length", "postgresql: [] is not a section", "slots: 1 is not a section", "ttl: 30s is not a whole"}},
		"mode":      {`{"synchronous_mode": "strict"}`, []string{"synchronous_mode: Patroni knows no mode strict; write true, false or quorum; strict is synchronous_mode_strict: true"}},
		"misspelt":  {`{"tll": 30}`, []string{"tll: Patroni knows no such key; did you mean ttl?"}},
		"parameter": {`{"max_connections": 30}`, []string{"max_connections: Patroni knows no such key; parameters of PostgreSQL belong under"}},
		"local":     {`{"postgresql": {"listen": "*", "use_slots": 3}}`, []string{"postgresql.listen: Patroni ignores it", "postgresql.use_slots: 3 is neither"}},
		"controlled": {`{"postgresql": {"parameters": {"PORT": 1, "primary_conninfo": "x", "max_connections": 20, "wal_level": "minimal", "work_mem": [1]}}}`,
			[]string{"postgresql.parameters.PORT: Patroni sets it", "postgresql.parameters.max_connections: 20 is too small", "postgresql.parameters.primary_conninfo: Patroni points",
				`postgresql.parameters.wal_level: "minimal" does not`, "postgresql.parameters.work_mem: is no single value"}},
		"by role":           {`{"postgresql": {"parameters_replica": {"port": 1}}}`, []string{"postgresql.parameters_replica.port: Patroni sets it"}},
		"synchronous names": {`{"synchronous_mode": true, "postgresql": {"parameters": {"synchronous_standby_names": "*"}}}`, []string{"postgresql.parameters.synchronous_standby_names: Patroni sets it in synchronous mode"}},
		"rules": {`{"postgresql": {"pg_hba": ["local all all peer", "# a comment", "include_if_exists x", "hostssl all all 10.0.0.0/33 scram-sha-256", "hostssl all all 10.0.0.1 md5"]}}`,
			[]string{`postgresql.pg_hba[3]: "10.0.0.0/33"`, `postgresql.pg_hba[4]: "10.0.0.1" has no mask`}},
		"line ends": {`{"postgresql": {"parameters": {"log_line_prefix": "a\nb", "search_path": "a\tb"}, "pg_hba": ["local all all peer\nlocal all all trust"]}}`,
			[]string{"postgresql.parameters.log_line_prefix: has a line end", "postgresql.parameters.search_path: has a control character", "postgresql.pg_hba[0]: has a line end", "postgresql.pg_hba[0]: is not one rule"}},
		"synchronous names, free": {`{"postgresql": {"parameters": {"synchronous_standby_names": "*"}}}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, err := parseConfig([]byte(tt.config))
			if err != nil {
				t.Fatal(err)
			}
			err = ValidateDynamic(config)
			var wrong *ConfigError
			errors.As(err, &wrong)
			if (err != nil) != (len(tt.want) > 0) || err != nil && (wrong == nil || !errors.Is(err, ErrInvalid)) {
				t.Fatalf("got %v", err)
			}
			if wrong == nil {
				return
			}
			if len(wrong.Problems) != len(tt.want) {
				t.Fatalf("got %v", err)
			}
			for i, p := range wrong.Problems {
				if !strings.HasPrefix(p.String(), tt.want[i]) || p.Remedy == "" {
					t.Errorf("got %q, want %q", p, tt.want[i])
				}
			}
		})
	}
}

// elect makes the fake cluster choose its synchronous standbys when the configuration changes.
func (f *fakePatroni) elect() {
	f.on["PATCH /config"] = func(w http.ResponseWriter, _ string, body map[string]any) bool {
		f.config = patched(f.config, body)
		r := parseRules(f.config)
		count := 1
		if n, ok := integer(f.config["synchronous_node_count"]); ok {
			count = int(n)
		}
		for i, name := range []string{second, third} {
			switch m := f.members[name]; {
			case r.quorum:
				m.sync = RoleQuorumStandby
			case r.synchronous && i < count:
				m.sync = RoleSyncStandby
			default:
				m.sync = ""
			}
		}
		_ = json.NewEncoder(w).Encode(f.config)
		return true
	}
}

func TestSetSynchronous(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		f.elect()
		f.config = map[string]any{}
		for _, step := range []struct {
			mode     SynchronousMode
			nodes    int
			standbys []string
			body     string // "" when nothing has to change
		}{
			{SynchronousOn, 0, []string{second}, `{"synchronous_mode":true,"synchronous_mode_strict":false,"synchronous_node_count":1}`},
			{SynchronousOn, 1, []string{second}, ``},
			{SynchronousStrict, 2, []string{second, third}, `{"synchronous_mode_strict":true,"synchronous_node_count":2}`},
			{SynchronousQuorum, 1, []string{second, third}, `{"synchronous_mode":"quorum","synchronous_mode_strict":false,"synchronous_node_count":1}`},
			{SynchronousOff, 0, nil, `{"synchronous_mode":false,"synchronous_node_count":null}`},
		} {
			asked := len(f.asked())
			result, err := SetSynchronous(t.Context(), o, step.mode, step.nodes)
			if err != nil {
				t.Fatalf("%s: %v", step.mode, err)
			}
			if diff := cmp.Diff(step.standbys, result.Standbys); diff != "" {
				t.Errorf("%s: %s", step.mode, diff)
			}
			switch now := f.asked()[asked:]; {
			case step.body == "" && len(now) > 0, step.body != "" && (len(now) != 1 || now[0] != first+" PATCH /config "+step.body):
				t.Errorf("%s: asked %q", step.mode, now)
			}
		}
	})
}

func TestSetSynchronousRefusals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		prepare func(*fakePatroni)
		mode    SynchronousMode
		nodes   int
		want    error
		text    string
	}{
		"unknown":    {nil, "sometimes", 1, ErrInvalid, "off, on, strict and quorum"},
		"negative":   {nil, SynchronousOn, -1, ErrInvalid, "-1 nodes"},
		"off with 2": {nil, SynchronousOff, 2, ErrInvalid, "leave the number out"},
		"too many":   {nil, SynchronousStrict, 3, ErrUnhealthy, "all writes would stop"},
		"not well":   {func(f *fakePatroni) { f.members[third].streaming = false }, SynchronousOn, 2, ErrUnhealthy, "only 1 are healthy"},
		"nosync":     {func(f *fakePatroni) { f.members[third].tags = map[string]any{"nosync": true} }, SynchronousOn, 2, ErrUnhealthy, "only 1 are healthy"},
		"no leader":  {func(f *fakePatroni) { f.leader = "" }, SynchronousOff, 0, ErrNoLeader, "chooses the standbys"},
		"too old":    {func(f *fakePatroni) { f.members[third].version = "3.3.2" }, SynchronousQuorum, 1, ErrVersion, "quorum needs 4.0"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := fullOptions(t)
				f := newFakePatroni(t, o)
				if tt.prepare != nil {
					tt.prepare(f)
				}
				_, err := SetSynchronous(t.Context(), o, tt.mode, tt.nodes)
				if !errors.Is(err, tt.want) || !strings.Contains(err.Error()+" "+remote.Hint(err), tt.text) {
					t.Errorf("got %v (hint %q)", err, remote.Hint(err))
				}
				if asked := f.asked(); len(asked) > 0 {
					t.Errorf("asked %q", asked)
				}
			})
		})
	}
}

func TestSynchronousThatDoesNotHoldIsPutBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		o.Wait = 500 * time.Millisecond
		f := newFakePatroni(t, o) // nobody is ever chosen
		f.config["synchronous_mode"] = false
		_, err := SetSynchronous(t.Context(), o, SynchronousStrict, 1)
		if !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "the former settings were put back") {
			t.Errorf("got %v", err)
		}
		if diff := cmp.Diff(map[string]any{"ttl": 30, "loop_wait": 10, "synchronous_mode": false}, f.config); diff != "" {
			t.Error(diff)
		}
		o.Wait = time.Minute
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(300*time.Millisecond, cancel)
		if _, err := SetSynchronous(ctx, o, SynchronousOn, 1); !errors.Is(err, context.Canceled) || f.config["synchronous_mode"] != false {
			t.Errorf("interrupted: %v, %v", err, f.config)
		}
	})
}

func TestSetSynchronousPlans(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		plan(o)
		if _, err := SetSynchronous(t.Context(), o, SynchronousOn, 1); err != nil || len(f.asked()) > 0 || len(f.told()) != 3 {
			t.Errorf("%v, told %q", err, f.told())
		}
	})
}
