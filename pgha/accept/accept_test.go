package accept

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pgha/toolkit/internal/configtree"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/provision"
	"github.com/pgha/toolkit/pgha/spec"
)

func TestSettingOffer(t *testing.T) {
	t.Parallel()
	c := sitetest.New(t)
	c.Spec.PostgreSQL.Parameters["Work_Mem"] = "4MB"
	dynamic := map[string]any{
		"ttl": int64(40), "loop_wait": "soon", "failsafe_mode": false, "primary_start_timeout": nil,
		"synchronous_mode": true, "synchronous_mode_strict": true,
		"synchronous_node_count": int64(2),
		"postgresql": map[string]any{"use_slots": false, "parameters": map[string]any{
			"work_mem": "8MB", "random_page_cost": 1.1, "auto_explain.log_min_duration": int64(100),
			"jit":           "off",
			"app.api_token": "hunter2", "archive_command": "push --password=hunter2 %p",
			"primary_conninfo": "host=a password=b", "log_line_prefix": []any{"x"},
		}},
	}
	const p = configtree.Parameters
	for key, want := range map[string]struct {
		field  string
		value  any
		reason string
	}{
		"ttl":                  {"patroni.ttl", int64(40), ""},
		"loop_wait":            {"", nil, "patroni.loop_wait cannot be soon"},
		"failsafe_mode":        {"patroni.failsafe_mode", false, ""},
		"postgresql.use_slots": {"patroni.use_slots", false, ""},
		"primary_start_timeout": {
			"", nil, "it was removed from the DCS, and patroni.primary_start_timeout always has " +
				"a value",
		},
		"synchronous_mode":                  {"patroni.synchronous_mode", "strict", ""},
		"synchronous_mode_strict":           {"patroni.synchronous_mode", "strict", ""},
		"synchronous_node_count":            {"", nil, "the specification has no field for it"},
		p + "work_mem":                      {p + "Work_Mem", "8MB", ""},
		p + "random_page_cost":              {p + "random_page_cost", 1.1, ""},
		p + "auto_explain.log_min_duration": {p + "auto_explain.log_min_duration", int64(100), ""},
		p + "jit":                           {p + "jit", "off", ""},
		p + "max_connections":               {p + "max_connections", nil, ""},
		p + "app.api_token": {"", nil,
			"it may hold a secret, and a specification holds none"},
		p + "archive_command":  {"", nil, "it may hold a secret, and a specification holds none"},
		p + "primary_conninfo": {"", nil, "it may hold a secret, and a specification holds none"},
		p + "log_line_prefix":  {"", nil, "it is not a single value"},
	} {
		got, reason := settingOffer(c, key, dynamic)
		if got.Field() != want.field || got.Value != want.value || reason != want.reason {
			t.Errorf("%s: %s = %v, %q; want %s = %v, %q", key, got.Field(), got.Value, reason,
				want.field,
				want.value, want.reason)
		}
	}
}

func TestSynchronousOf(t *testing.T) {
	t.Parallel()
	for want, pairs := range map[spec.SynchronousMode][][2]any{
		spec.SynchronousOff: {{false, false}}, spec.SynchronousOn: {{true, false}},
		spec.SynchronousStrict: {{true, true}}, spec.SynchronousQuorum: {{"quorum", false}},
		"": {{nil, false}, {false, true}, {"quorum", true}, {"on", false}, {true, nil}},
	} {
		for _, p := range pairs {
			if got := synchronousOf(map[string]any{
				"synchronous_mode": p[0], "synchronous_mode_strict": p[1],
			}); got != want {
				t.Errorf("%v: %q, want %q", p, got, want)
			}
		}
	}
}

func TestFileOffers(t *testing.T) {
	t.Parallel()
	c := sitetest.New(t)
	drift := provision.Origin{Cause: provision.CauseDrift}
	keepalived := provision.PlannedChange{Host: c.Spec.Balancers()[1].Name, Kind: "file",
		Name: "/etc/keepalived/keepalived.conf", Action: "updated", Origin: drift,
		Diff: "@@\n-    priority 5\n+    priority 90\n-    virtual_router_id 9\n+    virtual_router_id 51\n"}
	var got []string
	for _, o := range fileOffers(c, keepalived) {
		got = append(got, o.Field(), o.covers[0].Name)
	}
	index := 0
	for i, h := range c.Spec.Hosts {
		if h.Name == keepalived.Host {
			index = i
		}
	}
	want := []string{
		"hosts[" + string(rune('0'+index)) + "].priority", keepalived.Name, "vip.router_id",
		keepalived.Name,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, change := range map[string]func(*provision.PlannedChange){
		"the specification changed": func(ch *provision.PlannedChange) {
			ch.Origin.Cause = provision.CauseSpec
		},
		"another file": func(ch *provision.PlannedChange) { ch.Name = "/etc/haproxy/haproxy.cfg" },
		"two lines of the kind": func(ch *provision.PlannedChange) {
			ch.Diff = "-    priority 5\n-    priority 6\n"
		},
		"no number": func(ch *provision.PlannedChange) {
			ch.Diff = "-    priority 99999999999999999999\n"
		},
	} {
		ch := keepalived
		if change(&ch); len(fileOffers(c, ch)) != 0 {
			t.Errorf("%s: %v", name, fileOffers(c, ch))
		}
	}
}

func TestChooseOffers(t *testing.T) {
	t.Parallel()
	offers := []offer{
		{Change: spec.Change{Path: []string{"patroni", "ttl"}}},
		{Change: spec.Change{Path: []string{"postgresql", "parameters", "work_mem"}}},
	}
	for only, want := range map[string]string{"": "patroni.ttl postgresql.parameters.work_mem",
		"ttl": "patroni.ttl", "work_*": "postgresql.parameters.work_mem",
		"patroni.*,work_mem": "patroni.ttl postgresql.parameters.work_mem",
		"ttl,jit,[":          "patroni.ttl, unknown jit ["} {
		var names []string
		if only != "" {
			names = strings.Split(only, ",")
		}
		chosen, unknown := choose(offers, names)
		var got []string
		for _, o := range chosen {
			got = append(got, o.Field())
		}
		text := strings.Join(got, " ")
		if len(unknown) > 0 {
			text += ", unknown " + strings.Join(unknown, " ")
		}
		if text != want {
			t.Errorf("%s: %s, want %s", only, text, want)
		}
	}
}

// offered is an offer for a planned change of a setting.
func offered(path string, value any) offer {
	field := strings.SplitN(path, "/", 3)
	name := field[len(field)-1]
	return offer{
		spec.Change{Path: field, Value: value}, provision.Origin{Cause: provision.CauseDrift},
		[]provision.PlannedChange{{Host: "pg1", Kind: "setting", Name: name}},
	}
}

func TestAcceptanceGivesUpWhatTheSpecificationRefuses(t *testing.T) {
	t.Parallel()
	text := "version: 1\nhosts:\n  - {name: pg1, address: 192.0.2.11, role: database} # one\n" +
		"patroni:\n  ttl: |-\n    30\n"
	a := Acceptance{File: "/srv/pgha.yaml", before: []byte(text)}
	kept, after, sp, err := a.edit([]offer{
		offered("patroni/loop_wait", int64(5)), offered("patroni/retry_timeout", int64(1)),
		offered("patroni/ttl", int64(40)),
		offered("postgresql/parameters/work_mem", "8MB"),
		offered("postgresql/parameters/fsync", "off"),
		offered("postgresql/parameters/port", int64(5)),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := text + "  loop_wait: 5\npostgresql:\n  parameters:\n    work_mem: 8MB\n"
	if diff := cmp.Diff(want, string(after)); diff != "" || len(kept) != 2 ||
		sp.Patroni.LoopWait.Seconds() != 5 {
		t.Errorf("%d kept (-want +got):\n%s", len(kept), diff)
	}
	reasons := map[string]string{}
	for _, l := range a.Left {
		reasons[l.Name] = l.Reason
	}
	wantLeft := map[string]string{
		"ttl": "cannot edit the specification: patroni.ttl: it is written in a way " +
			"that only a person can change: change it by hand",
		"retry_timeout": "the specification refuses it: 1s is too short: Patroni would silently " +
			"take 3s",
		"fsync": "the specification refuses it: off loses the database when a host loses power",
		"port":  "the specification refuses it: is set by Patroni or the toolkit itself",
	}
	if diff := cmp.Diff(wantLeft, reasons); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAcceptanceIsHeldAgainstThePlan(t *testing.T) {
	t.Parallel()
	setting := func(name string) provision.PlannedChange {
		return provision.PlannedChange{Host: "pg1", Kind: "setting", Name: name}
	}
	file := func(host string) provision.PlannedChange {
		return provision.PlannedChange{Host: host, Kind: "file", Name: "/etc/x"}
	}
	conf := offer{
		spec.Change{Path: []string{"balancer", "max_connections"}}, provision.Origin{},
		[]provision.PlannedChange{file("lb1")},
	}
	for name, tt := range map[string]struct {
		offer         offer
		planned, rest []provision.PlannedChange
		reason        string
	}{
		"gone from the plan": {
			offered("patroni/ttl", int64(40)), []provision.PlannedChange{setting("ttl"),
				setting("jit")},
			[]provision.PlannedChange{setting("jit")}, "",
		},
		"still in the plan": {
			offered("patroni/ttl", int64(40)), []provision.PlannedChange{setting("ttl")},
			[]provision.PlannedChange{setting("ttl")},
			"the specification would not make it so: it differs in more than patroni.ttl",
		},
		"a value of all hosts": {conf, []provision.PlannedChange{file("lb1"), file("lb2")},
			nil, ""},
		"a value of one host alone": {
			conf, []provision.PlannedChange{file("lb1")}, []provision.PlannedChange{file("lb2")},
			"balancer.max_connections is one for all hosts, and the others have another value",
		},
	} {
		var a Acceptance
		got := a.effective([]offer{tt.offer}, tt.planned, tt.rest)
		switch {
		case tt.reason == "" && (len(got) != 1 || len(a.Left) != 0):
			t.Errorf("%s: left %v", name, a.Left)
		case tt.reason != "" && (len(got) != 0 || len(a.Left) != 1 ||
			a.Left[0].Reason != tt.reason):
			t.Errorf("%s: kept %v, left %v", name, got, a.Left)
		}
	}
}

func TestWhatIsLeftIsToldOnce(t *testing.T) {
	t.Parallel()
	changes := []provision.PlannedChange{
		{
			Host: "h", Kind: "file", Name: "/etc/haproxy/haproxy.cfg",
			Origin: provision.Origin{Cause: provision.CauseDrift, From: "balancer"},
		},
		{
			Host: "h", Kind: "unit", Name: "haproxy.service",
			Origin: provision.Origin{Cause: provision.CauseFollows, From: "hosts"},
		},
		{
			Host: "h", Kind: "file", Name: "/etc/etcd/certs/x",
			Origin: provision.Origin{Cause: provision.CauseDrift, From: layout.FromVault},
		},
		{
			Host: "h", Kind: "command", Name: "time zone",
			Origin: provision.Origin{Cause: provision.CauseUnknown, From: "timezone"},
		},
		{Host: "h", Kind: "file", Name: "/etc/new",
			Origin: provision.Origin{Cause: provision.CauseNew}},
		{Host: "h", Kind: "setting", Name: "ttl",
			Origin: provision.Origin{Cause: provision.CauseDrift}},
	}
	a := Acceptance{Left: []LeftChange{{"h", "setting", "ttl", "because"}}}
	a.leave(changes, changes)
	want := []LeftChange{
		{"h", "setting", "ttl", "because"},
		{"h", "file", "/etc/haproxy/haproxy.cfg", "it is made from balancer: nothing there says " +
			"what was changed"},
		{"h", "file", "/etc/etcd/certs/x", "the specification does not describe it"},
		{"h", "command", "time zone", "it follows from timezone: change that to keep it"},
	}
	if diff := cmp.Diff(want, a.Left); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSaveAcceptance(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real.yaml"), filepath.Join(dir, "pgha.yaml")
	if err := errors.Join(os.WriteFile(real, []byte("old"), 0o640), os.Chmod(real, 0o640),
		os.Symlink("real.yaml", link)); err != nil {
		t.Fatal(err)
	}
	a := Acceptance{File: link, before: []byte("old"), after: []byte("new")}
	if err := a.Save(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(real)
	info, statErr := os.Lstat(link)
	mode, modeErr := os.Stat(real)
	if errors.Join(err, statErr, modeErr) != nil || string(text) != "new" ||
		info.Mode()&os.ModeSymlink == 0 ||
		mode.Mode().Perm() != 0o640 {
		t.Errorf("%q, link %v, mode %v", text, info.Mode(), mode.Mode())
	}
	if err := a.Save(); !errors.Is(err, errs.ErrRefused) {
		t.Errorf("a file that somebody else has changed was written over: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("%v, %v; want the file and its link alone", entries, err)
	}
}

func TestOffersOfOneField(t *testing.T) {
	t.Parallel()
	got := joinOffers([]offer{
		offered("patroni/ttl", int64(40)), offered("vip/router_id", int64(1)),
		offered("patroni/ttl", int64(40)), offered("vip/router_id", int64(2)),
	})
	want := []offer{{spec.Change{
		Path: []string{"patroni", "ttl"}, Value: int64(40),
	}, provision.Origin{Cause: provision.CauseDrift},
		[]provision.PlannedChange{
			{Host: "pg1", Kind: "setting", Name: "ttl"},
			{Host: "pg1", Kind: "setting", Name: "ttl"},
		}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(offer{}),
		cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
