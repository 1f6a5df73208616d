package doctor

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/hba"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/spec"
)

// edge is the border of one finding: an observation that just leads to it, and one that just does
// not.
type edge struct{ triggers, misses func(*Facts) }

// TestEveryFindingHasTwoSides wants an edge for every finding there is. What triggers it must show
// the finding, if only as a symptom; what misses it must not show it anywhere. Each finding that is
// shown must keep to what its readers are promised.
func TestEveryFindingHasTwoSides(t *testing.T) {
	t.Parallel()
	all, fresh := edges(t), recorder(t)
	deleting := 0
	for _, id := range IDs() {
		e, ok := all[id]
		if !ok {
			t.Errorf("%s: no observation triggers it", id)
			continue
		}
		f := fresh()
		e.triggers(f)
		keepsToItsRule(t, id, *f)
		found := Diagnose(*f).Findings
		if !shows(found, id) {
			t.Errorf("%s: what triggers it does not show it: %v", id, keysOf(found))
		}
		for _, one := range found {
			checkForm(t, one)
			deleting += checkSteps(t, one)
		}
		if applies(found) {
			f.StateTrouble = "an older copy"
			if found = Diagnose(*f).Findings; applies(found) {
				t.Errorf("%s: an apply is advised, which is refused: %v", id, keysOf(found))
			}
		}
		f = fresh()
		e.misses(f)
		if found := Diagnose(*f).Findings; shows(found, id) {
			t.Errorf("%s: what misses it shows it: %v", id, keysOf(found))
		}
	}
	for id := range all {
		if !slices.Contains(IDs(), id) {
			t.Errorf("%s: there is no such finding", id)
		}
	}
	if deleting == 0 {
		t.Error("no remedy deletes: is this test blind?")
	}
}

// keepsToItsRule holds the rule of a finding to the IDs that it declares, and what its findings
// explain to what exists.
func keepsToItsRule(t *testing.T, id string, f Facts) {
	t.Helper()
	ids := IDs()
	for _, r := range rules() {
		if !slices.Contains(r.ids, id) {
			continue
		}
		for _, found := range r.look(f) {
			if !slices.Contains(r.ids, found.ID) {
				t.Errorf("a rule for %v finds %s", r.ids, found.ID)
			}
			for _, s := range found.explains {
				if !slices.Contains(ids, s.id) || s.host != "" && f.host(s.host) == nil {
					t.Errorf("%s explains %q of host %q, which does not exist", found.ID,
						s.id, s.host)
				}
			}
		}
	}
}

// checkSteps holds steps to being a command on a host or a verb, and those that delete to saying
// what: a person types that name first. It returns how many delete.
func checkSteps(t *testing.T, found Finding) int {
	t.Helper()
	n := 0
	for _, s := range found.Remedy {
		if (s.Host == "") != (s.Command == "") || (s.Host == "") != (s.Call.Verb != "") {
			t.Errorf("%s: a step is a command on a host or a verb, not %+v", found.Key(), s)
		}
		if (s.Call.Verb == Reinitialize) != (s.Deletes != "") {
			t.Errorf("%s: what is deleted? %+v", found.Key(), s)
		}
		if s.Deletes != "" {
			n++
		}
	}
	return n
}

// applies tells whether a remedy applies.
func applies(list []Finding) bool {
	return slices.ContainsFunc(list, func(f Finding) bool {
		return slices.ContainsFunc(f.Remedy, func(s Step) bool { return s.Call.Verb == Apply })
	})
}

// shows tells whether a finding is among others, or among their symptoms.
func shows(list []Finding, id string) bool {
	return slices.ContainsFunc(list, func(f Finding) bool {
		return f.ID == id || shows(f.Symptoms, id)
	})
}

func keysOf(list []Finding) []string {
	var keys []string
	for _, f := range list {
		keys = append(append(keys, f.Key()), keysOf(f.Symptoms)...)
	}
	return keys
}

func edges(t *testing.T) map[string]edge {
	all := map[string]edge{}
	for _, part := range []map[string]edge{
		hostEdges(), unitEdges(), portEdges(), etcdEdges(), memberEdges(), sqlEdges(), fileEdges(),
		balancerEdges(), certificateEdges(t), keyEdges(),
	} {
		for id, e := range part {
			if _, twice := all[id]; twice {
				t.Fatalf("%s: two edges", id)
			}
			all[id] = e
		}
	}
	return all
}

// at returns a change of one host.
func at(host string, change func(*Host)) func(*Facts) {
	return func(f *Facts) { change(f.host(host)) }
}

func drift(kind, host, name, action string) func(*Facts) {
	return func(f *Facts) { f.drifts(kind, host, name, action) }
}

// disk returns a file system of PostgreSQL's with so many percent and inodes left.
func disk(free, inodes int64) func(*Facts) {
	return at(pg2, func(h *Host) {
		h.Disks = []Disk{{Mount: "/var/lib/postgresql", SizeBytes: 100, FreeBytes: free,
			Inodes:     100,
			InodesFree: inodes}}
	})
}

func hostEdges() map[string]edge {
	readOnly := func(mount string) func(*Facts) {
		return at(pg2, func(h *Host) { h.Disks = []Disk{{Mount: mount, ReadOnly: true}} })
	}
	clock := func(c Clock) func(*Facts) { return at(lb1, func(h *Host) { h.Clock = c }) }
	version := func(hosts ...string) func(*Facts) {
		return func(f *Facts) {
			for _, h := range hosts {
				f.host(h).Packages["openssl"] = "of " + h
			}
		}
	}
	return map[string]edge{
		"state-directory-refused": {
			func(f *Facts) { f.StateTrouble, f.StateRemedy = "an older copy", "take the newest" },
			func(f *Facts) { f.StateRemedy = "put the newest copy in its place" }},
		"host-unreachable": {
			at(lb3, func(h *Host) { h.Error = "connection timed out" }),
			at(lb3, func(h *Host) { h.Unanswered = []string{"one look did not end in time"} })},
		"specification-refused": {
			func(f *Facts) {
				f.Refused = []preflight.Finding{{Field: "postgresql.port", Problem: "x",
					Remedy: errs.Text("y")}}
			},
			drift("setting", "", "ttl", "changed")},
		"reset-unfinished": {
			at(pg1, func(h *Host) { h.UnfinishedReset = "begun by anna" }),
			at(pg1, func(h *Host) { h.StateNote = `{"by":"anna"}` })},
		"file-system-read-only": {readOnly("/var/lib/postgresql"), readOnly("/mnt/cdrom")},
		"disk-full":             {disk(2, 50), disk(3, 50)},
		"inodes-exhausted":      {disk(50, 2), disk(50, 3)},
		"disk-nearly-full":      {disk(10, 50), disk(11, 50)},
		"clock-wrong": {
			clock(Clock{OffsetSeconds: -2.001, Synchronised: true}),
			clock(Clock{OffsetSeconds: -2, Synchronised: true})},
		"clock-unsynchronised": {clock(Clock{}), clock(Clock{Container: true})},
		"package-missing": {
			drift("package", pg2, "patroni", "installed"),
			drift("package", "a host that is not in the specification", "patroni", "installed")},
		"account-missing": {drift("user", pg2, "etcd", "created"),
			drift("file", pg2, "/x", "created")},
		"versions-differ": {version(pg1, pg2), version(pg1, lb1)},
	}
}

func unitEdges() map[string]edge {
	etcd := func(change func(*Unit)) func(*Facts) {
		return func(f *Facts) { f.unit(pg2, layout.EtcdUnit, change) }
	}
	stopped := func(program string) func(*Facts) {
		return at(pg2, func(h *Host) { h.Stopped = []Process{{PID: 7, Program: program}} })
	}
	e := map[string]edge{
		"unit-masked": {
			etcd(func(u *Unit) { u.Load, u.Active = "masked", "inactive" }),
			etcd(func(u *Unit) { u.Active = "inactive" })},
		"unit-failed": {
			etcd(func(u *Unit) { u.Active, u.Sub = "activating", "auto-restart" }),
			etcd(func(u *Unit) { u.Active, u.Sub = "activating", "start" })},
		"unit-stopped": {
			etcd(func(u *Unit) { u.Active = "inactive" }),
			etcd(func(u *Unit) { u.Active = "reloading" })},
		"unit-disabled": {
			etcd(func(u *Unit) { u.Enabled = "disabled" }),
			etcd(func(u *Unit) { u.Enabled, u.Active = "disabled", "inactive" })},
		"process-frozen": {stopped("etcd"), stopped("postgres")},
		"postgres-hung":  {stopped("postgres"), stopped("patroni")},
	}
	e["postgres-outside-patroni"] = edge{
		func(f *Facts) {
			f.host(pg2).Data.Postmaster = 7
			f.unit(pg2, layout.PatroniUnit, func(u *Unit) { u.Active = "inactive" })
		},
		func(f *Facts) {
			f.host(pg2).Data.Postmaster = 7
			f.unit(pg2, layout.PatroniUnit, func(u *Unit) { u.Active = "deactivating" })
		}}
	return e
}

func portEdges() map[string]edge {
	listens := func(program string) func(*Facts) {
		return at(pg2, func(h *Host) {
			h.Listeners = []Listener{{Port: 8008, Program: program, PID: 7}}
		})
	}
	blocked := func(listeners ...Listener) func(*Facts) {
		return func(f *Facts) {
			f.host(pg2).Listeners = listeners
			f.host(lb1).Reach["192.168.0.204:8008"] = "no answer"
		}
	}
	return map[string]edge{
		"fence":        {fence(0), fence(timerLate + time.Second)},
		"fence-stays":  {fence(timerLate + time.Second), fence(timerLate - time.Second)},
		"stands-aside": {aside("192.168.0.200"), aside()},
		"port-taken":   {listens("nc"), listens("python3")},
		"port-blocked": {blocked(Listener{Port: 8008, Program: "patroni"}), blocked()},
	}
}

// backlog is so much log that waits, where 8 segments may.
func backlog(segments int64) func(*Facts) {
	return func(f *Facts) {
		f.Spec.Backup = &spec.Backup{LogLimitMB: 8 * segmentMB}
		f.host(pg1).SQL.ArchiveWaits = segments
	}
}

// fence is one that was to be removed so long ago.
func fence(late time.Duration) func(*Facts) {
	return func(f *Facts) {
		f.host(pg2).Clock.OffsetSeconds = 0
		f.host(pg2).Fence = &Fence{Leader: "postgresql-01", Until: f.Time.Add(-late)}
	}
}

// aside is a host that lets nothing out to these, and remembers why.
func aside(addresses ...string) func(*Facts) {
	return at(pg2, func(h *Host) { h.Fence = &Fence{Aside: addresses, Prohibited: addresses} })
}

func etcdEdges() map[string]edge {
	etcd := func(change func(*Etcd)) func(*Facts) {
		return at(pg1, func(h *Host) { change(h.Etcd) })
	}
	dataless := func(unit string) func(*Facts) {
		return func(f *Facts) {
			f.host(pg2).Data.EtcdData = false
			f.unit(pg2, layout.EtcdUnit, func(u *Unit) { u.Active = unit })
		}
	}
	leaderless := func(hosts ...string) func(*Facts) {
		return func(f *Facts) {
			for _, h := range hosts {
				f.host(h).Etcd.Leader = "0"
			}
		}
	}
	renamed := func(name string) func(*Facts) {
		return func(f *Facts) {
			for _, h := range f.databases() {
				h.Etcd.Members = map[string]string{"1": "postgresql-01", "2": "postgresql-02",
					"3": name}
			}
		}
	}
	journal := func(lines ...string) func(*Facts) {
		return at(pg2, func(h *Host) {
			h.Journals[layout.PatroniUnit] = append(refusingJournal(pg2), lines...)
		})
	}
	return map[string]edge{
		"etcd-data-lost": {dataless("inactive"), dataless("active")},
		"etcd-forgot-cluster": {journal(), journal("x patroni[1]: INFO: no action. I am " +
			"(postgresql-02)")},
		"etcd-wrong-cluster": {
			at(pg3, func(h *Host) { h.Etcd.ClusterID = "1" }),
			at(pg3, func(h *Host) { h.Etcd = &Etcd{ClusterID: "1", Error: "timed out"} })},
		"etcd-member-missing": {renamed("old"), renamed("postgresql-03")},
		"etcd-member-unknown": {renamed("old"), renamed("")},
		"etcd-no-space": {
			etcd(func(e *Etcd) { e.Alarms = []string{"NOSPACE"} }),
			etcd(func(e *Etcd) { e.DBSize = e.Quota })},
		"etcd-corrupt": {
			etcd(func(e *Etcd) { e.Alarms = []string{"CORRUPT"} }),
			etcd(func(e *Etcd) { e.Alarms = []string{"NOSPACE"} })},
		"etcd-not-answering": {etcd(func(e *Etcd) { e.Error = "timed out" }), leaderless(pg1)},
		"etcd-quorum-lost":   {leaderless(pg1, pg2), leaderless(pg1)},
		"etcd-database-large": {
			etcd(func(e *Etcd) { e.DBSize, e.Quota = 81, 100 }),
			etcd(func(e *Etcd) { e.DBSize, e.Quota = 80, 100 })},
		"etcd-slow-disk": {
			etcd(func(e *Etcd) { e.FsyncSeconds = 0.256 }),
			etcd(func(e *Etcd) { e.FsyncSeconds = 0.25 })},
		"etcd-leader-on-primary": {
			etcd(func(e *Etcd) { e.Leader = e.ID }),
			func(f *Facts) { // there is no member to hand it to
				f.host(pg1).Etcd.Leader = f.host(pg1).Etcd.ID
				f.host(pg2).Etcd.Error, f.host(pg3).Etcd.Error = "timed out", "timed out"
			}},
		"etcd-initial-state-new": {
			at(pg2, func(h *Host) { h.Data.InitialState, h.Data.EtcdData = "new", true }),
			at(pg2, func(h *Host) { h.Data.InitialState, h.Data.EtcdData = "new", false })},
	}
}

func memberEdges() map[string]edge {
	patroni := func(change func(*Patroni)) func(*Facts) {
		return at(pg3, func(h *Host) { change(h.Patroni) })
	}
	seen := func(ago int64) func(*Facts) {
		return func(f *Facts) {
			f.host(pg3).Patroni.LastSeen = f.Time.Unix() - int64(f.Spec.Patroni.TTL.Seconds()) - ago
		}
	}
	behind := func(primary bool) func(*Facts) {
		return func(f *Facts) {
			f.host(pg1).SQL.Recovery = !primary
			f.host(pg2).Journals[layout.PatroniUnit] = []string{
				"x INFO: My wal position exceeds maximum replication lag",
			}
		}
	}
	timeline := func(receiver string) func(*Facts) {
		return func(f *Facts) {
			f.host(pg1).SQL.Timeline = 2
			f.host(pg3).SQL.ReceiverState = receiver
		}
	}
	lag := func(more int64) func(*Facts) {
		return func(f *Facts) {
			f.host(pg1).SQL.Replication[0].Lag = f.Spec.Patroni.MaximumLagOnFailover + more
		}
	}
	synchronous := func(state string) func(*Facts) {
		return func(f *Facts) {
			f.Spec.Patroni.SynchronousMode = spec.SynchronousOn
			f.host(pg1).SQL.Replication[0].Sync = state
		}
	}
	hints := func(on bool) func(*Facts) {
		return at(pg1, func(h *Host) { h.SQL.Checksums, h.SQL.LogHints = false, on })
	}
	return map[string]edge{
		"wrong-system-identifier": {
			at(pg3, func(h *Host) { h.Data.SystemID = "1" }),
			at(pg3, func(h *Host) { h.Data.SystemID = "" })},
		"postgres-start-failed": {
			patroni(func(p *Patroni) { p.State = "start failed" }),
			patroni(func(p *Patroni) { p.State = "starting" })},
		"patroni-not-answering": {
			patroni(func(p *Patroni) { p.Error = "timed out" }),
			patroni(func(p *Patroni) { *p = Patroni{} })},
		"postgres-not-answering": {
			at(pg3, func(h *Host) { h.SQL = &SQL{Error: "connection refused"} }),
			at(pg3, func(h *Host) { h.SQL = &SQL{Recovery: true} })},
		"patroni-cut-from-etcd": {seen(1), seen(0)},
		"two-primaries": {
			at(pg3, func(h *Host) { h.SQL.Recovery = false }),
			at(pg3, func(h *Host) { h.SQL = &SQL{Error: "timed out"} })},
		"failover-held-back": {behind(false), behind(true)},
		"no-primary": {at(pg1, func(h *Host) { h.SQL.Recovery = true }),
			behind(false)},
		"replica-on-old-timeline": {timeline(""), timeline("streaming")},
		"replica-not-streaming": {
			at(pg3, func(h *Host) { h.SQL.ReceiverState = "starting" }), timeline("")},
		"replica-lags":                {lag(1), lag(0)},
		"synchronous-standby-missing": {synchronous("potential"), synchronous("sync")},
		"paused": {
			patroni(func(p *Patroni) { p.Paused = true }),
			patroni(func(p *Patroni) { p.PendingRestart = []string{"max_connections"} })},
		"restart-pending": {
			at(pg3, func(h *Host) { h.SQL.Pending = []string{"max_connections"} }),
			at(pg3, func(h *Host) { h.SQL.Pending = []string{} })},
		"rewind-impossible": {hints(false), hints(true)},
		"not-healthy": {
			func(f *Facts) { f.Problems = []string{"balancer lb1 sends no reads to pg2"} },
			func(f *Facts) {
				f.Problems = []string{"no writes"}
				f.host(pg1).SQL.Recovery = true
			}},
	}
}

func sqlEdges() map[string]edge {
	sql := func(host string, change func(*SQL)) func(*Facts) {
		return at(host, func(h *Host) { change(h.SQL) })
	}
	sessions := func(n int) func(*Facts) {
		return sql(pg1, func(s *SQL) { s.MaxConnections, s.Reserved, s.Connections = 100, 3, n })
	}
	slot := func(host string, s Slot) func(*Facts) {
		return sql(host, func(q *SQL) { q.Slots = append(q.Slots, s) })
	}
	// a replica does not
	on := func(change func(*SQL)) edge { return edge{sql(pg1, change), sql(pg3, change)} }
	rules := func(lines ...string) func(*Facts) {
		return sql(pg1, func(s *SQL) {
			for _, line := range lines {
				r, _ := hba.Parse(line)
				s.HBARules = append(s.HBARules, r)
			}
		})
	}
	login := func(trouble string) func(*Facts) {
		return sql(pg3, func(s *SQL) {
			s.ReplicationLogin, s.Error = "no pg_hba.conf entry", trouble
		})
	}
	return map[string]edge{
		"connections-exhausted":        {sessions(97), sessions(96)},
		"connections-nearly-exhausted": {sessions(91), sessions(90)},
		"address-refuses-everybody": {rules("host all all all reject"),
			rules("host all all all md5")},
		"replication-login-fails": {login(""), login("timed out")},
		"role-lacks-right": on(func(s *SQL) {
			s.Lacking = []string{"role rewind_user may not log in"}
		}),
		"backup-gap": {
			func(f *Facts) { f.Backups = &Backups{Missing: "000000010000000000000004"} },
			func(f *Facts) { f.Backups = &Backups{} }},
		"backup-too-old": {
			func(f *Facts) { f.Backups = &Backups{TooOld: true, Said: []string{"it is old"}} },
			func(f *Facts) { f.Backups = nil }},
		"backup-unproven": {
			func(f *Facts) { f.Backups = &Backups{Unproven: true, Said: []string{"it is old"}} },
			func(f *Facts) { f.Backups = &Backups{} }},
		"archive-failing": on(func(s *SQL) {
			s.ArchiveFailed = "000000010000000000000004"
		}),
		"archive-stuck": {
			sql(pg1, func(s *SQL) { s.ArchiveOldest = 300 }),
			sql(pg1, func(s *SQL) { s.ArchiveOldest = 299.9 })},
		"archive-backlog": {backlog(4), backlog(3)},
		"slot-lost": {
			slot(pg1, Slot{Name: "cdc", Active: true, Status: "lost"}),
			slot(pg1, Slot{Name: "cdc", Active: true, Status: "unreserved"})},
		"slot-inactive": {slot(pg1, Slot{Name: "cdc"}), slot(pg3, Slot{Name: "cdc"})},
		"slot-undeclared": {
			slot(pg1, Slot{Name: "cdc", Type: "logical", Active: true}),
			slot(pg1, Slot{Name: "cdc", Type: "logical", Active: true, Failover: true})},
		"slot-left-over": {
			slot(pg3, Slot{Name: "cdc", Type: "logical", Failover: true}),
			slot(pg3, Slot{Name: "cdc", Type: "logical", Failover: true, Synced: true})},
		"settings-invalid": {
			sql(pg3, func(s *SQL) { s.Refused = []string{"line 7 of postgresql.conf: x"} }),
			sql(pg3, func(s *SQL) { s.Refused = []string{"line 7 of pg_hba.conf: x"} })},
		"long-transaction": {
			sql(pg3, func(s *SQL) { s.Long = []Transaction{{PID: 7, Seconds: 3600}} }),
			sql(pg3, func(s *SQL) { s.Long, s.Error = []Transaction{{PID: 7}}, "timed out" })},
		"prepared-transaction": on(func(s *SQL) { s.Prepared = []string{"tx1"} }),
		"leftover-table":       on(func(s *SQL) { s.Leftovers = []string{"pgha_verify_1"} }),
		"settings-altered-by-hand": {
			sql(pg3, func(s *SQL) { s.Altered = []string{"work_mem"} }),
			sql(pg3, func(s *SQL) { s.Altered, s.Pending = nil, []string{"work_mem"} })},
	}
}

func fileEdges() map[string]edge {
	mode := func(path, owner, mode string) func(*Facts) {
		return func(f *Facts) {
			p := strings.NewReplacer("DATA", f.Spec.PostgreSQL.DataDir, "ETCD",
				f.Spec.Etcd.DataDir).Replace(path)
			f.host(pg2).Files[p] = File{Mode: mode, Owner: owner, Group: owner}
		}
	}
	differs := func(path string) func(*Facts) { return drift("file", pg2, path, "updated") }
	lines := func(change func(h *Host)) func(*Facts) { return at(pg3, change) }
	// ends makes the facts those of so many days before the end of an authority of two years.
	ends := func(days int) func(*Facts) {
		return func(f *Facts) {
			clock := func() time.Time { return f.Time.AddDate(0, 0, days-730) }
			ca, err := pki.NewCA("ends", pki.WithClock(clock), pki.WithLifetime(730*24*time.Hour))
			if err == nil {
				f.Authorities.Chains = map[string][]byte{"etcd": ca.CertPEM()}
			}
		}
	}
	without := func(word string) func(*Facts) {
		return lines(func(h *Host) {
			h.Data.HBA = slices.DeleteFunc(slices.Clone(h.Data.HBA), func(l string) bool {
				return strings.Contains(l, "replication") && strings.Contains(l, word)
			})
		})
	}
	return map[string]edge{
		"data-directory-permissions": {mode("DATA", "postgres", "755"),
			mode("DATA", "postgres", "750")},
		"etcd-data-permissions": {mode("ETCD", "root", "700"), mode("ETCD", "etcd", "700")},
		"pgpass-permissions": {
			mode(layout.PasswordFile, "postgres", "644"),
			mode(layout.PasswordFile, "postgres", "400")},
		"patroni-config-invalid": {
			lines(func(h *Host) { h.Data.ConfigError = "mapping values are not allowed here" }),
			differs("/etc/patroni/config.yml")},
		"haproxy-config-invalid": {
			at(lb1, func(h *Host) { h.HAProxy.ConfigError = "unknown keyword" }),
			at(lb1, func(h *Host) { h.HAProxy.Error = "timed out" })},
		"authority-differs": {
			differs(layout.EtcdCerts + "/ca.crt"), differs(layout.EtcdCerts + "/peer.crt")},
		"authority-ending":            {ends(89), ends(91)},
		"pg-hba-no-local-replication": {without("127.0.0.1"), without("192.168.")},
		"pg-hba-differs": {
			lines(func(h *Host) {
				h.Data.HBA = append(slices.Clone(h.Data.HBA), "local all all trust")
			}),
			lines(func(h *Host) { h.Data.HBA = nil })},
		"pg-hba-invalid": {
			lines(func(h *Host) {
				h.SQL.HBAErrors, h.Data.HBA = []string{"line 12: x"},
					append(slices.Clone(h.Data.HBA), "what")
			}),
			lines(func(h *Host) { h.SQL.HBAErrors = []string{"line 12: x"} })},
		"pgpass-differs": {differs(layout.PasswordFile),
			drift("unit", pg2, layout.PasswordFile, "restarted")},
		"etcd-config-differs": {differs("/etc/etcd/etcd.env"), func(f *Facts) {
			f.host(pg2).Data.InitialState = "new" // which has a finding of its own
			differs("/etc/etcd/etcd.env")(f)
		}},
		"patroni-config-differs": {differs("/etc/patroni/config.yml"),
			differs("/etc/patroni/other.yml")},
		"haproxy-config-differs": {differs("/etc/haproxy/haproxy.cfg"),
			differs("/etc/haproxy/x.cfg")},
		"keepalived-config-differs": {differs("/etc/keepalived/keepalived.conf"),
			differs("/etc/keepalived/x")},
		"file-differs": {differs("/etc/pgha/x"), differs("/etc/etcd/etcd.env")},
		"settings-differ": {drift("setting", "", "ttl", "changed"),
			drift("package", "", "ttl", "changed")},
		"configuration-not-loaded": {
			drift("unit", pg2, layout.EtcdUnit, "restarted"),
			drift("unit", pg2, layout.EtcdUnit, "started")},
	}
}

func balancerEdges() map[string]edge {
	server := func(status string) func(*Facts) {
		return at(lb1, func(h *Host) { h.HAProxy.Servers["postgres_write/postgresql-01"] = status })
	}
	rule := func(text string) func(*Facts) {
		return at(lb2, func(h *Host) { h.Firewall = []FirewallRule{{Handle: "7", Text: text}} })
	}
	held := func(by ...string) func(*Facts) {
		return func(f *Facts) {
			for _, h := range f.balancers() {
				delete(h.Addresses, f.Spec.VIP.Address)
			}
			for _, h := range by {
				f.host(h).Addresses[f.Spec.VIP.Address] = "eth0"
			}
		}
	}
	script := func(f File) func(*Facts) {
		return at(lb1, func(h *Host) { h.Files[layout.CheckScript] = f })
	}
	return map[string]edge{
		"haproxy-not-answering": {
			at(lb1, func(h *Host) { h.HAProxy.Error = "timed out" }),
			at(lb1, func(h *Host) { h.HAProxy.ReloadFailed = "cannot bind" })},
		"haproxy-reload-failed": {
			at(lb1, func(h *Host) { h.HAProxy.ReloadFailed = "cannot bind" }),
			at(lb1, func(h *Host) { h.HAProxy.ConfigError = "cannot bind" })},
		"backend-down": {server("DOWN L4CON"), server("UP 1/3")},
		"check-script-not-executable": {
			script(File{Mode: "644", Owner: "root"}), script(File{Mode: "755", Owner: "root"})},
		"vrrp-blocked":     {rule("ip protocol 112 drop"), rule("tcp dport 1120 drop")},
		"virtual-ip-twice": {held(lb1, lb2), held(lb2)},
		"virtual-ip-missing": {held(), func(f *Facts) {
			held()(f)
			f.host(lb3).Error = "connection timed out" // which may hold it
		}},
	}
}

// certificateEdges has those of one certificate of each component.
func certificateEdges(t *testing.T) map[string]edge {
	all := map[string]edge{}
	for component, name := range map[string]string{
		"etcd": "etcd server", "patroni": "rest server", "postgres": "postgres",
	} {
		of := func(f *Facts) *Certificate {
			list := f.host(pg2).Certificates
			return &list[slices.IndexFunc(list, func(c Certificate) bool { return c.Name == name })]
		}
		when := func(moment func(*x509.Certificate) time.Time) func(*Facts) {
			return func(f *Facts) {
				block, _ := pem.Decode([]byte(of(f).PEM))
				cert, err := x509.ParseCertificate(block.Bytes)
				if err != nil {
					t.Fatal(err)
				}
				f.Time = moment(cert)
			}
		}
		end := func(d time.Duration) func(*Facts) {
			return when(func(c *x509.Certificate) time.Time { return c.NotAfter.Add(d) })
		}
		begin := func(d time.Duration) func(*Facts) {
			return when(func(c *x509.Certificate) time.Time { return c.NotBefore.Add(d) })
		}
		moved := func(host string) func(*Facts) {
			return func(f *Facts) {
				i := slices.IndexFunc(f.Spec.Hosts,
					func(h spec.Host) bool { return h.Name == host })
				f.Spec.Hosts[i].Address = "192.168.0.99"
			}
		}
		trusts := func(authority func(Authorities) []byte) func(*Facts) {
			return func(f *Facts) {
				a := authority(f.Authorities)
				f.Authorities = Authorities{Etcd: a, Patroni: a, Postgres: a}
			}
		}
		all[component+"-certificate-missing"] = edge{
			func(f *Facts) { of(f).PEM = "no certificate" },
			func(f *Facts) { of(f).PEM = "subject=CN = x\n" + of(f).PEM }}
		all[component+"-certificate-expired"] = edge{end(time.Second), end(-time.Second)}
		all[component+"-certificate-not-yet-valid"] = edge{begin(-time.Second), begin(0)}
		all[component+"-certificate-untrusted"] = edge{
			trusts(func(Authorities) []byte { return nil }),
			trusts(func(a Authorities) []byte {
				return slices.Concat(a.Etcd, a.Patroni, a.Postgres)
			})}
		all[component+"-certificate-key-mismatch"] = edge{
			func(f *Facts) { of(f).KeyMatches = false },
			func(f *Facts) { of(f).KeyMatches, of(f).Error = false, "cannot be read" }}
		all[component+"-certificate-names"] = edge{
			moved(pg2), func(f *Facts) { f.Spec.VIP = nil }}
		all[component+"-certificate-outdated"] = edge{
			func(f *Facts) {
				f.Spec.TLS.LeafLifetimeDays--
			}, func(f *Facts) { f.Spec.TLS.LeafLifetimeDays++ }}
		all[component+"-certificate-expiring"] = edge{end(-121 * 24 * time.Hour),
			end(-122 * 24 * time.Hour)}
	}
	return all
}

func keyEdges() map[string]edge {
	all := map[string]edge{}
	for _, c := range layout.Certificates() {
		if c.Component == "backup" || c.Component == "pooler" {
			continue
		}
		key := func(mode string) func(*Facts) {
			return at(pg2, func(h *Host) {
				h.Files[c.Key] = File{Mode: mode, Owner: c.Owner, Group: c.Group}
			})
		}
		all[c.Authority+"-key-exposed"] = edge{key("644"), key("400")}
		all[c.Authority+"-key-unreadable"] = edge{key("400"),
			key(strconv.FormatUint(uint64(c.KeyMode), 8))}
	}
	return all
}
