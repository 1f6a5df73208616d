package provision

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/trail"
)

func TestCauseOf(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 11, 20, 10, 2, 0, 0, time.UTC)
	by := func(action string) written { return written{"apply of alice@desk", action, end} }
	at := func(after time.Duration) *remote.Was { return &remote.Was{Changed: end.Add(after)} }
	for name, tt := range map[string]struct {
		kind, name, action string
		was                *remote.Was
		last               written
		want               Cause
	}{
		"a file that never was": {"file", "/a", "created", nil, written{}, CauseNew},
		"a file that was removed by hand": {"file", "/a", "created", nil, by("updated"),
			CauseDrift},
		"a file that an operation removed": {"file", "/a", "created", nil, by("removed"),
			CauseNew},
		"a file edited after the operation": {"file", "/a", "updated", at(time.Hour), by("created"),
			CauseDrift},
		"a file as the operation left it": {"file", "/a", "updated", at(-time.Second),
			by("created"), CauseSpec},
		"clocks that differ by a second": {"file", "/a", "updated", at(time.Second), by("created"),
			CauseSpec},
		"a file of the package's": {"file", "/a", "updated", at(0), written{}, CauseUnknown},
		"a folder that was opened": {"directory", "/a", "given to", at(time.Hour),
			by("created"), CauseDrift},
		"a unit that is still to come": {"unit", "a.service", "enabled", nil, written{}, CauseNew},
		"a unit that was stopped": {
			"unit", "a.service", "started", at(time.Hour), by("started"), CauseDrift,
		},
		"a unit that was disabled": {
			"unit", "a.service", "enabled", &remote.Was{}, by("started"), CauseDrift,
		},
		"a copy of what is replaced": {"copy", "/etc/a.pgha-orig-1", "kept", nil, written{},
			CauseFollows},
		"a unit that reads a new file": {
			"unit", "a.service", "reloaded", &remote.Was{}, by("started"), CauseFollows,
		},
		"a package that was removed": {"package", "a", "installed", nil, by("installed"),
			CauseDrift},
		"a package of another version": {
			"package", "a", "changed from 1 to 2", &remote.Was{}, by("installed"), CauseDrift,
		},
		"a package that was there before": {
			"package", "a", "changed from 1 to 2", &remote.Was{}, written{}, CauseUnknown,
		},
		"the time zone of the installer": {"command", "time zone", "set to X", nil, written{},
			CauseUnknown},
		"the time zone, changed by hand": {"command", "time zone", "set to X", nil,
			by("set to X"), CauseDrift},
		"the time zone of another spec": {"command", "time zone", "set to Y", nil,
			by("set to X"), CauseSpec},
		"a user that was removed": {"user", "a", "created", nil, by("created"),
			CauseDrift},
		"something else that is to be done": {"command", "a member", "added", nil, written{},
			CauseNew},
		"a setting, before it was looked at": {"setting", "ttl", "set to 30", nil, by("set to 20"),
			CauseUnknown},
	} {
		if got := causeOf(PlannedChange{
			Kind: tt.kind, Name: tt.name, Action: tt.action,
		}, tt.was, tt.last); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestLastWritten(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	file := trail.RecordedChange{Host: "h1", Kind: "file", Name: "/a", Action: "created"}
	again := file
	again.Action = "updated"
	got := lastWritten([]trail.OperationRecord{
		{
			Verb: "apply", Holder: "alice@desk, process 7", Time: start, Seconds: 42,
			Changes: []trail.RecordedChange{file},
		},
		{
			Verb: "rotate secrets", Holder: "bob", Time: start.Add(time.Hour), Seconds: 1,
			Changes: []trail.RecordedChange{again},
		},
		{Verb: "apply", Holder: "carol", Time: start.Add(2 * time.Hour)},
	})
	want := map[trail.RecordedChange]written{
		{
			Host: "h1", Kind: "file", Name: "/a",
		}: {"rotate secrets of bob", "updated", start.Add(time.Hour + time.Second)},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(written{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSettingCause(t *testing.T) {
	t.Parallel()
	applied := map[string]string{"ttl": "30", "gone": "1"}
	wanted := map[string]string{"ttl": "30", "loop_wait": "10"}
	for key, want := range map[string]Cause{
		"ttl": CauseDrift, "loop_wait": CauseSpec, "gone": CauseSpec, "neither": CauseDrift,
	} {
		if got := settingCause(applied, wanted, key); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	if got := settingCause(nil, wanted, "ttl"); got != CauseUnknown {
		t.Errorf("without a file: %s", got)
	}
}

func TestOriginInWords(t *testing.T) {
	t.Parallel()
	written, changed := time.Date(2026, 11, 20, 10, 2, 0, 0, time.Local),
		time.Date(2026, 11, 22, 3, 10, 0, 0, time.Local)
	for want, o := range map[string]Origin{
		"drift: haproxy's, from balancer; written by apply of alice 2026-11-20 10:02:00 UTC, changed " +
			"on the host 2026-11-22 03:10:00 UTC (it belongs to root:root)": {
			Cause: CauseDrift, Owner: "haproxy", From: "balancer", WrittenBy: "apply of alice",
			WrittenAt: written, ChangedAt: changed, FileOwner: "root:root"},
		"drift: haproxy's, from hosts; written by apply of alice 2026-11-20 10:02:00 UTC, changed or removed since": {
			Cause: CauseDrift, Owner: "haproxy", From: "hosts", WrittenBy: "apply of alice",
			WrittenAt: written},
		"spec: patroni's, from patroni.ttl; written by apply of alice 2026-11-20 10:02:00 UTC, as it still is": {
			Cause: CauseSpec, Owner: "patroni", From: "patroni.ttl", WrittenBy: "apply of alice",
			WrittenAt: written, ChangedAt: written},
		"unknown: haproxy's; by no operation that the hosts remember, changed on the host 2026-11-22 03:10:00 UTC": {
			Cause: CauseUnknown, Owner: "haproxy", ChangedAt: changed},
		"new: etcd's, from etcd": {Cause: CauseNew, Owner: "etcd", From: "etcd"},
	} {
		if got := o.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestOwnerOf(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	for _, tt := range []struct{ phase, kind, name, owner, from string }{
		{
			"haproxy", "file", "/etc/haproxy/haproxy.cfg", "haproxy",
			"balancer, hosts, postgresql.port, patroni.rest_port, monitoring",
		},
		{
			"haproxy", "copy", "/etc/haproxy/haproxy.cfg.pgha-orig-20261128T150405Z", "haproxy",
			"balancer, hosts, postgresql.port, patroni.rest_port, monitoring",
		},
		{"install balancers", "directory", "/usr/local/lib/pgha", "haproxy", layout.FromTemplates},
		{"install balancers", "file", "/etc/needrestart/conf.d/pgha.conf", "host",
			"unattended.needrestart_exclude"},
		{"install balancers", "package", "keepalived", "keepalived", layout.FromRole},
		{"keepalived", "user", "keepalived_script", "keepalived", layout.FromTemplates},
		{"keepalived", "unit", "keepalived.service", "keepalived", "hosts, vip"},
		{"install balancers", "command", "time zone", "host", "timezone"},
		{"patroni", "setting", "ttl", "patroni", "patroni.ttl"},
		{"patroni", "setting", "postgresql.use_slots", "patroni", "patroni.use_slots"},
		{"patroni", "setting", "postgresql.parameters.work_mem", "patroni",
			"postgresql.parameters.work_mem"},
		{"install balancers", "package", "socat", "balancers", "the role of the host"},
		// A name that only begins like one of ours is not ours.
		{"mine", "file", "/etc/haproxy/haproxy.cfg.bak", "mine", ""},
		{"mine", "unit", "haproxy-exporter.service", "mine", ""},
		{"mine", "file", "/opt/x", "mine", ""},
	} {
		owner, from := ownerOf(site.Layout(sp, spec.Host{Role: spec.RoleBalancer}), PlannedChange{
			Phase: tt.phase, Kind: tt.kind, Name: tt.name,
		})
		if owner != tt.owner || from != tt.from {
			t.Errorf("%s %s: %q, %q", tt.kind, tt.name, owner, from)
		}
	}
}

func TestOriginIsNoPartOfAPlansDigest(t *testing.T) {
	t.Parallel()
	ch := PlannedChange{Host: "h", Kind: "file", Name: "/a", Action: "updated"}
	traced := ch
	traced.Origin = Origin{Cause: CauseDrift, ChangedAt: time.Now()}
	if planOf(t, ch).Digest != planOf(t, traced).Digest {
		t.Error("another digest")
	}
	if got := differences([]PlannedChange{ch},
		[]PlannedChange{traced}); got != "the changes are the same in another order" {
		t.Error(got)
	}
}

// TestUnfinishedApplyIsNobodysEdit: what an apply left half done is not called changed by hand, and
// is not accepted.
func TestUnfinishedApplyIsNobodysEdit(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	whole := trail.OperationRecord{Verb: "apply", Time: began.Add(-time.Hour), Finished: true}
	failed := trail.OperationRecord{
		Verb: "apply", Holder: "alice@desk, process 7", Time: began, Finished: true,
		Error: "etcd: timed out",
	}
	killed := trail.OperationRecord{Verb: "apply", Holder: "alice@desk, process 7", Time: began}
	later := trail.OperationRecord{Verb: "switchover", Time: began.Add(time.Minute), Finished: true}
	for name, c := range map[string]struct {
		operations []trail.OperationRecord
		was        Origin
		want       Cause
	}{
		"after one that finished": {
			[]trail.OperationRecord{failed, {Verb: "apply", Time: began.Add(time.Hour),
				Finished: true}},
			Origin{Cause: CauseDrift}, CauseDrift,
		},
		"after none": {[]trail.OperationRecord{later}, Origin{Cause: CauseDrift}, CauseDrift},
		"a setting after one that failed": {
			[]trail.OperationRecord{whole, failed, later}, Origin{Cause: CauseDrift},
			CauseUnfinished,
		},
		"a file that a killed one wrote": {
			[]trail.OperationRecord{whole, killed},
			Origin{Cause: CauseDrift, ChangedAt: began.Add(time.Second)}, CauseUnfinished,
		},
		"a file that was changed before": {
			[]trail.OperationRecord{whole, killed},
			Origin{Cause: CauseDrift, ChangedAt: began.Add(-time.Minute)}, CauseDrift,
		},
		"of unknown origin": {
			[]trail.OperationRecord{killed}, Origin{Cause: CauseUnknown}, CauseUnfinished,
		},
		"what the specification newly says": {[]trail.OperationRecord{killed},
			Origin{Cause: CauseSpec}, CauseSpec},
		"what is not there yet, killed one": {[]trail.OperationRecord{killed},
			Origin{Cause: CauseNew}, CauseNew},
	} {
		got := c.was
		if broken, unfinished := unfinishedApply(c.operations); unfinished {
			got = got.blame(broken)
		}
		if got.Cause != c.want || got.Cause == CauseUnfinished && !strings.Contains(got.String(),
			"apply of alice@desk was begun") {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
