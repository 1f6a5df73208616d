package incident

import (
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/record"
)

// examples has a line for each recognizer that no recorded journal has; TestEveryRecognizerIsTried
// wants them all.
var examples = []struct {
	program, unit, message string
	kind                   Kind
	text                   string
}{
	{
		"patroni", "patroni.service", "2026-11-23 16:40:00,123 INFO: acquired session lock as a " +
			"leader",
		KeyTaken, "took the leader key",
	},
	{
		"patroni", "patroni.service",
		"2026-11-23 16:40:00,123 INFO: demoting self because i do not have the lock and i was a " +
			"leader",
		Demoted, "gave up being primary: i do not have the lock and i was a leader",
	},
	{
		"fast-failover", "pgha-failover.service",
		"pgha: nothing has come from pg1 for 3.1 s: it is suspected",
		LeaderSuspected, "has heard nothing from db1 for 3.1 s, and suspects it",
	},
	{
		"fast-failover", "pgha-failover.service", "pgha: pg1 is fenced: no packet goes out to it",
		LeaderFenced, "fenced db1: it acknowledges nothing to it any more",
	},
	{
		"fast-failover", "pgha-failover.service",
		"pgha: the leader key of pg1 was taken away: every voter has fenced it",
		KeyDeleted, "took the leader key away from pg1, which every voter had fenced",
	},
	{
		"fast-failover", "pgha-failover.service",
		"pgha: the fence against pg1 was taken back in etcd: it leads on",
		FenceWithdrawn, "takes back its fence against db1, which leads on",
	},
	{
		"fast-failover", "pgha-failover-lift.service",
		"pgha: the fence against pg1 is lifted: its lease has ended long ago",
		FenceLifted, "lifted its fence against db1",
	},
	{
		"fast-failover", "pgha-failover.service",
		"pgha: neither etcd nor another member answers: no packet goes out to the balancers",
		StoodAside, "hears of nobody, and lets nothing out to the balancers",
	},
	{
		"fast-failover", "pgha-failover.service", "pgha: packets go out to the balancers again",
		CameBack, "lets packets out to the balancers again",
	},
	{
		"patroni", "patroni.service", "2026-11-23 16:40:00,123 INFO: trying to bootstrap a new cluster",
		ClusterMade, "makes a new cluster",
	},
	{
		"patroni", "patroni.service", "2026-11-23 16:40:00,123 INFO: Updating synchronous privilege " +
			"temporarily from ['pg2'] to []",
		SyncReplaced, "gives up waiting for 'pg2'",
	},
	{
		"postgres", "patroni.service", "2026-11-23 16:40:00.123 UTC [17] LOG:  parameter " +
			`"synchronous_standby_names" changed to ""pg2""`,
		SyncNames, `waits with each commit for "pg2"`,
	},
	{
		"postgres", "patroni.service", "2026-11-23 16:40:00.123 UTC [17] LOG:  parameter " +
			`"synchronous_standby_names" removed from configuration file, reset to default`,
		SyncNames, "no longer waits with commits",
	},
	{
		"patroni", "patroni.service",
		"2026-11-23 16:40:00,123 INFO: received switchover request with leader=pg1 candidate=None " +
			"scheduled_at=2026-11-23T18:00:00+01:00",
		SwitchoverPlanned, "was asked for a switchover from db1 to any replica at " +
			"2026-11-23T18:00:00+01:00",
	},
	{
		"patroni", "patroni.service",
		"2026-11-23 17:00:00,123 INFO: Manual scheduled switchover at 2026-11-23T18:00:00+01:00",
		SwitchoverAsked,
		"carries out the switchover that was scheduled for 2026-11-23T18:00:00+01:00",
	},
	{
		"patroni", "patroni.service",
		"2026-11-23 16:40:00,123 INFO: received failover request with leader=None candidate=pg2 " +
			"scheduled_at=None",
		FailoverAsked, "was asked for a failover to db2",
	},
	{
		"patroni", "patroni.service", "2026-11-23 16:40:00,123 INFO: Manual failover: demoting " +
			"myself",
		Demoted, "stops being primary for a failover by hand",
	},
	{
		"patroni", "patroni.service", "2026-11-23 16:40:00,123 WARNING: Etcd is not responding " +
			"properly",
		DCSUnreachable, "cannot reach etcd",
	},
	{
		"patroni", "patroni.service",
		"etcd.EtcdException: Could not get the list of servers, maybe you provided the wrong " +
			"host(s)",
		DCSUnreachable, "cannot reach etcd",
	},
	{
		"patroni", "patroni.service", "2026-11-23 16:40:00,123 INFO: DCS is not accessible",
		DCSUnreachable,
		"cannot reach etcd",
	},
	{
		"patroni", "patroni.service", "2026-11-23 16:40:00,123 INFO: waiting for leader to " +
			"bootstrap",
		NoCandidate, "waits for a leader",
	},
	{
		"patroni", "patroni.service", "2026-11-23 16:40:00,123 INFO: pg_rewind exit code=1",
		RewindFailed,
		"pg_rewind failed with exit code 1",
	},
	{
		"patroni", "patroni.service",
		"2026-11-23 16:40:00,123 ERROR: Failed to rewind from healthy primary: pg1", RewindFailed,
		"pg_rewind failed",
	},
	{
		"patroni", "patroni.service",
		"2026-11-23 16:40:00,123 INFO: Removing data directory: /var/lib/postgresql/data",
		DataRemoved,
		"removes its data directory, to be copied again",
	},
	{
		"patroni", "patroni.service", "2026-11-23 16:40:00,123 INFO: trying to bootstrap from " +
			"leader 'pg1'",
		CopyBegan, "copies the data from db1",
	},
	{
		"patroni", "patroni.service",
		"2026-11-23 16:40:00,123 INFO: replica has been created using basebackup", CopyDone,
		"has a fresh copy of the data",
	},
	{"patroni", "patroni.service", "2026-11-23 16:40:00,123 INFO: PAUSE: no action. I am (pg2)",
		Paused, "is paused"},
	{
		"postgres", "patroni.service",
		"2026-11-23 16:40:00.123 UTC [7] ERROR:  could not extend file \"base/1/2\": No space " +
			"left on device",
		DiskFull, "has no space left on its disk",
	},
	{
		"postgres", "patroni.service",
		"2026-11-23 16:40:00.123 UTC [7] PANIC:  could not write to file \"pg_wal/xlogtemp.7\"",
		Panic,
		"panic: could not write to file \"pg_wal/xlogtemp.7\"",
	},
	{
		"postgres", "patroni.service", "2026-11-23 16:40:00.123 UTC [7] ERROR:  out of memory",
		OutOfMemory,
		"got no memory",
	},
	{
		"postgres", "patroni.service",
		"2026-11-23 16:40:00.123 UTC [7] LOG:  received immediate shutdown request",
		ShutdownRequested,
		"was told to stop at once",
	},
	{
		"postgres", "patroni.service",
		"2026-11-23 16:40:00.123 UTC [7] LOG:  received smart shutdown request", ShutdownRequested,
		"was told to stop when all sessions have ended",
	},
	{
		"postgres", "patroni.service",
		"2026-11-23 16:40:00.123 UTC [7] FATAL:  terminating walreceiver due to timeout",
		StreamLost,
		"no longer streams: the primary was silent",
	},
	{
		"postgres", "patroni.service",
		"2026-11-23 16:40:00.123 UTC [7] LOG:  client backend (PID 77) was terminated by signal " +
			"9: Killed",
		BackendKilled, "crashed: its client backend (process 77) was ended by signal 9: Killed",
	},
	{
		"postgres", "patroni.service",
		"2026-11-23 16:40:00.123 UTC [7] LOG:  server process (PID 77) was terminated by signal " +
			"11: Segmentation fault", BackendKilled, "crashed: its server process (process 77) " +
			"was ended by signal 11: Segmentation",
	},
	{
		"etcd", "etcd.service",
		`{"level":"warn","caller":"wal/wal.go:805","msg":"slow fdatasync","took":"2.1s","expected-duration":"1s"}`,
		EtcdSlowDisk, "the disk took 2.1s for one fsync of etcd",
	},
	{
		"etcd", "etcd.service",
		`{"level":"warn","msg":"apply request took too long","took":"312ms","expected-duration":"100ms"}`,
		EtcdSlowApply, "etcd took 312ms for one request",
	},
	{
		"etcd", "etcd.service",
		`{"level":"warn","msg":"leader failed to send out heartbeat on time; took too long, leader is overloaded likely from slow disk"}`, EtcdSlowHeartbeat, "etcd's leader was late with its heartbeat: disk or CPU overloaded",
	},
	{
		"etcd", "etcd.service",
		`{"level":"warn","msg":"lost TCP streaming connection with remote peer","remote-peer-id":"c63c02dea9f5ac9b"}`,
		EtcdPeerLost, "lost etcd's member c63c02dea9f5ac9b",
	},
	{
		"etcd", "etcd.service",
		`{"level":"warn","msg":"alarm raised","alarm":"NOSPACE","from":"8e"}`,
		EtcdAlarm, "etcd raised the alarm NOSPACE",
	},
	{
		"etcd", "etcd.service",
		`{"level":"fatal","msg":"failed to save Raft hard state","error":"no space left on device"}`,
		DiskFull, "etcd has no space left on its disk",
	},
	{
		"haproxy", "haproxy.service", "proxy postgres_write has no server available!", BackendEmpty,
		"has nobody left for postgres_write",
	},
	{
		"Keepalived_vrrp", "keepalived.service",
		"(VI_1) Master received advert from 10.0.0.1 with higher priority 100, ours 90",
		AddressYielded,
		"yields the virtual IP to lb1",
	},
	{
		"Keepalived_vrrp", "keepalived.service", "VRRP_Script(check_haproxy) timed out",
		CheckFailed,
		"its check of HAProxy timed out",
	},
	{
		"systemd", "etcd.service", "etcd.service: Main process exited, code=dumped, status=6/ABRT",
		UnitKilled, "crashed (6/ABRT)",
	},
	{
		"systemd", "etcd.service", "etcd.service: Main process exited, code=exited, " +
			"status=1/FAILURE",
		UnitFailed, "ended by itself (exit code 1/FAILURE)",
	},
	{
		"systemd", "patroni.service",
		"patroni.service: A process of this unit has been killed by the OOM killer.", UnitOOM,
		"lost a process to the kernel: out of memory",
	},
	{
		"systemd", "patroni.service", "patroni.service: Start request repeated too quickly.",
		UnitFailed,
		"was given up by systemd: it failed too often",
	},
	{
		"kernel", "", "Out of memory: Killed process 4711 (postgres) total-vm:1kB", KernelOOM,
		"the kernel killed postgres (process 4711): out of memory",
	},
	{
		"kernel", "", "Memory cgroup out of memory: Killed process 4711 (postgres) total-vm:1kB",
		KernelOOM,
		"the kernel killed postgres (process 4711): its memory limit",
	},
	{
		"kernel", "", "blk_update_request: I/O error, dev sda, sector 5", KernelIO,
		"the kernel reports a disk error: blk_update_request: I/O error, dev sda, sector 5",
	},
	{"kernel", "", "igb 0000:01:00.0 eno1: NIC Link is Down", LinkDown,
		"the network link eno1 went down"},
	{"kernel", "", "igb 0000:01:00.0 eno1: NIC Link is Up 1000 Mbps", LinkUp,
		"the network link eno1 is up"},
	{"systemd-networkd", "systemd-networkd.service", "eno1: Lost carrier", LinkDown,
		"the network link eno1 went down"},
	{"systemd-networkd", "systemd-networkd.service", "eno1: Gained carrier", LinkUp,
		"the network link eno1 is up"},
	{
		"NetworkManager", "NetworkManager.service",
		"<info> device (eno1): carrier: link disconnected",
		LinkDown, "the network link eno1 went down",
	},
	{"systemd-logind", "systemd-logind.service", "System is powering down.", HostShutdown,
		"is shut down"},
	{"systemd-logind", "systemd-logind.service", "System is powering off.", HostShutdown,
		"is shut down"},
	{
		"sudo", "",
		"alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/systemctl stop patroni",
		Commanded, "alice ran /usr/bin/systemctl stop patroni",
	},
}

func TestRecognizers(t *testing.T) {
	t.Parallel()
	hosts := map[string]string{"pg1": "db1", "pg2": "db2", "10.0.0.1": "lb1"}
	for _, x := range examples {
		line := record.LogEntry{
			Time: time.Unix(1, 0), Host: "db1", Program: x.program, Unit: x.unit,
			Message: x.message,
		}
		e, ok := recognize(line, hosts)
		if !ok || e.Kind != x.kind || e.Text != x.text {
			t.Errorf("%s\n got %v %q\nwant %v %q", x.message, e.Kind, e.Text, x.kind, x.text)
		}
	}
}

// TestEveryRecognizerIsTried wants a line for each, recorded or from the examples, that it is the
// first to fit.
func TestEveryRecognizerIsTried(t *testing.T) {
	t.Parallel()
	var lines []record.LogEntry
	for _, s := range scenes {
		lines = append(lines, recorded(t, s.name)...)
	}
	for _, x := range examples {
		lines = append(lines, record.LogEntry{Program: x.program, Unit: x.unit, Message: x.message})
	}
	tried := map[*recognizer]bool{}
	for _, line := range lines {
		if r := which(line); r != nil {
			tried[r] = true
		}
	}
	for c, table := range tables {
		for i := range table {
			if r := &table[i]; !tried[r] && r.versions == "" {
				t.Errorf("%s: no line for %q, %s", c, r.needs, r.kind)
			}
		}
	}
}

// which is the recognizer that takes a line, found without recognize.
func which(line record.LogEntry) *recognizer {
	for _, c := range componentsOf(line) {
		for i := range tables[c] {
			if r := &tables[c][i]; strings.Contains(line.Message, r.needs) &&
				(r.pattern == nil || r.pattern.MatchString(line.Message)) {
				return r
			}
		}
	}
	return nil
}

// TestEvidenceIsBounded: however much somebody logs, little of it is kept.
func TestEvidenceIsBounded(t *testing.T) {
	t.Parallel()
	c := NewCollector(About{Machines: machines})
	long := "2026-11-23 16:40:00.123 UTC [7] PANIC:  " + strings.Repeat("ñ", 1<<20)
	c.Add(record.LogEntry{Time: time.Unix(1, 0), Host: "postgres-01", Program: "postgres",
		Message: long})
	for i := range mostEvents + 1000 {
		c.Add(record.LogEntry{
			Time: time.Unix(int64(i)*100, 0), Host: "postgres-01", Program: "systemd",
			Unit:    "etcd.service",
			Message: "Started etcd.service - etcd.",
		})
	}
	if len(c.events) > mostEvents || len(c.events[0].Evidence) > longestEvidence+8 ||
		len(c.events[0].Text) > longestEvidence+8 {
		t.Errorf("%d events, evidence of %d bytes, text of %d", len(c.events),
			len(c.events[0].Evidence),
			len(c.events[0].Text))
	}
	if a := c.Account(); len(a.Notes) != 1 || !strings.Contains(a.Notes[0], "too many") {
		t.Errorf("the account does not say that events were dropped: %v", a.Notes)
	}
}
