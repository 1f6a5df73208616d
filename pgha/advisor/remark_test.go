package advisor

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/spec"
)

// ordinary is what is measured on servers that are neither fast nor slow.
func ordinary() Facts {
	f := Facts{Hosts: map[string]HostFacts{}, Database: &Database{
		Settings: map[string]string{"max_connections": "100", "shared_buffers": "268435456",
			"work_mem": "4194304", "max_wal_size": "1073741824",
			"max_slot_wal_keep_size": "8589934592", "max_wal_senders": "10",
			"max_replication_slots": "10",
			"synchronous_commit":    "on", "archive_mode": "off", "archive_command": "(disabled)",
			"archive_library": ""},
		Replicas: map[string]Replica{"postgresql-02": {LagBytes: 100}, "postgresql-03": {}},
		Slots:    []Slot{{Name: "postgresql_02", Active: true, KeptBytes: 5 << 30}},
	}, RoundTrips: []RoundTrip{{"postgres-01", "postgres-02", 0.0005}}}
	for _, name := range []string{"postgres-01", "postgres-02", "postgres-03"} {
		f.Hosts[name] = HostFacts{
			MemoryBytes: 4 << 30, DataFree: 40 << 30, DataDisk: "/dev/sda1", EtcdDisk: "/dev/sda1",
			Watchdog: true, Sync: Sync{0.004, 1000, "a test"},
		}
	}
	return f
}

// TestDefaultsNeedNoWarning: a warning that everybody sees is noise.
func TestDefaultsNeedNoWarning(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"safe", "fast"} {
		for _, mode := range []string{"off", "on", "strict", "quorum"} {
			sp := exampleWith(t, "profile: safe", "profile: "+profile, "synchronous_mode: off",
				"synchronous_mode: "+mode)
			for _, facts := range []Facts{{}, ordinary()} {
				for _, r := range Remarks(sp, facts) {
					if r.Severity != Note {
						t.Errorf("profile %s, synchronous_mode %s: %+v", profile, mode, r)
					}
				}
			}
		}
	}
}

// TestRules makes each rule speak once: with its severity, and with both figures in the reason.
func TestRules(t *testing.T) {
	t.Parallel()
	set := func(name, value string) func(*Facts) {
		return func(f *Facts) { f.Database.Settings[name] = value }
	}
	host := func(change func(*HostFacts)) func(*Facts) {
		return func(f *Facts) {
			h := f.Hosts["postgres-02"]
			change(&h)
			f.Hosts["postgres-02"] = h
		}
	}
	for _, c := range []struct {
		id       string
		severity Severity
		spec     []string // pairs of texts
		facts    func(*Facts)
		figures  []string
		also     string // another rule that must speak then
	}{
		{
			id: "failover-slo", severity: Warning, spec: []string{"# ttl: 30 ", "ttl: 60 "},
			figures: []string{"30s", "57.6s", "65.7s", "60s"},
		},
		{id: "failover-slo", severity: Note, figures: []string{"30s", "27.6s", "35.7s"}},
		{id: "crash-slo", severity: Note, figures: []string{"30s", "300s", "1.3s"}},
		{
			id: "switchover-slo", severity: Warning,
			spec:    []string{"cluster: postgresql-cluster ", "cluster: c\nslo: {switchover: 1s} "},
			figures: []string{"1s", "1.5s", "7.2s"},
		},
		{id: "loss-slo", severity: Note, figures: []string{"0", "1 MiB"}},
		{
			id: "double-primary", severity: Warning,
			spec: []string{
				"# ttl: 30 ", "ttl: 20 ", "# loop_wait: 10", "loop_wait: 14", "# retry_timeout: 10",
				"retry_timeout: 3",
			}, figures: []string{"20s", "14s", "3s", "2s", "0s"}, also: "etcd-election-slow",
		},
		{
			id: "double-primary", severity: Warning,
			spec:    []string{"profile: safe", "profile: fast"},
			facts:   host(func(h *HostFacts) { h.Sync = Sync{1.6, 200, "a test"} }),
			figures: []string{"20s", "1.6s"}, also: "etcd-disk",
		},
		{
			id: "balancer-slow", severity: Warning,
			spec:    []string{"# check_interval: 500ms", "check_interval: 12s"},
			figures: []string{"12s", "24.3s", "20s"},
		},
		{
			id: "balancer-slow", severity: Warning,
			spec: []string{"# check_interval: 500ms", "check_interval: 2s",
				"synchronous_mode: off", "synchronous_mode: quorum\n  fast_failover: " +
					"{suspect_after: 2s}"},
			figures: []string{"2s", "4.3s", "fast_failover"},
		},
		{
			id: "etcd-election-slow", severity: Warning,
			spec:    []string{"# election_timeout: 1s", "election_timeout: 5s"},
			figures: []string{"5s", "10s"},
		},
		{
			id: "synchronous-commit", severity: Warning,
			spec:  []string{"synchronous_mode: off", "synchronous_mode: quorum"},
			facts: set("synchronous_commit", "local"), figures: []string{"quorum", "local"},
		},
		{
			id: "failsafe-off", severity: Warning,
			spec:    []string{"# failsafe_mode: true", "failsafe_mode: false"},
			figures: []string{"10s"},
		},
		{
			id: "dead-clients", severity: Warning,
			spec:    []string{"    max_connections: 100\n", "    max_connections: 100\n    tcp_keepalives_idle: 0\n"},
			figures: []string{"2h0m0s", "2h0m15s"},
		},
		{
			id: "dead-clients", severity: Note,
			spec:    []string{"    max_connections: 100\n", "    max_connections: 100\n    TCP_keepalives_interval: 1min\n"},
			figures: []string{"10s", "1m0s", "3m10s"},
		},
		{
			id: "balancer-connections", severity: Warning,
			spec:    []string{"# max_connections: 4000", "max_connections: 60"},
			figures: []string{"60", "100"},
		},
		{
			id: "replication-room", severity: Warning, facts: set("max_wal_senders", "3"),
			figures: []string{"max_wal_senders is 3", "take 4"},
		},
		{id: "slots-unlimited", severity: Warning, facts: set("max_slot_wal_keep_size", "-1"),
			figures: []string{"-1"}},
		{
			id: "archive-nowhere", severity: Warning,
			facts:   func(f *Facts) { set("archive_mode", "on")(f); set("archive_command", "")(f) },
			figures: []string{"archive_mode is on"},
		},
		{
			id: "etcd-disk", severity: Note,
			facts:   host(func(h *HostFacts) { h.Sync = Sync{0.02, 100, "a test"} }),
			figures: []string{"20 ms on postgres-02", "10 ms"},
		},
		{
			id: "etcd-disk", severity: Warning,
			facts:   host(func(h *HostFacts) { h.Sync = Sync{0.13, 100, "a test"} }),
			figures: []string{"130 ms on postgres-02", "100 ms"},
		},
		{
			id: "etcd-disk", severity: Critical,
			facts:   host(func(h *HostFacts) { h.Sync = Sync{0.7, 100, "a test"} }),
			figures: []string{"700 ms on postgres-02", "1s"},
		},
		{
			id: "etcd-faults", severity: Warning, spec: []string{"version: 3.6.16",
				"version: 3.6.10"},
			figures: []string{"3.6.10", "3.6.11", "3.6.12", "3.6.13", "3.6.14"},
		},
		{
			id: "etcd-faults", severity: Warning, spec: []string{"version: 3.6.16",
				"version: 3.6.13"},
			figures: []string{"3.6.13", "3.6.14"},
		},
		{
			id: "etcd-network", severity: Warning,
			facts:   func(f *Facts) { f.RoundTrips[0].Seconds = 0.12 },
			figures: []string{"120 ms", "100 ms"},
		},
		{
			id: "watchdog", severity: Note, facts: host(func(h *HostFacts) { h.Watchdog = false }),
			figures: []string{"postgres-02"},
		},
		{
			id: "watchdog", severity: Critical,
			spec: []string{"# watchdog: automatic           # or off, required",
				"watchdog: required"},
			facts:   host(func(h *HostFacts) { h.Watchdog = false }),
			figures: []string{"postgres-02"},
		},
		{
			id: "shared-buffers", severity: Warning, facts: set("shared_buffers", "2147483648"),
			figures: []string{"2 GiB", "4 GiB"},
		},
		{
			id: "work-memory", severity: Warning, facts: set("work_mem", "67108864"),
			figures: []string{"256 MiB", "100", "64 MiB", "6.5 GiB", "4 GiB"},
		},
		{
			id: "wal-disk", severity: Warning, facts: host(func(h *HostFacts) {
				h.DataFree = 6 << 30
			}),
			figures: []string{"8 GiB", "1 GiB", "9 GiB", "6 GiB"},
		},
		{
			id: "idle-slot", severity: Warning,
			facts:   func(f *Facts) { f.Database.Slots[0].Active = false },
			figures: []string{"postgresql_02", "5 GiB"},
		},
		{
			id: "lag", severity: Warning,
			facts: func(f *Facts) {
				f.Database.Replicas["postgresql-02"] = Replica{LagBytes: 3 << 20}
			},
			figures: []string{"3 MiB", "1 MiB"},
		},
		{
			id: "router-id", severity: Warning,
			facts:   func(f *Facts) { f.Strangers = []Stranger{{"haproxy-01", "192.168.0.9", 51}} },
			figures: []string{"51", "192.168.0.9"},
		},
	} {
		t.Run(c.id+" "+string(c.severity), func(t *testing.T) {
			t.Parallel()
			facts := ordinary()
			if c.facts != nil {
				c.facts(&facts)
			}
			remarks := Remarks(exampleWith(t, c.spec...), facts)
			i := slices.IndexFunc(remarks, func(r Remark) bool { return r.ID == c.id })
			if i < 0 {
				t.Fatalf("nothing is said: %+v", remarks)
			}
			r := remarks[i]
			if r.Severity != c.severity || r.What == "" || r.Set.IsZero() {
				t.Errorf("got %+v, want it %s", r, c.severity)
			}
			for _, figure := range c.figures {
				if !strings.Contains(r.Why, figure) {
					t.Errorf("%q does not give %q", r.Why, figure)
				}
			}
			for _, other := range remarks {
				if other.ID != c.id && other.ID != c.also && other.Severity != Note {
					t.Errorf("another rule speaks, too: %+v", other)
				}
			}
		})
	}
}

// TestAlone: one database host has no one to fail over to, and gets no remark on failovers.
func TestAlone(t *testing.T) {
	t.Parallel()
	sp := exampleWith(t, "synchronous_mode: off", "synchronous_mode: on")
	sp.Hosts = []spec.Host{sp.Hosts[0]}
	sp.VIP = nil
	seen := map[string]bool{}
	for _, r := range Remarks(sp, Facts{}) {
		seen[r.ID] = true
	}
	if want := map[string]bool{"single-database": true,
		"synchronous-alone": true}; !maps.Equal(seen, want) {
		t.Errorf("got %v, want %v", seen, want)
	}
}

// TestCriticalFirst holds the order of remarks.
func TestCriticalFirst(t *testing.T) {
	t.Parallel()
	facts := ordinary()
	facts.Database.Settings["max_slot_wal_keep_size"] = "-1"
	facts.Hosts["postgres-01"] = HostFacts{Sync: Sync{2, 100, "a test"}, Watchdog: true}
	var got []Severity
	for _, r := range Remarks(exampleWith(t), facts) {
		got = append(got, r.Severity)
	}
	order := []Severity{Critical, Warning, Note}
	if !slices.IsSortedFunc(got,
		func(a, b Severity) int {
			return slices.Index(order, a) - slices.Index(order, b)
		}) || got[0] != Critical {
		t.Errorf("got %v", got)
	}
}

// TestSoonerFailover: what shortens a failover depends on whether commits wait for a replica.
func TestSoonerFailover(t *testing.T) {
	t.Parallel()
	const fence, short = "patroni.fast_failover", "patroni.profile: fast"
	for mode, want := range map[string]string{"off": short, "on": fence, "strict": fence,
		"quorum": fence, "quorum\n  fast_failover: {suspect_after: 3s}": short} {
		sp := exampleWith(t, "synchronous_mode: off", "synchronous_mode: "+mode,
			"cluster: postgresql-cluster ", "cluster: c\nslo: {failover: 2s} ")
		said := ""
		for _, r := range Remarks(sp, Facts{}) {
			if r.ID == "failover-slo" {
				said = r.Set.String()
			}
		}
		if !strings.HasPrefix(said, want) {
			t.Errorf("synchronous_mode %s: %q", mode, said)
		}
	}
}
