package progress

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/remote"
)

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }

func changed(seconds int, phase, host, name string) pgha.Event {
	return pgha.Event{Kind: pgha.Changed, Time: at(seconds), Phase: phase, Host: host,
		Change: &remote.Change{Host: host, Kind: "package", Name: name}}
}

func started(seconds int, phase string) pgha.Event {
	return pgha.Event{Kind: pgha.PhaseStarted, Time: at(seconds), Phase: phase}
}

func finished(seconds int, phase string, err error) pgha.Event {
	return pgha.Event{Kind: pgha.PhaseFinished, Time: at(seconds), Phase: phase, Err: err}
}

// TestLines: phases that run side by side, each host's last change, and nothing of what has ended.
func TestLines(t *testing.T) {
	t.Parallel()
	b := New(3)
	for _, e := range []pgha.Event{
		started(0, "preflight"), finished(1, "preflight", nil),
		started(1, "install databases"), started(2, "install balancers"),
		changed(3, "install databases", "db-1", "etcd-server"),
		changed(4, "install balancers", "balancer-1", "haproxy"),
		changed(6, "install databases", "db-1", "patroni"),
		changed(6, "preflight", "db-1", "late"), // of a phase that has ended
		{Kind: pgha.Progress, Time: at(6), Phase: "install databases", Message: "waiting"},
	} {
		b.Hear(e)
	}
	want := strings.Join([]string{
		"1 of 3 done; now: install databases 7 s, install balancers 6 s",
		"  db-1          2 changes  package patroni, 2 s ago",
		"  balancer-1    1 change   package haproxy, 4 s ago",
	}, "\n")
	if diff := cmp.Diff(want, strings.Join(b.Lines(at(8), 9), "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !b.Hear(finished(9, "install balancers", errors.New("no room"))) {
		t.Error("a phase still runs")
	}
	if b.Hear(finished(9, "install databases", nil)) || b.Hear(finished(9, "unheard of", nil)) {
		t.Error("no phase runs any more")
	}
	if got := b.Lines(at(9), 9); len(got) != 1 || !strings.HasPrefix(got[0], "2 of 3 done") {
		t.Errorf("in the end: %q", got)
	}
}

// TestLinesFit: on a low screen the last line counts what has no room.
func TestLinesFit(t *testing.T) {
	t.Parallel()
	b := New(1)
	b.Hear(started(0, "install"))
	for _, h := range []string{"a", "b", "c", "d"} {
		b.Hear(changed(1, "install", h, "etcd-server"))
	}
	for most, want := range map[int]string{2: "  and 4 more", 4: "  and 2 more",
		5: "  d    1 change   package etcd-server, 0 s ago"} {
		got := b.Lines(at(1), most)
		if len(got) != most || got[most-1] != want {
			t.Errorf("%d lines: %q", most, got)
		}
	}
}
