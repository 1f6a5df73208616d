package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/advisor"
	"github.com/pgha/toolkit/pgha/doctor"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/incident"
	"github.com/pgha/toolkit/pgha/patroni"
)

// moment is a time of the local clock, which is what people read.
var moment = time.Date(2026, 11, 23, 3, 0, 0, 0, time.Local)

func pointer[T any](v T) *T { return &v }

// halfDeadStatus is what is left of a cluster when a database host and a balancer are gone while
// somebody works on it.
func halfDeadStatus() pgha.Status {
	return pgha.Status{Cluster: "orders", Paused: true,
		Operation: &pgha.OperationStatus{Holder: "alice@desk", Purpose: "restart",
			Since: moment},
		ScheduledSwitchover: &pgha.ScheduledSwitchover{At: moment.Add(time.Hour), From: "pg1"},
		UnfinishedReset:     "a reset was begun on db1",
		Members: []pgha.MemberStatus{
			{Name: "pg1", Host: "db1", Role: "leader", State: "running", Timeline: 7, Healthy: true,
				Endpoints:      map[string]int{"/primary": 200, "/replica": 503, "/health": 200},
				PendingRestart: true, PendingReason: []string{"max_connections", "wal_level"}},
			{Name: "pg2", Host: "db2", Role: "replica", State: "starting", Timeline: 6,
				LagBytes:         pointer[int64](4096),
				Endpoints:        map[string]int{"/primary": 503, "/replica": 503},
				ScheduledRestart: "2026-11-24T02:00"},
			{Name: "pg3", Host: "db3"},
		},
		Etcd: []pgha.EtcdStatus{
			{Name: "pg1", Healthy: true, Leader: true, Version: "3.5.16", DBSize: 20480},
			{Name: "pg2", Error: "alarm NOSPACE", Version: "3.5.16", DBSize: 2 << 30,
				Alarm: "NOSPACE"},
			{Name: "pg3"},
		},
		Balancers: []pgha.BalancerStatus{
			{
				Host: "lb1", Version: "3.0.11", Primary: []string{"pg1"},
				Replicas: []string{"pg2", "pg3"},
				HoldsVIP: true,
			},
			{Host: "lb2", Error: "no answer"},
		},
		VIP: &pgha.VIPStatus{Address: "10.0.0.9", Holders: []string{"lb1"}},
		Certificates: []pgha.CertificateStatus{
			{Name: "etcd peer", NotAfter: time.Time{}.AddDate(0, 0, 90)},
			{Name: "postgres", NotAfter: time.Time{}.AddDate(0, 0, -2)},
		},
		Stranded: []pgha.StrandedMember{
			{Member: "pg3", Reason: "it left the timeline", Remedy: "pgha-cli reinit pg3"},
		},
		Unreachable: map[string]string{"lb2": "lb2: no route", "db3": "db3: refused"},
		Errors:      map[string]string{"lock": "read the lock: etcd \x1b]0;owned\a is slow"},
	}
}

// TestPrinted prints what each verb knows in the cases that are not simply healthy.
func TestPrinted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		print func(*terminal.Terminal)
		want  string
	}{
		"status of a half-dead cluster": {func(out *terminal.Terminal) {
			printStatus(out, halfDeadStatus())
		}, `
cluster orders: not healthy, 1 restart pending
✗ member pg2 is replica starting on timeline 6
✗ nothing is known about member pg3
✗ the cluster is paused: nobody is promoted if the leader fails
✗ etcd on pg2 is not healthy: alarm NOSPACE
✗ etcd on pg3 is not healthy: it does not answer
✗ balancer lb2: no answer
✗ db3: refused
✗ lb2: no route
✗ a reset was begun on db1
✗ read the lock: etcd �]0;owned� is slow
  run pgha-cli reset again
  PAUSED until pgha-cli resume
! pg1 waits for a restart: max_connections, wal_level; pgha-cli restart --pending
! pg2 will be restarted at 2026-11-24T02:00; pgha-cli restart pg2 --cancel takes it back
alice@desk is at it: restart since 03:00:00
a switchover from pg1 to the one that Patroni picks is scheduled for 2026-11-23 04:00:00 UTC; pgha-cli switchover --cancel takes it back

MEMBER  HOST  ROLE     STATE     TIMELINE  LAG     REST
pg1     db1   leader   running   7         -       /primary /health
pg2     db2   replica  starting  6         4096 B  no answer
pg3     db3   -        -         0         -       no answer

ETCD  HEALTH    LEADER  VERSION  SIZE
pg1   healthy   yes     3.5.16   20 KiB
pg2   NOSPACE   -       3.5.16   2097152 KiB
pg3   not well  -       -        0 KiB

BALANCER  ADDRESS   WRITES TO  READS FROM  HAPROXY
lb1       10.0.0.9  pg1        pg2,pg3     3.0.11
lb2       -         -          -           not well

2 certificates; postgres ended 2 days ago
✗ pg3 may not come back by itself: it left the timeline
  pgha-cli reinit pg3
`},
		"a plan": {func(out *terminal.Terminal) {
			printPlan(out, pgha.Plan{Consequences: []errs.Next{
				errs.Text("haproxy on lb1 is reloaded"),
			}, Changes: []pgha.PlannedChange{
				{
					Phase: "etcd", Host: "db1", Kind: "file", Name: "/etc/etcd/etcd.env",
					Action: "create",
					Origin: pgha.Origin{Cause: pgha.CauseNew},
				},
				{Phase: "balancers", Host: "lb1", Kind: "file", Name: "/etc/haproxy/haproxy.cfg",
					Action: "write",
					Diff:   "--- was\n+++ is\n-maxconn \x1b[2J10\n+maxconn 20\n",
					Origin: pgha.Origin{
						Cause: pgha.CauseDrift, Owner: "haproxy", WrittenBy: "apply of alice",
						WrittenAt: moment,
					}},
				{Phase: "balancers", Host: "lb1", Kind: "unit", Name: "haproxy.service",
					Action: "reload",
					Origin: pgha.Origin{Cause: pgha.CauseFollows}},
				{Phase: "balancers", Host: "lb2", Kind: "unit", Name: "haproxy.service",
					Action: "start",
					Origin: pgha.Origin{Cause: pgha.CauseUnknown, Owner: "haproxy"}},
			}})
		}, `
etcd
  db1
    file /etc/etcd/etcd.env create
balancers
  lb1
    file /etc/haproxy/haproxy.cfg write
      drift: haproxy's; written by apply of alice 2026-11-23 03:00:00 UTC, changed or removed since
        --- was
        +++ is
        -maxconn �[2J10
        +maxconn 20
    unit haproxy.service reload
  lb2
    unit haproxy.service start
      unknown: haproxy's; by no operation that the hosts remember
then: haproxy on lb1 is reloaded
4 changes on 3 hosts (1 not there yet, 1 changed by hand, 1 following from these, 1 of unknown origin); pgha-cli apply makes them
`},
		"an empty plan": {func(out *terminal.Terminal) { printPlan(out, pgha.Plan{}) }, `
✓ nothing to change
`},
		"what was accepted": {func(out *terminal.Terminal) {
			printAcceptance(out, pgha.Acceptance{Diff: "-  ttl: 30\n+  ttl: 20\n",
				Accepted: []pgha.AcceptedField{{Field: "patroni.ttl", Value: 20,
					Origin: pgha.Origin{
						Cause: pgha.CauseDrift, Owner: "patroni",
					}}, {Field: "postgresql.parameters.work_mem"}},
				Left: []pgha.LeftChange{
					{Host: "db1", Kind: "unit", Name: "etcd.service", Reason: "a unit is no field"},
				}})
			out.Printf("%s\n%s\n", restText(nil), restText([]pgha.PlannedChange{
				{Host: "db1", Kind: "unit", Name: "etcd.service"},
			}))
		}, `
-  ttl: 30
+  ttl: 20
accepted: patroni.ttl: 20
  drift: patroni's; by no operation that the hosts remember, changed or removed since
accepted: postgresql.parameters.work_mem: null
  only in the DCS: apply would have left it alone
not accepted: db1 unit etcd.service: a unit is no field
now there is nothing left for apply to change
apply still changes db1 unit etcd.service
`},
		"advice": {func(out *terminal.Terminal) {
			printAdvice(out, pgha.Advice{Live: true,
				Problems: []string{"the cluster has 0 leaders"},
				Losses: []advisor.Loss{
					{What: "db1 (leader)", Typical: 17 * time.Second, Worst: 20 * time.Second,
						Note: "or sooner",
						Risk: advisor.Risk{
							Because: "asynchronous", Bytes: pointer[int64](512),
							MostBytes: pointer[int64](1 << 20),
						},
						Fatal: []advisor.Fatal{{Hosts: []string{"db2", "db3"},
							Why: "etcd has no quorum"}}},
					{What: "db2 (replica)", Risk: advisor.Risk{}},
					{
						What: "etcd's quorum", Blocked: "nobody can be elected",
						Typical: 10 * time.Second,
						Worst:   30 * time.Second,
					},
					{
						What: "lb1", Blocked: "no balancer is left",
						Risk: advisor.Risk{Because: "x", Rows: pointer[int64](3),
							MostBytes: pointer[int64](9)},
					},
				},
				Remarks: []advisor.Remark{{ID: "etcd-slow", Severity: advisor.Critical,
					What: "etcd's disk is slow",
					Why:  "a sync takes 90 ms", Set: errs.Text("another disk")}},
				Errors: map[string]string{"disks": "df: not found"}})
		}, `
What the loss of one of these would do now
! not whole: the cluster has 0 leaders

LOST           SECONDS WITHOUT WRITES                                       ROWS AT RISK              SURVIVES THE NEXT LOSS
db1 (leader)   17.0, at worst 20.0 [1]                                      512 bytes of WAL now [2]  no [3]
db2 (replica)  none                                                         0                         yes
etcd's quorum  until mended, after 10.00s to 30.00s: nobody can be elected  0                         -
lb1            until mended: no balancer is left                            3 now [4]                 -
[1] or sooner
[2] 512 bytes of WAL now, at most 1048576: asynchronous
[3] then not db2 or db3: etcd has no quorum
[4] at most 9 bytes of WAL: x

✗ etcd's disk is slow (critical etcd-slow)
  because a sync takes 90 ms
  set     another disk
! not measured, disks: df: not found

1 warning
`},
		"advice without a warning": {func(out *terminal.Terminal) {
			printAdvice(out, pgha.Advice{Losses: []advisor.Loss{{What: "lb2"}}})
		}, `
What the loss of one of these would do to a healthy cluster of this specification

LOST  SECONDS WITHOUT WRITES  ROWS AT RISK  SURVIVES THE NEXT LOSS
lb2   none                    0             yes

✓ no warning
`},
		"advice for what is not whole": {func(out *terminal.Terminal) {
			printAdvice(out, pgha.Advice{Live: true, Problems: []string{"member pg3 is stopped"}})
		}, `
What the loss of one of these would do now
! not whole: member pg3 is stopped

LOST  SECONDS WITHOUT WRITES  ROWS AT RISK  SURVIVES THE NEXT LOSS

no warning about settings, but the cluster is not whole
`},
		"a diagnosis": {func(out *terminal.Terminal) {
			printDiagnosis(out, someDiagnosis(), false)
		}, `
cluster orders: 1 error, 1 warning (5 of 6 hosts asked in 1.0s)

✗ db2: etcd does not run  unit-stopped
  causes   one more loss stops all writes
  seen     ActiveState=failed �[31m
  mend     on db2: systemctl start etcd
  mend     here: pgha-cli status
  or       pgha-cli doctor --fix unit-stopped@db2
  explains etcd-member-down@db2

! clocks differ  clock-off
  causes   logs are hard to read
  advice   look at chrony

! not known: pg_hba of db3
`},
		"a diagnosis with symptoms": {func(out *terminal.Terminal) {
			printDiagnosis(out, someDiagnosis(), true)
		}, `
cluster orders: 1 error, 1 warning (5 of 6 hosts asked in 1.0s)

✗ db2: etcd does not run  unit-stopped
  causes   one more loss stops all writes
  seen     ActiveState=failed �[31m
  mend     on db2: systemctl start etcd
  mend     here: pgha-cli status
  or       pgha-cli doctor --fix unit-stopped@db2
  explains etcd-member-down@db2: a vote less
             no answer

! clocks differ  clock-off
  causes   logs are hard to read
  advice   look at chrony

! not known: pg_hba of db3
`},
		"nothing is wrong": {func(out *terminal.Terminal) {
			printDiagnosis(out, doctor.Diagnosis{Cluster: "orders", Hosts: 6, HostsTotal: 6,
				Seconds: 0.25}, false)
		}, `
cluster orders: nothing is wrong (6 of 6 hosts asked in 0.2s)
`},
		"checks": {func(out *terminal.Terminal) {
			printCheck(out, pgha.Check{
				Name: "etcd has a leader", OK: true, Detail: "pg1", Duration: 20 * time.Millisecond,
			})
			printCheck(out, pgha.Check{
				Name: "strangers", Problem: "10.0.0.7 logs in",
				Hint: errs.Text("see %s", errs.Verb("logs", "postgresql")),
			})
		}, `
✓ etcd has a leader 0.0s
  pg1
✗ strangers 0.0s
  10.0.0.7 logs in
  see pgha-cli logs postgresql
`},
		"settings": {func(out *terminal.Terminal) { printConfig(out, someSettings(), 2) }, `
SETTING          SPEC  DCS  CONFIG.YML  pg1                       pg2
ttl              30    20   -           -                         -
  ≠ the next apply sets \x1b[31m30
work_mem         4MB   4MB  (differs)   4MB                       8MB
  ≠ ALTER SYSTEM on pg2
archive_command  -     ""   -           test ! -f /a/very/long/…  -
✗ pg3: no answer

settings that differ: 2
`},
		"settings that agree": {func(out *terminal.Terminal) {
			printConfig(out, pgha.ConfigReport{Members: []string{"pg1"}, Rows: []pgha.ConfigRow{
				{Key: "ttl", Spec: pointer("30"), DCS: pointer("30")}}}, 0)
		}, `
SETTING  SPEC  DCS  pg1
ttl      30    30   -

nothing differs
`},
		"changed settings": {func(out *terminal.Terminal) {
			changed := func(r patroni.SetConfigResult) {
				printChanged(out, pgha.SetConfigResult{SetConfigResult: r})
			}
			changed(patroni.SetConfigResult{Changes: []patroni.ConfigChange{
				{Key: "ttl", New: 20}, {Key: "x", Old: "a\nb"},
			},
				Silent:  []string{"pg3"},
				Pending: []patroni.PendingMember{{Member: "pg2", Settings: []string{"wal_level"}}}})
			changed(patroni.SetConfigResult{Changes: []patroni.ConfigChange{{Key: "ttl", Old: 1,
				New: 20}}})
			changed(patroni.SetConfigResult{})
		}, `
ttl: (none) -> 20
x: a\nb -> (none)
! no answer from pg3, which takes the change when it is back
! pg2 waits for a restart: wal_level
pgha-cli restart --pending restarts them one at a time
ttl: 1 -> 20
in effect on every member that answers
nothing to change
`},
		"restarts": {func(out *terminal.Terminal) {
			printRestart(out, patroni.RestartResult{})
			printRestart(out,
				patroni.RestartResult{Scheduled: &patroni.ScheduledRestart{Member: "pg1",
					At: moment}})
			printRestart(out, patroni.RestartResult{Restarted: []patroni.RestartedMember{
				{Member: "pg2", Role: "replica", Down: patroni.Elapsed(time.Second),
					Took:    patroni.Elapsed(3 * time.Second),
					Pending: []string{"max_connections"}}}})
		}, `
nothing to restart
scheduled: restart of pg1 at 2026-11-23 03:00:00 UTC; pgha-cli restart pg1 --cancel takes it back
pg2 (replica) was down for 1.0s and healthy after 3.0s, still waiting for another restart: max_connections
`},
		"switchovers": {func(out *terminal.Terminal) {
			r := pgha.SwitchoverResult{SwitchoverResult: patroni.SwitchoverResult{OldLeader: "pg1",
				NewLeader: "pg2", Timeline: 8,
				Promoted: patroni.Elapsed(time.Second)}}
			printSwitchover(out, r)
			r.Complete, r.WithoutWrites = patroni.Elapsed(4*time.Second),
				patroni.Elapsed(1250*time.Millisecond)
			printSwitchover(out, r)
		}, `
pg2 leads now instead of pg1, on timeline 8: the time without writes was not measured, promoted after 1.0s, not all members stream from it yet
pg2 leads now instead of pg1, on timeline 8: 1.25s without writes, promoted after 1.0s, all members streaming after 4.0s
`},
		"synchronous modes": {func(out *terminal.Terminal) {
			printSynchronous(out,
				pgha.SynchronousResult{SynchronousResult: patroni.SynchronousResult{Mode: "on"},
					Replicas: []pgha.SynchronousReplica{{Member: "pg2", SyncState: "sync"}},
					Commit:   patroni.Elapsed(2500 * time.Microsecond)})
			printSynchronous(out, pgha.SynchronousResult{Promise: "nothing is lost",
				SynchronousResult: patroni.SynchronousResult{
					Mode: "strict", Changes: []patroni.ConfigChange{{}},
					Took: patroni.Elapsed(time.Second)}})
		}, `
synchronous mode was on already
  pg2  sync
a commit through the address took 2.5 ms
synchronous mode is strict, after 1.0s: nothing is lost
a commit through the address took 0.0 ms
`},
		"an incident": {func(out *terminal.Terminal) {
			printAccount(out, someAccount(), false, 1)
		}, `
2026-11-23 03:00:00 UTC db1 lost its power
  cause      db1: power (likely)
             Booting Linux
  leader     db1 until 03:00:01.000: expired; db2 from 03:00:02.000
  no writes  3.00 s from 03:00:00.000 (power) until 03:00:03.000 (promotion)
  no writes  9.00 s from 03:00:05.000 (etcd) until still
  loss       48 bytes of WAL at most
  missing    db1, lb-01

     +0.00  lb-01,02         haproxy    pg1 is DOWN
     +2.00  -                patroni    db2 leads (3 times) (concluded)

1 event without consequences left out: --all shows them
! the clock of db2 is off by -0.200 s (give or take 0.010 s); its times are corrected by that
`},
		"an incident with its evidence": {func(out *terminal.Terminal) {
			a := someAccount()
			a.Clocks = nil
			printAccount(out, a, true, 0)
		}, `
2026-11-23 03:00:00 UTC db1 lost its power
  cause      db1: power (likely)
             Booting Linux
  leader     db1 until 03:00:01.000: expired; db2 from 03:00:02.000
  no writes  3.00 s from 03:00:00.000 (power) until 03:00:03.000 (promotion)
  no writes  9.00 s from 03:00:05.000 (etcd) until still
  loss       48 bytes of WAL at most
  missing    db1, lb-01

     +0.00  lb-02            haproxy    pg1 is DOWN
            Server pg1 is �[2JDOWN
     +0.50  lb-01            haproxy    pg1 is DOWN
            Server pg1 is DOWN
     +2.00  -                patroni    db2 leads (3 times) (concluded)
            concluded
`},
		"no incident": {func(out *terminal.Terminal) {
			printAccount(out, incident.Account{
				Since: moment, Lines: 12, Notes: []string{"db3 could not be read"},
			}, false, 2)
		}, `
nothing happened since 2026-11-23 03:00:00 UTC (12 lines read)

2 events without consequences left out: --all shows them
! db3 could not be read
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var screen bytes.Buffer
			tt.print(&terminal.Terminal{Stdout: &screen, Stderr: &screen})
			var lines []string
			for line := range strings.Lines(screen.String()) {
				lines = append(lines, strings.TrimRight(line, " \n"))
			}
			if diff := cmp.Diff(strings.Split(strings.TrimPrefix(tt.want, "\n"), "\n"),
				append(lines, "")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func someDiagnosis() doctor.Diagnosis {
	return doctor.Diagnosis{Cluster: "orders", Hosts: 5, HostsTotal: 6, Seconds: 1.04,
		Unknown: []string{"pg_hba of db3"},
		Findings: []doctor.Finding{
			{ID: "unit-stopped", Host: "db2", Subject: "etcd.service", Severity: doctor.Error,
				Title:       "etcd does not run",
				Consequence: "one more loss stops all writes",
				Evidence:    []string{"ActiveState=failed \x1b[31m"},
				Remedy: []doctor.Step{{Host: "db2", Command: "systemctl start etcd"},
					{Call: errs.Verb("status")}},
				Fixable: true,
				Symptoms: []doctor.Finding{
					{ID: "etcd-member-down", Host: "db2", Title: "a vote less",
						Evidence: []string{"no answer"}},
				}},
			{ID: "clock-off", Severity: doctor.Warning, Title: "clocks differ",
				Consequence: "logs are hard to read",
				Advice:      errs.Text("look at chrony")},
		}}
}

func someSettings() pgha.ConfigReport {
	return pgha.ConfigReport{Members: []string{"pg1", "pg2"},
		Errors: map[string]string{"pg3": "no answer"},
		Rows: []pgha.ConfigRow{
			{
				Key: "ttl", Spec: pointer("30"), DCS: pointer("20"), Differs: true,
				Why: []string{"the next apply sets \x1b[31m30"},
			},
			{Key: "postgresql.parameters.work_mem", Spec: pointer("4MB"), DCS: pointer("4MB"),
				Differs: true,
				Why:     []string{"ALTER SYSTEM on pg2"},
				Members: map[string]pgha.MemberSetting{
					"pg1": {Actual: pointer("4MB"), File: pointer("4MB")},
					"pg2": {Actual: pointer("8MB")},
				}},
			{Key: "postgresql.parameters.archive_command", DCS: pointer(""),
				Members: map[string]pgha.MemberSetting{
					"pg1": {Actual: pointer("test ! -f /a/very/long/path/of/an/archive/%f")}}},
		}}
}

func someAccount() incident.Account {
	at := func(s float64) time.Time { return moment.Add(time.Duration(s * float64(time.Second))) }
	return incident.Account{Since: moment, Lines: 99, Clocks: []incident.Clock{{
		Host: "db2", OffsetSeconds: -0.2, ErrorSeconds: 0.01,
	},
		{Host: "db3", OffsetSeconds: 0.04}},
		Incidents: []incident.Incident{{Class: incident.Failure, Began: moment,
			Headline: "db1 lost its power",
			Cause: incident.Cause{
				Host: "db1", Text: "power", Confidence: incident.Likely, Evidence: "Booting\nLinux",
			},
			OldLeader: "db1", NewLeader: "db2",
			Lock: &incident.LockLoss{Host: "db1", Time: at(1), Reason: "expired", Taken: at(2)},
			Gaps: []incident.Gap{{Start: moment, End: at(3), Seconds: 3, From: "power",
				To: "promotion"},
				{Start: at(5), Open: true, Seconds: 9, From: "etcd"}},
			Loss: &incident.Loss{Text: "48 bytes of WAL at most"}, Missing: []string{"db1", "lb-01"},
			Events: []incident.Event{
				{
					Time: at(0), Host: "lb-02", Component: "haproxy", Text: "pg1 is DOWN",
					Evidence: "Server pg1 is \x1b[2JDOWN",
				},
				{
					Time: at(0.5), Host: "lb-01", Component: "haproxy", Text: "pg1 is DOWN",
					Evidence: "Server pg1 is DOWN",
				},
				{
					Time: at(2), Host: "", Component: "patroni", Text: "db2 leads", Derived: true, Count: 3,
					Evidence: "concluded",
				},
			}}}}
}

// TestEnding tells days, and of less than two of them hours and minutes.
func TestEnding(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	for left, want := range map[time.Duration]string{
		365 * 24 * time.Hour:           "the first to end: etcd peer, in 365 days",
		48 * time.Hour:                 "the first to end: etcd peer, in 2 days",
		47 * time.Hour:                 "the first to end: etcd peer, in 47h",
		4*time.Minute + 29*time.Second: "the first to end: etcd peer, in 4m",
		-3 * time.Minute:               "etcd peer ended 3m ago",
		-72 * time.Hour:                "etcd peer ended 3 days ago",
	} {
		c := pgha.CertificateStatus{Name: "etcd peer", NotAfter: now.Add(left)}
		if got := ending(c, now); got != want {
			t.Errorf("%s: %q, want %q", left, got, want)
		}
	}
	if got := ending(pgha.CertificateStatus{Name: "rest", Error: "cannot be read"}, now); got !=
		"rest cannot be read" {
		t.Errorf("got %q", got)
	}
}
