package doctor

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/spec"
)

// recorded returns the facts of a healthy cluster of six hosts, as the doctor once collected them.
func recorded(t *testing.T) *Facts {
	t.Helper()
	return recorder(t)()
}

// recorder returns what returns these facts, fresh each time.
func recorder(t *testing.T) func() *Facts {
	t.Helper()
	text, err := os.ReadFile("testdata/healthy.json")
	if err != nil {
		t.Fatal(err)
	}
	sp, err := spec.Load("testdata/spec.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return func() *Facts {
		f := &Facts{}
		if err := json.Unmarshal(text, f); err != nil {
			t.Fatal(err)
		}
		own, vip := *sp, *sp.VIP
		own.VIP, own.Hosts = &vip, slices.Clone(sp.Hosts)
		f.Spec, f.Layouts = &own, map[string]layout.Host{}
		for _, h := range own.Hosts {
			f.Layouts[h.Name] = site.Layout(&own, h)
		}
		return f
	}
}

// The recorded cluster's hosts, by what they are: pg1 is the primary, and etcd's leader is on pg2.
const pg1, pg2, pg3, lb1, lb2, lb3 = "postgres-01", "postgres-02", "postgres-03", "haproxy-01",
	"haproxy-02", "haproxy-03"

func TestRules(t *testing.T) {
	t.Parallel()
	for _, tc := range ruleCases() {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := recorded(t)
			tc.change(f)
			got := []string{}
			for _, found := range Diagnose(*f).Findings {
				got = append(got, string(found.Severity)+" "+found.Key())
				checkForm(t, found)
			}
			slices.Sort(got)
			want := slices.Sorted(slices.Values(tc.want))
			if want == nil {
				want = []string{}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// checkForm holds every finding to what the reader is promised.
func checkForm(t *testing.T, f Finding) {
	t.Helper()
	if !slices.Contains(IDs(), f.ID) {
		t.Errorf("%s is no ID of IDs", f.ID)
	}
	if f.Title == "" || f.Consequence == "" || len(f.Evidence) == 0 {
		t.Errorf("%s lacks a title, a consequence or evidence: %+v", f.Key(), f)
	}
	if len(f.Remedy) == 0 && f.Advice.IsZero() {
		t.Errorf("%s says neither how to mend it nor where to look", f.Key())
	}
}

// ruleCase changes healthy facts, and says which causes must be left then.
type ruleCase struct {
	name   string
	change func(*Facts)
	want   []string
}

// unit changes one unit of a host.
func (f *Facts) unit(host, name string, change func(*Unit)) {
	u := f.host(host).Units[name]
	change(&u)
	f.host(host).Units[name] = u
}

func (f *Facts) drifts(kind, host, name, action string) {
	f.Drift = append(f.Drift, Difference{Kind: kind, Host: host, Name: name, Action: action})
}

func ruleCases() []ruleCase {
	return slices.Concat(hostCases(), etcdCases(), memberCases(), sqlCases(), balancerCases(),
		fileCases())
}

func hostCases() []ruleCase {
	return []ruleCase{
		{"healthy", func(*Facts) {}, nil},
		{"another cluster's specification", func(f *Facts) {
			f.Refused = []preflight.Finding{
				{
					Field: "postgresql.port", Host: pg1,
					Problem: "postgresql.port is 5442, but PostgreSQL listens on port 5432",
					Remedy:  errs.Text("write port: 5432 again"),
				},
			}
			f.drifts("file", lb1, "/etc/haproxy/haproxy.cfg", "updated")
		}, []string{"error specification-refused@postgres-01/postgresql.port"}},
		{"a failover is under way", func(f *Facts) {
			f.host(pg2).Fence = &Fence{Leader: "postgresql-01", Since: f.Time,
				Until: f.Time.Add(80 * time.Second), Prohibited: []string{f.host(pg1).Address}}
		}, []string{"warning fence@postgres-02/postgresql-01"}},
		{"a fence whose timer was stopped", func(f *Facts) {
			f.host(pg2).Fence = &Fence{Leader: "postgresql-01", Since: f.Time.Add(-time.Hour),
				Until: f.Time.Add(-timerLate - time.Second)}
		}, []string{"error fence-stays@postgres-02/postgresql-01"}},
		{"a route like a fence", func(f *Facts) {
			f.host(pg2).Fence = &Fence{Prohibited: []string{f.host(pg1).Address, "203.0.113.7"}}
		}, []string{"error fence-stays@postgres-02/postgres-01"}},
		{"a replica's host is gone", func(f *Facts) {
			*f.host(pg3) = Host{
				Name: pg3, Role: spec.RoleDatabase, Member: "postgresql-03",
				Address: "192.168.0.205",
				Error:   "connection timed out",
			}
			f.host(pg1).SQL.Slots = []Slot{{Name: "postgresql_03", Type: "physical",
				Status: "reserved"}}
			f.host(pg1).SQL.Replication = f.host(pg1).SQL.Replication[:1]
		}, []string{"error host-unreachable@postgres-03"}},
		{"the primary's host is gone", func(f *Facts) {
			*f.host(pg1) = Host{
				Name: pg1, Role: spec.RoleDatabase, Member: "postgresql-01",
				Address: "192.168.0.203",
				Error:   "connection timed out",
			}
		}, []string{"error host-unreachable@postgres-01"}},
		{"a host's name cannot be looked up", func(f *Facts) {
			*f.host(pg3) = Host{Name: pg3, Role: spec.RoleDatabase, Member: "postgresql-03",
				Address: "pg3.example.com",
				Error:   "host unreachable: " + spec.ErrLookup.Error()}
		}, []string{"error host-unreachable@postgres-03"}},
		{"disk full, PostgreSQL down", func(f *Facts) {
			h := f.host(pg2)
			h.Disks = append(h.Disks, Disk{
				Mount: "/var/lib/postgresql", Type: "ext4", Source: "/dev/sdb", SizeBytes: 1 << 40,
				FreeBytes: 1 << 20, Inodes: 100, InodesFree: 90,
			})
			h.SQL = &SQL{Error: "could not connect"}
			h.Patroni.State = "start failed"
		}, []string{"error disk-full@postgres-02//var/lib/postgresql"}},
		{"disk nearly full", func(f *Facts) {
			h := f.host(pg2)
			h.Disks = append(h.Disks, Disk{
				Mount: "/var/lib/postgresql", Type: "ext4", SizeBytes: 1 << 40, FreeBytes: 1 << 36,
				Inodes: 100, InodesFree: 90,
			})
		}, []string{"warning disk-nearly-full@postgres-02//var/lib/postgresql"}},
		{"a read-only disk nobody writes to", func(f *Facts) {
			h := f.host(pg2)
			h.Disks = append(h.Disks, Disk{Mount: "/mnt/cdrom", Type: "iso9660", ReadOnly: true})
		}, nil},
		{
			"clock wrong", func(f *Facts) { f.host(lb1).Clock.OffsetSeconds = -7 },
			[]string{"error clock-wrong@haproxy-01"},
		},
		{
			"clock adrift", func(f *Facts) { f.host(lb1).Clock = Clock{} },
			[]string{"warning clock-unsynchronised@haproxy-01"},
		},
		{"package missing, and so its unit", func(f *Facts) {
			f.drifts("package", lb2, "haproxy", "installed")
			f.unit(lb2, layout.HAProxyUnit, func(u *Unit) {
				u.Load, u.Active = "not-found", "inactive"
			})
			f.host(lb2).HAProxy.Error = "No such file or directory"
		}, []string{"error package-missing@haproxy-02/haproxy"}},
		{
			"versions", func(f *Facts) { f.host(pg3).Packages["patroni"] = "3.3.0-1" },
			[]string{"warning versions-differ/patroni"},
		},
		{
			"watcher stopped",
			func(f *Facts) {
				f.unit(pg2, layout.WatchUnit, func(u *Unit) { u.Active = "inactive" })
			},
			[]string{"warning unit-stopped@postgres-02/pgha-watch.service"},
		},
		{"a crash loop of Patroni", func(f *Facts) {
			f.unit(pg2, layout.PatroniUnit,
				func(u *Unit) {
					u.Active, u.Sub, u.Result = "activating", "auto-restart", "exit-code"
				})
			f.host(pg2).Patroni = &Patroni{Error: "connection refused"}
			f.host(pg2).SQL = &SQL{Error: "connection refused"}
			f.host(lb1).HAProxy.Servers["postgres_read/postgresql-02"] = "DOWN L4CON"
		}, []string{"error unit-failed@postgres-02/patroni.service"}},
	}
}

func etcdCases() []ruleCase {
	silent := func(f *Facts, hosts ...string) {
		for _, h := range hosts {
			f.host(h).Etcd = &Etcd{Error: "timed out"}
		}
	}
	return []ruleCase{
		{
			"a member does not answer", func(f *Facts) { silent(f, pg2) },
			[]string{"error etcd-not-answering@postgres-02"},
		},
		{"quorum lost: stopped on two", func(f *Facts) {
			silent(f, pg2, pg3)
			f.host(pg1).Etcd.Leader = "0"
			for _, h := range []string{pg2, pg3} {
				f.unit(h, layout.EtcdUnit, func(u *Unit) { u.Active = "inactive" })
			}
			f.host(pg1).Patroni.LastSeen = f.Time.Unix() - 100
		}, []string{"error unit-stopped@postgres-02/etcd.service",
			"error unit-stopped@postgres-03/etcd.service"}},
		{"no leader and no reason", func(f *Facts) {
			for _, h := range f.databases() {
				h.Etcd.Leader = "0"
			}
		}, []string{"error etcd-quorum-lost"}},
		{"no space", func(f *Facts) {
			e := f.host(pg1).Etcd
			e.Alarms, e.DBSize = []string{"NOSPACE"}, e.Quota
		}, []string{"error etcd-no-space"}},
		{"no space, and Patroni is cut off for another reason", func(f *Facts) {
			f.host(pg1).Etcd.Alarms = []string{"NOSPACE"}
			f.host(pg3).Patroni.LastSeen = f.Time.Unix() - 100
		}, []string{"error etcd-no-space", "error patroni-cut-from-etcd@postgres-03"}},
		{"etcd was formed again under running members", func(f *Facts) {
			for _, h := range f.databases() {
				h.Patroni.LastSeen = f.Time.Unix() - 150
				h.Journals[layout.PatroniUnit] = refusingJournal(h.Name)
			}
		}, []string{"error etcd-forgot-cluster"}},
		{"a Patroni that refused etcd until it was restarted", func(f *Facts) {
			h := f.host(pg2)
			h.Journals[layout.PatroniUnit] = append(refusingJournal(pg2),
				"2026-11-28T10:54:48+00:00 postgres-02 patroni[4480]: 2026-11-28 10:54:48,583 "+
					"INFO: no action. I am (postgresql-02), a secondary, and following a leader "+
					"(postgresql-01)")
		}, nil},
		{"corrupt", func(f *Facts) { f.host(pg1).Etcd.Alarms = []string{"CORRUPT"} },
			[]string{"error etcd-corrupt"}},
		{
			"large", func(f *Facts) { f.host(pg1).Etcd.DBSize = f.host(pg1).Etcd.Quota * 9 / 10 },
			[]string{"warning etcd-database-large@postgres-01"},
		},
		{
			"slow disk", func(f *Facts) { f.host(pg3).Etcd.FsyncSeconds = 0.512 },
			[]string{"warning etcd-slow-disk@postgres-03"},
		},
		{
			"another cluster", func(f *Facts) { f.host(pg3).Etcd.ClusterID = "1" },
			[]string{"error etcd-wrong-cluster@postgres-03"},
		},
		{"a member missing and one too many", func(f *Facts) {
			for _, h := range f.databases() {
				for id, name := range h.Etcd.Members {
					if name == "postgresql-03" {
						h.Etcd.Members[id] = "old"
					}
				}
			}
		}, []string{"error etcd-member-missing/postgres-03", "warning etcd-member-unknown/old"}},
		{
			"leader on the primary's host",
			func(f *Facts) { f.host(pg1).Etcd.Leader = f.host(pg1).Etcd.ID },
			[]string{"warning etcd-leader-on-primary@postgres-01"},
		},
	}
}

// refusingJournal is what Patroni 4.1.5 logs each second at an etcd whose term is lower than the
// one it knew.
func refusingJournal(host string) []string {
	begin := "2026-11-28T10:53:18+00:00 " + host + " patroni[3957]: 2026-11-28 10:53:18,823 "
	return []string{
		begin + "WARNING: Connected to Etcd node with term 2. Old known term 3. Switching to " +
			"another node.",
		begin + "ERROR: Failed to get list of machines from https://192.168.0.205:2379/v3: " +
			"StaleEtcdNode()",
		begin + "ERROR: KVCache.run EtcdConnectionFailed('No more machines in the cluster')",
	}
}

func memberCases() []ruleCase {
	return []ruleCase{
		{"the primary is gone, and its replicas were too far behind", func(f *Facts) {
			*f.host(pg1) = Host{
				Name: pg1, Role: spec.RoleDatabase, Member: "postgresql-01",
				Address: "192.168.0.203",
				Error:   "connection timed out",
			}
			for i, h := range []string{pg2, pg3} {
				f.host(h).SQL.LSN = int64(1000 + i)
				f.host(h).Journals[layout.PatroniUnit] = []string{
					"2026-11-28T10:53:18+00:00 x patroni[1]: 2026-11-28 10:53:18,823 INFO: My " +
						"wal position exceeds maximum replication lag",
				}
			}
		}, []string{"error failover-held-back@postgres-03", "error host-unreachable@postgres-01"}},
		{"paused", func(f *Facts) { f.host(pg3).Patroni.Paused = true }, []string{"error paused"}},
		{
			"restart pending",
			func(f *Facts) { f.host(pg3).Patroni.PendingRestart = []string{"max_connections"} },
			[]string{"warning restart-pending@postgres-03"},
		},
		{
			"rewind impossible",
			func(f *Facts) { f.host(pg1).SQL.Checksums, f.host(pg1).SQL.LogHints = false, false },
			[]string{"warning rewind-impossible@postgres-01"},
		},
		{"failed rewind", func(f *Facts) {
			f.host(pg1).SQL.Timeline = 2
			f.host(pg2).SQL.Timeline = 2
			f.host(pg3).SQL.ReceiverState = ""
		}, []string{"error replica-on-old-timeline@postgres-03"}},
		{
			"not streaming", func(f *Facts) { f.host(pg3).SQL.ReceiverState = "" },
			[]string{"error replica-not-streaming@postgres-03"},
		},
		{
			"lag", func(f *Facts) { f.host(pg1).SQL.Replication[0].Lag = 1 << 30 },
			[]string{"warning replica-lags@postgres-02"},
		},
		{"two primaries", func(f *Facts) { f.host(pg3).SQL.Recovery = false },
			[]string{"error two-primaries"}},
		{
			"no primary",
			func(f *Facts) {
				f.host(pg1).SQL.Recovery, f.host(pg1).SQL.ReceiverState = true, "streaming"
			},
			[]string{"error no-primary"},
		},
		{"another cluster's data", func(f *Facts) {
			f.host(pg3).Data.SystemID, f.host(pg3).SQL.SystemID,
				f.host(pg3).SQL.ReceiverState = "1", "1", ""
		}, []string{"error wrong-system-identifier@postgres-03"}},
		{
			"Patroni cut from etcd", func(f *Facts) {
				f.host(pg3).Patroni.LastSeen = f.Time.Unix() - 60
			},
			[]string{"error patroni-cut-from-etcd@postgres-03"},
		},
		{"Patroni silent", func(f *Facts) {
			f.host(pg3).Patroni = &Patroni{Error: "timed out"}
			f.host(lb1).HAProxy.Servers["postgres_read/postgresql-03"] = "DOWN L4TOUT"
		}, []string{"error patroni-not-answering@postgres-03"}},
		{"start failed", func(f *Facts) {
			f.host(pg3).Patroni.State, f.host(pg3).SQL = "start failed",
				&SQL{Error: "connection refused"}
		}, []string{"error postgres-start-failed@postgres-03"}},
		{
			"no synchronous replica",
			func(f *Facts) { f.Spec.Patroni.SynchronousMode = spec.SynchronousQuorum },
			[]string{"warning synchronous-standby-missing@postgres-01"},
		},
		{"commits wait for a lost replica", func(f *Facts) {
			f.Spec.Patroni.SynchronousMode, f.host(pg1).SQL.SyncWaiting = spec.SynchronousStrict, 3
		}, []string{"error synchronous-standby-missing@postgres-01"}},
	}
}

func sqlCases() []ruleCase {
	return []ruleCase{
		{
			"archiving hangs",
			func(f *Facts) { f.host(pg1).SQL.ArchiveWaits, f.host(pg1).SQL.ArchiveOldest = 4, 900 },
			[]string{"warning archive-stuck@postgres-01"},
		},
		{
			"archiving is busy",
			func(f *Facts) {
				f.host(pg1).SQL.ArchiveWaits, f.host(pg1).SQL.ArchiveOldest = 4, 20
			}, nil,
		},
		{
			"archiving fails",
			func(f *Facts) { f.host(pg1).SQL.ArchiveFailed = "000000010000000000000004" },
			[]string{"error archive-failing@postgres-01"},
		},
		{"a slot without a reader", func(f *Facts) {
			f.host(pg1).SQL.Slots = append(f.host(pg1).SQL.Slots, Slot{
				Name: "cdc", Type: "logical", Status: "extended",
			})
		}, []string{"warning slot-inactive@postgres-01/cdc"}},
		{"a slot that lost its WAL", func(f *Facts) {
			f.host(pg1).SQL.Slots = append(f.host(pg1).SQL.Slots,
				Slot{Name: "cdc", Type: "logical", Status: "lost"})
		}, []string{"error slot-lost@postgres-01/cdc"}},
		{
			"connections nearly gone", func(f *Facts) { f.host(pg1).SQL.Connections = 92 },
			[]string{"warning connections-nearly-exhausted@postgres-01"},
		},
		{
			"not even the administrator",
			func(f *Facts) {
				f.host(pg1).SQL = &SQL{Error: "FATAL: sorry, too many clients already"}
			},
			[]string{"error connections-exhausted@postgres-01"},
		},
		{
			"prepared transaction", func(f *Facts) { f.host(pg1).SQL.Prepared = []string{"tx1"} },
			[]string{"warning prepared-transaction@postgres-01/tx1"},
		},
		{"the local replication line", func(f *Facts) {
			h := f.host(pg1)
			h.Data.HBA = slices.DeleteFunc(slices.Clone(h.Data.HBA),
				func(l string) bool {
					return strings.Contains(l, "replication") && strings.Contains(l, "127.0.0.1")
				})
			h.SQL.ReplicationLogin = "no pg_hba.conf entry"
		},
			[]string{"error pg-hba-no-local-replication@postgres-01//var/lib/postgresql/data/pg_hba.conf"}},
		{"a line PostgreSQL refuses", func(f *Facts) {
			h := f.host(pg3)
			h.Data.HBA, h.SQL.HBAErrors = append(slices.Clone(h.Data.HBA), "what"), []string{
				"line 12: end-of-line before database specification",
			}
		}, []string{"error pg-hba-invalid@postgres-03//var/lib/postgresql/data/pg_hba.conf"}},
		{"a setting PostgreSQL refuses", func(f *Facts) {
			f.host(pg3).SQL.Refused = []string{
				"/d/postgresql.conf line 7: work_mem: setting could not be applied",
				"line 12 of pg_hba.conf: what",
			}
		}, []string{"error settings-invalid@postgres-03"}},
		{"a changed password is one finding", func(f *Facts) {
			for _, h := range f.databases() {
				h.SQL.ReplicationLogin = "password authentication failed"
			}
			f.host(pg3).SQL.ReceiverState = ""
		}, []string{"error replication-login-fails@postgres-01"}},
		{"a former leader that pg_rewind may not bring back", func(f *Facts) {
			f.primary().SQL.Lacking = []string{
				"role rewind_user may not execute pg_read_binary_file(text)"}
			f.primary().SQL.Timeline++
			f.host(pg3).SQL.ReceiverState = ""
		}, []string{"error role-lacks-right@postgres-01"}},
		{"a former leader that Patroni started after its pg_rewind had failed", func(f *Facts) {
			h := f.host(pg3)
			*h.SQL = SQL{Error: "FATAL:  the database system is starting up"}
			h.Patroni.Error = "TimeoutError: The read operation timed out"
			h.Journals = map[string][]string{layout.PatroniUnit: {
				"pg_rewind: error: unexpected result while fetching remote files: ERROR:  " +
					"permission denied for function pg_read_binary_file",
				"FATAL:  could not start WAL streaming: ERROR:  requested starting point " +
					"0/5000000 on timeline 1 is not in this server's history",
				"FATAL:  could not start WAL streaming: ERROR:  requested starting point " +
					"0/5000000 on timeline 1 is not in this server's history",
				"LOG:  waiting for WAL to become available at 0/5000040"}}
		}, []string{"error replica-on-old-timeline@postgres-03"}},
		{"the same after the next stop", func(f *Facts) {
			h := f.host(pg3)
			*h.SQL = SQL{Error: "could not connect"}
			h.Patroni.State = "starting"
			h.Journals = map[string][]string{layout.PatroniUnit: {
				"LOG:  invalid checkpoint record",
				"PANIC:  could not locate a valid checkpoint record at 0/5000028"}}
		}, []string{"error postgres-not-answering@postgres-03"}},
		{"what pg_rewind may not is no reason not to stream", func(f *Facts) {
			f.primary().SQL.Lacking = []string{"role rewind_user may not log in"}
			f.host(pg3).SQL.ReceiverState = ""
		}, []string{"error replica-not-streaming@postgres-03",
			"error role-lacks-right@postgres-01"}},
		{"a role that may not replicate", func(f *Facts) {
			f.primary().SQL.Lacking = []string{
				"role replicator has not the attribute REPLICATION"}
			f.host(pg3).SQL.ReceiverState = ""
		}, []string{"error role-lacks-right@postgres-01"}},
	}
}

func balancerCases() []ruleCase {
	return []ruleCase{
		{"no holder and no reason", func(f *Facts) {
			for _, h := range f.balancers() {
				delete(h.Addresses, f.Spec.VIP.Address)
			}
		}, []string{"error virtual-ip-missing"}},
		{"a new worker of HAProxy could not bind", func(f *Facts) {
			f.host(lb2).HAProxy.ReloadFailed = "Binding [/etc/haproxy/haproxy.cfg:86] for proxy " +
				"extra: cannot bind socket (Address already in use) for [0.0.0.0:9999]."
			f.drifts("unit", lb2, layout.HAProxyUnit, "reloaded")
		}, []string{"error haproxy-reload-failed@haproxy-02"}},
		{
			"HAProxy silent", func(f *Facts) { f.host(lb3).HAProxy.Error = "timed out" },
			[]string{"error haproxy-not-answering@haproxy-03"},
		},
		{
			"HAProxy sends nothing to a good replica",
			func(f *Facts) {
				f.host(lb3).HAProxy.Servers["postgres_read/postgresql-02"] = "DOWN L6TOUT"
			},
			[]string{"error backend-down@postgres-02"},
		},
		{"a firewall is the cause of that", func(f *Facts) {
			for _, lb := range []string{lb1, lb2, lb3} {
				f.host(lb).HAProxy.Servers["postgres_read/postgresql-02"] = "DOWN L4TOUT"
				f.host(lb).Reach["192.168.0.204:8008"] = "no answer"
			}
			f.host(pg2).Firewall = []FirewallRule{{"inet", "filter", "input", "7",
				"tcp dport 8008 drop"}}
		}, []string{"error port-blocked@postgres-02/8008"}},
		{"a firewall drops what a host sends", func(f *Facts) {
			for _, port := range []string{"2379", "2380", "5432", "8008"} {
				f.host(pg1).Reach["192.168.0.204:"+port] = "no answer"
				f.host(pg2).Reach["192.168.0.203:"+port] = "no answer"
			}
			f.host(pg1).Firewall = []FirewallRule{{"inet", "filter", "input", "7",
				"ip saddr 192.168.0.204 drop"}}
		}, []string{"error port-blocked@postgres-01/2379"}},
		{"VRRP dropped, two holders", func(f *Facts) {
			for _, lb := range []string{lb1, lb2, lb3} {
				f.host(lb).Addresses[f.Spec.VIP.Address] = "enp0s3"
			}
			f.host(lb2).Firewall = []FirewallRule{{"inet", "filter", "input", "7",
				"ip protocol vrrp drop"}}
		}, []string{"error vrrp-blocked@haproxy-02"}},
	}
}

func fileCases() []ruleCase {
	expired := func(f *Facts) {
		const age = 366 * 24 * time.Hour // certificates are issued for 365 days
		f.Time = f.Time.Add(age)
		for _, h := range f.databases() {
			h.Patroni.LastSeen += int64(age.Seconds())
		}
	}
	var everything []string
	for _, h := range []string{pg1, pg2, pg3} {
		for _, c := range layout.Certificates() {
			if c.Component == "backup" || c.Component == "pooler" {
				continue
			}
			everything = append(everything, fmt.Sprintf("error %s-certificate-expired@%s/%s",
				c.Authority, h, c.Label()))
		}
	}
	return []ruleCase{
		{"a year without apply", expired, everything},
		{"a broken REST certificate is one finding", func(f *Facts) {
			f.host(pg2).Certificates[4].KeyMatches = false
			f.host(pg2).Patroni = &Patroni{Error: "handshake failure"}
			for _, lb := range []string{lb1, lb2, lb3} {
				f.host(lb).HAProxy.Servers["postgres_read/postgresql-02"] = "DOWN L6RSP"
			}
			f.drifts("file", pg2, layout.PatroniCerts+"/"+"rest-server.crt", "updated")
			f.drifts("file", pg2, layout.PatroniCerts+"/"+"rest-server.key", "updated")
			f.drifts("unit", pg2, layout.PatroniUnit, "reloaded")
		}, []string{"error patroni-certificate-key-mismatch@postgres-02/rest server"}},
		{"another copy of the state directory", func(f *Facts) {
			f.StateTrouble, f.StateRemedy = "the state directory is an older copy",
				"put its newest backup in its place"
			f.Authorities.Etcd = f.Authorities.Patroni
			f.drifts("file", pg2, layout.EtcdCerts+"/"+"ca.crt", "updated")
			f.drifts("file", pg2, layout.PatroniCerts+"/"+"rest-server.key", "updated")
			f.drifts("file", pg2, layout.PasswordFile, "updated")
			f.drifts("unit", pg2, layout.PatroniUnit, "reloaded")
			f.drifts("file", pg3, "/etc/etcd/etcd.env", "updated")
		}, []string{"error state-directory-refused",
			"warning etcd-config-differs@postgres-03//etc/etcd/etcd.env"}},
		{"a certificate that is gone", func(f *Facts) {
			f.host(pg2).Certificates[0] = Certificate{Name: "etcd server", Error: "cannot be read"}
			f.host(pg2).Etcd = &Etcd{Error: "refused"}
		}, []string{"error etcd-certificate-missing@postgres-02/etcd server"}},
		{"a key of another owner", func(f *Facts) {
			f.host(pg2).Files[layout.PatroniCerts+"/"+"postgres-server.key"] = File{"600",
				"root", "root"}
		}, []string{"error postgres-key-unreadable@postgres-02/postgres"}},
		{"an authority", func(f *Facts) {
			f.drifts("file", lb1, "/etc/haproxy/certs/patroni-ca.crt", "updated")
			f.host(lb1).HAProxy.Servers["postgres_read/postgresql-02"] = "DOWN L6RSP"
		}, []string{"error authority-differs@haproxy-01//etc/haproxy/certs/patroni-ca.crt"}},
		{
			"the dynamic configuration", func(f *Facts) {
				f.drifts("setting", "", "ttl", "changed")
			},
			[]string{"warning settings-differ/ttl"},
		},
		{"keepalived.conf differs, and keepalived failed over it", func(f *Facts) {
			f.drifts("file", lb1, "/etc/keepalived/keepalived.conf", "updated")
			f.unit(lb1, layout.KeepalivedUnit, func(u *Unit) {
				u.Active, u.Result = "failed",
					"exit-code"
			})
			f.host(lb1).Journals[layout.KeepalivedUnit] = []string{
				"2026-11-28T10:53:18+00:00 haproxy-01 Keepalived[77]: " +
					"(/etc/keepalived/keepalived.conf: Line 9) Unknown keyword 'stat', " +
					"configuration error",
			}
		}, []string{"error keepalived-config-differs@haproxy-01//etc/keepalived/keepalived.conf"}},
		{"keepalived.conf differs, and keepalived failed for something else", func(f *Facts) {
			f.drifts("file", lb1, "/etc/keepalived/keepalived.conf", "updated")
			f.unit(lb1, layout.KeepalivedUnit, func(u *Unit) {
				u.Active, u.Result = "failed",
					"exit-code"
			})
			f.host(lb1).Journals[layout.KeepalivedUnit] = []string{
				"2026-11-28T10:53:18+00:00 haproxy-01 Keepalived[77]: fatal error: cannot " +
					"allocate memory",
			}
		}, []string{
			"error unit-failed@haproxy-01/keepalived.service",
			"warning keepalived-config-differs@haproxy-01//etc/keepalived/keepalived.conf",
		}},
		{"config.yml differs, and Patroni is cut from etcd by something else", func(f *Facts) {
			f.drifts("file", pg3, "/etc/patroni/config.yml", "updated")
			f.host(pg3).Patroni.LastSeen = f.Time.Unix() - 100
			f.host(pg3).Journals[layout.PatroniUnit] = []string{
				"2026-11-28T10:53:18+00:00 postgres-03 patroni[77]: 2026-11-28 10:53:18,823 " +
					"ERROR: Failed to get list of machines from https://192.168.0.205:2379/v3: " +
					"timed out",
			}
		}, []string{
			"error patroni-cut-from-etcd@postgres-03",
			"warning patroni-config-differs@postgres-03//etc/patroni/config.yml",
		}},
		{
			"a file that was not loaded",
			func(f *Facts) { f.drifts("unit", lb1, layout.HAProxyUnit, "reloaded") },
			[]string{"warning configuration-not-loaded@haproxy-01/haproxy.service"},
		},
		{"haproxy.cfg invalid and failed", func(f *Facts) {
			f.host(lb1).HAProxy = &HAProxy{ConfigError: "unknown keyword", Error: "refused"}
			f.unit(lb1, layout.HAProxyUnit, func(u *Unit) {
				u.Active, u.Result = "failed", "start-limit-hit"
			})
			f.drifts("file", lb1, "/etc/haproxy/haproxy.cfg", "updated")
		}, []string{"error haproxy-config-invalid@haproxy-01//etc/haproxy/haproxy.cfg"}},
	}
}
