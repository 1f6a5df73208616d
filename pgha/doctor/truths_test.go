package doctor

import (
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestNothingIsKnown judges a cluster of which no host answers: that is what is wrong, and nothing
// is made up about the rest.
func TestNothingIsKnown(t *testing.T) {
	t.Parallel()
	f := recorded(t)
	for i, h := range f.Hosts {
		f.Hosts[i] = &Host{Name: h.Name, Address: h.Address, Member: h.Member, Role: h.Role,
			Error: "no route to host"}
	}
	d := Diagnose(*f)
	if d.Healthy || d.Hosts != 0 || d.HostsTotal != len(f.Hosts) ||
		len(d.Findings) != len(f.Hosts) {
		t.Fatalf("%d of %d hosts, findings %v", d.Hosts, d.HostsTotal, keysOf(d.Findings))
	}
	for _, found := range d.Findings {
		if found.ID != "host-unreachable" {
			t.Errorf("%s is a guess", found.Key())
		}
	}
}

// TestStatusIsNeverContradicted: whatever finding there is, a cluster with a problem is not
// healthy, and the reasons are status's.
func TestStatusIsNeverContradicted(t *testing.T) {
	t.Parallel()
	f := recorded(t)
	if d := Diagnose(*f); !d.Healthy || d.Problems == nil || len(d.Problems) != 0 {
		t.Errorf("healthy %v, problems %q", d.Healthy, d.Problems)
	}
	f.Problems = []string{"no writes through 10.0.0.9:5432: refused"}
	if d := Diagnose(*f); d.Healthy || len(d.Problems) != 1 || len(d.Find("not-healthy")) != 1 {
		t.Errorf("healthy %v, problems %q, findings %v", d.Healthy, d.Problems, keysOf(d.Findings))
	}
}

// TestMostDatabasesAreGone: an outage is reported as one, with the way out; one host's loss as a
// risk.
func TestMostDatabasesAreGone(t *testing.T) {
	t.Parallel()
	fresh := recorder(t)
	for name, tt := range map[string]struct {
		gone                []string
		consequence, advice string
	}{
		"one": {[]string{pg3}, "the next loss may stop all writes",
			"its services start by themselves"},
		"two": {[]string{pg2, pg3}, "etcd has no majority",
			"recover --from MEMBER"},
		"one, and nobody leads": {[]string{pg1}, "nobody takes writes now",
			"its services start by themselves"},
		"balancer": {[]string{lb2}, "one balancer less", "its services start by themselves"},
	} {
		f := fresh()
		for _, host := range tt.gone {
			h := f.host(host)
			*h = Host{Name: h.Name, Address: h.Address, Member: h.Member, Role: h.Role,
				Error: "no answer"}
		}
		seen := 0
		for _, found := range Diagnose(*f).Findings {
			if found.ID != "host-unreachable" {
				continue
			}
			seen++
			advice := found.Advice.String()
			if !strings.Contains(found.Consequence, tt.consequence) ||
				!strings.Contains(advice, tt.advice) {
				t.Errorf("%s: %s: %q, %q", name, found.Key(), found.Consequence, advice)
			}
		}
		if seen != len(tt.gone) {
			t.Errorf("%s: %d findings", name, seen)
		}
	}
}

// TestHostThatRefuses: of a host that answers and shows another SSH key nobody says that it has no
// power, nor that etcd misses it.
func TestHostThatRefuses(t *testing.T) {
	t.Parallel()
	f := recorder(t)()
	for _, name := range []string{pg2, pg3} {
		h := f.host(name)
		*h = Host{Name: h.Name, Address: h.Address, Member: h.Member, Role: h.Role,
			Error: "host key changed", Refused: "compare it on the host's console"}
	}
	found := Diagnose(*f).Find("host-unreachable")
	if len(found) != 2 {
		t.Fatalf("%d findings", len(found))
	}
	for _, one := range found {
		if one.Advice.String() != "compare it on the host's console" ||
			!strings.Contains(one.Consequence, "may be well") {
			t.Errorf("%s: %q, %q", one.Key(), one.Consequence, one.Advice)
		}
	}
}

// TestAnswersAreMissing takes away one answer of each host at a time. What did not answer may be a
// finding; no rule may fail for it, nor find anything on other hosts that answer.
func TestAnswersAreMissing(t *testing.T) {
	t.Parallel()
	silent := map[string]func(*Host){
		"units":        func(h *Host) { h.Units = nil },
		"journals":     func(h *Host) { h.Journals = nil },
		"disks":        func(h *Host) { h.Disks = nil },
		"listeners":    func(h *Host) { h.Listeners = nil },
		"reach":        func(h *Host) { h.Reach = nil },
		"files":        func(h *Host) { h.Files = nil },
		"packages":     func(h *Host) { h.Packages = nil },
		"certificates": func(h *Host) { h.Certificates = nil },
		"programs": func(h *Host) {
			if h.Role == spec.RoleDatabase {
				h.Patroni, h.Etcd, h.Data = &Patroni{Error: "silent"}, &Etcd{Error: "silent"},
					&Data{EtcdData: true}
			}
		},
		"SQL": func(h *Host) {
			if h.Role == spec.RoleDatabase {
				h.SQL = &SQL{Error: "silent"}
			}
		},
	}
	// Without systemd's answer a unit counts as missing, and these programs' silence is a finding.
	says := map[string]string{"units": "unit-stopped", "programs": "-not-answering",
		"SQL": "postgres-not-answering"}
	fresh := recorder(t)
	for name, hush := range silent {
		for _, host := range []string{pg1, pg3, lb2} {
			f := fresh()
			hush(f.host(host))
			for _, found := range Diagnose(*f).Findings {
				if found.Host != host || says[name] == "" ||
					!strings.Contains(found.ID, says[name]) {
					if name == "SQL" && host == pg1 && found.ID == "no-primary" {
						continue
					}
					t.Errorf("%s of %s is not known, and it finds %s", name, host, found.Key())
				}
			}
		}
	}
}

// TestTruthsContradict has hosts that tell different truths. Where most of them agree the others
// are wrong; where they do not, nothing may be deleted.
func TestTruthsContradict(t *testing.T) {
	t.Parallel()
	etcd := func(ids ...string) func(*Facts) {
		return func(f *Facts) {
			for i, h := range f.databases() {
				h.Etcd.ClusterID = ids[i]
			}
		}
	}
	system := func(ids ...string) func(*Facts) {
		return func(f *Facts) {
			for i, h := range f.databases() {
				h.Data.SystemID = ids[i]
			}
		}
	}
	for name, c := range map[string]struct {
		change  func(*Facts)
		id      string
		wrong   []string
		remedy  bool
		healthy bool
	}{
		"etcd: two against one": {
			change: etcd("a", "a", "b"), id: "etcd-wrong-cluster", wrong: []string{pg3},
			remedy: true,
		},
		"etcd: each another": {
			change: etcd("a", "b", "c"), id: "etcd-wrong-cluster", wrong: []string{pg1, pg2, pg3},
		},
		"etcd: all the same, of old": {change: etcd("z", "z", "z"), id: "etcd-wrong-cluster"},
		"PostgreSQL: two against one": {
			change: system("1", "1", "2"), id: "wrong-system-identifier", wrong: []string{pg3},
			remedy: true,
		},
		"PostgreSQL: each another": {
			change: system("1", "2", "3"), id: "wrong-system-identifier",
			wrong: []string{pg1, pg2, pg3},
		},
		"PostgreSQL: one against one": {
			change: system("1", "2", ""), id: "wrong-system-identifier", wrong: []string{pg1, pg2},
		},
		"PostgreSQL: one host without data": {change: system("1", "1", ""),
			id: "wrong-system-identifier"},
	} {
		f := recorded(t)
		c.change(f)
		var wrong []string
		for _, found := range Diagnose(*f).Findings {
			if found.ID != c.id {
				continue
			}
			wrong = append(wrong, found.Host)
			if got := len(found.Remedy) > 0; got != c.remedy || found.Fixable != c.remedy {
				t.Errorf("%s: %s has a remedy: %v, fixable: %v", name, found.Key(), got,
					found.Fixable)
			}
		}
		if slices.Sort(wrong); !slices.Equal(wrong, c.wrong) {
			t.Errorf("%s: wrong are %v, want %v", name, wrong, c.wrong)
		}
	}
}

// TestNoRemedyStopsThePrimary: a Patroni that does not answer is restarted by a remedy, but not
// where that would stop the PostgreSQL that takes writes.
func TestNoRemedyStopsThePrimary(t *testing.T) {
	t.Parallel()
	for host, fixable := range map[string]bool{pg1: false, pg3: true} {
		f := recorded(t)
		f.host(host).Patroni = &Patroni{Error: "timed out"}
		found := Diagnose(*f).Find("patroni-not-answering@" + host)
		if len(found) != 1 || found[0].Fixable != fixable {
			t.Errorf("%s: %+v", host, found)
		}
	}
}

// TestChainsEndAtTheFirstCause has a full disk under everything of a host.
func TestChainsEndAtTheFirstCause(t *testing.T) {
	t.Parallel()
	f := recorded(t)
	f.host(pg2).Disks = []Disk{{Mount: "/", SizeBytes: 100, FreeBytes: 0}}
	f.host(pg2).Etcd, f.host(pg2).Data.Postmaster = &Etcd{Error: "refused"}, 0
	f.host(pg2).Patroni, f.host(pg2).SQL = &Patroni{Error: "refused"}, &SQL{Error: "refused"}
	f.unit(pg2, layout.EtcdUnit, func(u *Unit) { u.Active = "failed" })
	f.unit(pg2, layout.PatroniUnit, func(u *Unit) { u.Active = "failed" })
	d := Diagnose(*f)
	if len(d.Findings) != 1 || d.Findings[0].ID != "disk-full" || len(d.Findings[0].Symptoms) < 4 {
		t.Errorf("%v", keysOf(d.Findings))
	}
}

// TestDataIsCopiedOnlyWhereItMustBe: a replica that does not stream keeps its data, unless its
// journal says that the WAL it needs is gone.
func TestDataIsCopiedOnlyWhereItMustBe(t *testing.T) {
	t.Parallel()
	fresh := recorder(t)
	for line, want := range map[string]string{
		"": "restart",
		"FATAL:  could not connect to the primary server: Connection refused": "restart",
		"ERROR:  requested WAL segment 000000010000000000000003 has already been removed": "" +
			"reinit",
		`FATAL:  password authentication failed for user "replicator"`:                 "apply",
		`FATAL:  no pg_hba.conf entry for replication connection from host "10.0.0.1"`: "apply",
	} {
		f := fresh()
		h := f.host(pg3)
		h.SQL.ReceiverState = ""
		h.Journals[layout.PatroniUnit] = []string{
			"database system is ready to accept read-only connections", line}
		found := Diagnose(*f).Find("replica-not-streaming")
		if len(found) != 1 || len(found[0].Remedy) != 1 || found[0].Remedy[0].Call.Verb != want {
			t.Errorf("%q: %+v", line, found)
		}
	}
}
