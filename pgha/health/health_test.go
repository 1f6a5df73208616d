package health_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/health"
)

func TestPromiseOf(t *testing.T) {
	t.Parallel()
	equal := health.Promise{Streams: true, Reads: true, Candidate: true, Synchronous: true}
	with := func(change func(*health.Promise)) health.Promise { p := equal; change(&p); return p }
	for name, test := range map[string]struct {
		tags map[string]any
		want health.Promise
	}{
		"none": {nil, equal},
		"all false": {
			map[string]any{
				"nofailover": false, "noloadbalance": false, "nosync": false, "nostream": false,
				"clonefrom": true,
			}, equal,
		},
		"noloadbalance": {
			map[string]any{"noloadbalance": true},
			with(func(p *health.Promise) { p.Reads = false }),
		},
		"nofailover": {
			map[string]any{"nofailover": true}, with(func(p *health.Promise) {
				p.Candidate = false
			}),
		},
		"failover_priority 0": {
			map[string]any{"failover_priority": 0},
			with(func(p *health.Promise) { p.Candidate = false }),
		},
		"failover_priority 0, of JSON": {
			map[string]any{"failover_priority": 0.0},
			with(func(p *health.Promise) { p.Candidate = false }),
		},
		"failover_priority 3": {map[string]any{"failover_priority": 3}, equal},
		"nosync": {
			map[string]any{"nosync": true}, with(func(p *health.Promise) { p.Synchronous = false }),
		},
		"sync_priority 0": {
			map[string]any{"sync_priority": 0}, with(func(p *health.Promise) {
				p.Synchronous = false
			}),
		},
		"nostream": {
			map[string]any{"nostream": true}, with(func(p *health.Promise) {
				p.Streams, p.Synchronous = false, false
			}),
		},
		"in quotes": {
			map[string]any{"noloadbalance": "True"},
			with(func(p *health.Promise) { p.Reads = false }),
		},
		"replicatefrom": {
			map[string]any{"replicatefrom": "pg-2"},
			with(func(p *health.Promise) { p.From = "pg-2" }),
		},
		"replicatefrom a number": {
			map[string]any{"replicatefrom": 2}, with(func(p *health.Promise) { p.From = "2" }),
		},
		"nostream and replicatefrom": {
			map[string]any{"nostream": true, "replicatefrom": "pg-2"},
			with(func(p *health.Promise) { p.Streams, p.Synchronous = false, false }),
		},
		"a tag of somebody's own": {map[string]any{"rack": "b7"}, equal},
	} {
		if diff := cmp.Diff(test.want, health.PromiseOf(test.tags)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestFault(t *testing.T) {
	t.Parallel()
	star, cascade, archive := map[string]any{}, map[string]any{"replicatefrom": "pg-2"},
		map[string]any{"nostream": true}
	for name, test := range map[string]struct {
		tags map[string]any
		seen health.Seen
		want string
	}{
		"leader": {
			star, health.Seen{Leads: true, State: "running", Timeline: 3, LeaderTimeline: 3}, "",
		},
		"leader tagged nostream": {archive, health.Seen{Leads: true, State: "running"}, ""},
		"leader that starts": {
			star, health.Seen{Leads: true, State: "starting"}, `leads and is "starting"`,
		},
		"replica": {star, health.Seen{State: "streaming", Timeline: 3,
			LeaderTimeline: 3}, ""},
		"replica, timelines unknown": {star, health.Seen{State: "streaming"}, ""},
		"replica left behind": {
			star, health.Seen{State: "streaming", Timeline: 2, LeaderTimeline: 3},
			`is "streaming" on timeline 2, the leader's is 3`,
		},
		"replica that merely runs": {
			star, health.Seen{State: "running", Timeline: 3, LeaderTimeline: 3},
			`is "running" and doesn't stream from the leader`,
		},
		"replica that replays": {
			star, health.Seen{State: "in archive recovery", Timeline: 3, LeaderTimeline: 3},
			`is "in archive recovery" and doesn't stream from the leader`,
		},
		"cascade": {
			cascade, health.Seen{State: "streaming", Timeline: 3, LeaderTimeline: 3}, "",
		},
		"cascade without its upstream": {
			cascade, health.Seen{State: "running", Timeline: 3, LeaderTimeline: 3},
			`is "running" and doesn't stream from pg-2`,
		},
		"archive, running": {archive, health.Seen{State: "running", Timeline: 3,
			LeaderTimeline: 3}, ""},
		"archive, replaying": {
			archive, health.Seen{State: "in archive recovery", Timeline: 3, LeaderTimeline: 3}, "",
		},
		"archive, not yet told to": {
			archive, health.Seen{State: "streaming", Timeline: 3, LeaderTimeline: 3}, "",
		},
		"archive, left behind": {
			archive, health.Seen{State: "running", Timeline: 2, LeaderTimeline: 3},
			`is "running" on timeline 2, the leader's is 3`,
		},
		"archive, stopped": {
			archive, health.Seen{State: "stopped", Timeline: 3, LeaderTimeline: 3}, `is "stopped"`,
		},
		"creating": {
			star, health.Seen{State: "creating replica", LeaderTimeline: 3, Timeline: 3},
			`is "creating replica"`,
		},
		"no leader, so nothing to stream": {
			star, health.Seen{State: "running", Timeline: 3},
			`is "running" on timeline 3, the leader's is 0`,
		},
	} {
		if got := health.PromiseOf(test.tags).Fault(test.seen); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestUpstreams(t *testing.T) {
	t.Parallel()
	promises := map[string]health.Promise{}
	for member, tags := range map[string]map[string]any{
		"pg-1": {"replicatefrom": "pg-2"}, "pg-2": nil, "pg-3": {"replicatefrom": "pg-2"},
		"pg-4": {"nostream": true},
		"pg-5": {"replicatefrom": "pg-5"}, "pg-6": {"replicatefrom": "gone"},
	} {
		promises[member] = health.PromiseOf(tags)
	}
	got := health.Upstreams("pg-1", promises, func(member string) bool { return member != "gone" })
	want := map[string]string{"pg-1": "", "pg-2": "pg-1", "pg-3": "pg-2", "pg-4": "",
		"pg-5": "pg-1", "pg-6": "pg-1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
