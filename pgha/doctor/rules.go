package doctor

import (
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/layout"
)

// rule is one thing that the doctor knows: the kinds of findings it can come to, and how.
type rule struct {
	ids  []string
	look func(Facts) []Finding
}

// rules is everything that the doctor knows. The order matters where two findings explain each
// other: the earlier is the cause. So it goes from what other things stand on to what stands on
// them.
func rules() []rule {
	return []rule{
		{[]string{"state-directory-refused"}, stateRefused},
		{[]string{"host-unreachable"}, hostsUnreachable},
		{[]string{"specification-refused"}, refused},
		{[]string{"reset-unfinished"}, resetUnfinished},
		{[]string{"file-system-read-only", "disk-full", "inodes-exhausted",
			"disk-nearly-full"}, disks},
		{[]string{"clock-wrong", "clock-unsynchronised"}, clocks},
		{[]string{"package-missing", "account-missing"}, missingSoftware},
		{certificateIDs(), certificates},
		{[]string{"authority-differs"}, authorities},
		{[]string{"authority-ending"}, authoritiesEnding},
		{keyIDs(), keys},
		{[]string{"data-directory-permissions", "etcd-data-permissions", "pgpass-permissions"},
			permissions},
		{[]string{"process-frozen", "postgres-hung"}, frozen},
		{[]string{"port-taken"}, portsTaken},
		{[]string{"fence", "fence-stays", "stands-aside"}, fences},
		{[]string{"port-blocked"}, portsBlocked},
		{[]string{"etcd-data-lost"}, etcdDataLost},
		{[]string{"etcd-forgot-cluster"}, etcdForgot},
		{[]string{"postgres-outside-patroni"}, postgresOutsidePatroni},
		{[]string{"patroni-config-invalid", "haproxy-config-invalid"}, invalidConfigurations},
		{[]string{"check-script-not-executable"}, checkScripts},
		{[]string{"unit-masked", "unit-failed", "unit-stopped", "unit-disabled"}, units},
		{[]string{"etcd-wrong-cluster", "etcd-member-missing", "etcd-member-unknown"},
			etcdMembership},
		{[]string{"etcd-no-space", "etcd-corrupt"}, etcdAlarms},
		{[]string{"etcd-not-answering"}, etcdNotAnswering},
		{[]string{"etcd-quorum-lost"}, etcdQuorum},
		{[]string{"etcd-database-large", "etcd-slow-disk", "etcd-leader-on-primary",
			"etcd-initial-state-new"},
			etcdCondition},
		{[]string{"wrong-system-identifier"}, systemIdentifiers},
		{[]string{"connections-exhausted", "connections-nearly-exhausted"}, connections},
		{[]string{"address-refuses-everybody"}, addressRefuses},
		{[]string{"pg-hba-no-local-replication", "pg-hba-differs", "pg-hba-invalid"}, hbaFiles},
		{[]string{"pgpass-differs", "etcd-config-differs", "patroni-config-differs",
			"haproxy-config-differs",
			"keepalived-config-differs", "file-differs"}, configurationFiles},
		{[]string{"role-lacks-right"}, roleRights},
		{[]string{"backup-gap", "backup-too-old", "backup-unproven"}, backups},
		{[]string{"replication-login-fails"}, replicationLogins},
		{[]string{"postgres-start-failed", "patroni-not-answering", "postgres-not-answering",
			"patroni-cut-from-etcd"}, members},
		{[]string{"two-primaries", "failover-held-back", "no-primary"}, primaries},
		{[]string{"replica-on-old-timeline", "replica-not-streaming", "replica-lags"}, replicas},
		{[]string{"synchronous-standby-missing"}, synchronous},
		{[]string{"paused", "restart-pending", "rewind-impossible"}, patroniCondition},
		{[]string{"archive-failing", "archive-stuck", "archive-backlog", "slot-lost", "slot-inactive"},
			retention},
		{[]string{"slot-undeclared", "slot-left-over"}, slotCopies},
		{[]string{"settings-invalid"}, refusedLines},
		{[]string{"long-transaction", "prepared-transaction", "leftover-table",
			"settings-altered-by-hand"},
			sqlCondition},
		{[]string{"settings-differ", "configuration-not-loaded"}, drifted},
		{[]string{"versions-differ"}, versions},
		{[]string{"haproxy-not-answering"}, haproxyNotAnswering},
		{[]string{"haproxy-reload-failed"}, haproxyReload},
		{[]string{"backend-down"}, backends},
		{[]string{"vrrp-blocked"}, vrrp},
		{[]string{"virtual-ip-twice", "virtual-ip-missing"}, virtualIP},
		{[]string{notHealthy}, unexplained},
	}
}

// IDs lists every kind of finding there is, in the order of the rules.
func IDs() []string {
	var list []string
	for _, r := range rules() {
		list = append(list, r.ids...)
	}
	return list
}

// Diagnose applies every rule to the facts and puts symptoms under their causes. Pure computation.
func Diagnose(f Facts) Diagnosis {
	d := Diagnosis{Cluster: f.Spec.Cluster, Time: f.Time, HostsTotal: len(f.Hosts),
		Hosts:    len(f.answering()),
		Problems: append([]string{}, f.Problems...), Findings: []Finding{}, Unknown: f.Unknown}
	var found []Finding
	if f.StateTrouble != "" {
		f.Drift = withoutState(f.Drift)
	}
	for _, r := range rules() {
		found = append(found, r.look(f)...)
	}
	found = explained(found)
	if f.StateTrouble != "" {
		withoutApply(found)
	}
	for i := range found {
		found[i].Fixable = fixable(found[i].Remedy)
		if found[i].Evidence == nil {
			found[i].Evidence = []string{}
		}
		if found[i].Remedy == nil {
			found[i].Remedy = []Step{}
		}
	}
	d.Findings = append(d.Findings, fold(found)...)
	d.Healthy = len(d.Errors()) == 0 && len(d.Problems) == 0
	return d
}

// What follows when a program of one host does not work. The symptoms are spelled out by program,
// because one that works among them has a problem of its own.

func etcdSymptoms(host string) []symptom {
	return []symptom{{"etcd-not-answering", host, ""}, {"unit-failed", host, layout.EtcdUnit},
		{"etcd-quorum-lost", "", ""}, {"patroni-cut-from-etcd", host, ""},
		{"configuration-not-loaded", host, layout.EtcdUnit}, {"etcd-member-missing", "", host}}
}

func patroniSymptoms(host string) []symptom {
	return []symptom{{"patroni-not-answering", host, ""}, {"patroni-cut-from-etcd", host, ""},
		{"unit-failed", host, layout.PatroniUnit}, {"unit-stopped", host, layout.WatchUnit},
		{"unit-failed", host, layout.WatchUnit}, {"unit-stopped", host, layout.FailoverUnit},
		{"unit-failed", host, layout.FailoverUnit},
		{"backend-down", host, ""}, {"no-primary", "", ""},
		{"configuration-not-loaded", host, layout.PatroniUnit},
		{"postgres-start-failed", host, ""}}
}

func postgresSymptoms(host string) []symptom {
	return []symptom{{"postgres-not-answering", host, ""}, {"postgres-start-failed", host, ""},
		{"replica-not-streaming", host, ""}, {"replica-on-old-timeline", host, ""},
		{"replica-lags", host, ""},
		{"replication-login-fails", host, ""}, {"backend-down", host, ""}, {"no-primary", "", ""},
		{"slot-inactive", "", slotOf(host)}, {"synchronous-standby-missing", "", ""}}
}

// databaseSymptoms is what follows when Patroni, and with it PostgreSQL, does not run.
func databaseSymptoms(host string) []symptom {
	return append(patroniSymptoms(host), postgresSymptoms(host)...)
}

func balancerSymptoms(host string) []symptom {
	return []symptom{{"haproxy-not-answering", host, ""}, {"unit-failed", host, layout.HAProxyUnit},
		{"virtual-ip-missing", "", ""}, {"configuration-not-loaded", host, layout.HAProxyUnit}}
}

// keepalivedSymptoms leaves a second holder out: keepalived takes its address away when it ends or
// its check fails.
func keepalivedSymptoms(host string) []symptom {
	return []symptom{{"unit-failed", host, layout.KeepalivedUnit}, {"virtual-ip-missing", "", ""},
		{"configuration-not-loaded", host, layout.KeepalivedUnit}}
}

// unitSymptoms is what follows when a unit does not run.
func unitSymptoms(host, unit string) []symptom {
	switch unit {
	case layout.EtcdUnit:
		return etcdSymptoms(host)
	case layout.PatroniUnit:
		return databaseSymptoms(host)
	case layout.HAProxyUnit:
		return balancerSymptoms(host)
	case layout.KeepalivedUnit:
		return keepalivedSymptoms(host)
	}
	return nil
}

// slotOf is the name that Patroni gives the replication slot of a member: here only a mark, because
// facts hold hosts. Slots of members are told apart by retention.
func slotOf(host string) string { return "member:" + host }

// journal returns the lines of a unit's journal that report trouble, the last few, as evidence.
func (h *Host) journal(unit string, lines int) []string {
	var list []string
	for _, l := range h.Journals[unit] {
		lower := strings.ToLower(l)
		if strings.Contains(lower, "ignoring: no data") {
			continue // systemd's complaint of a container, of no meaning
		}
		if slices.ContainsFunc([]string{"error", "fail", "fatal", "panic", "denied", "refused",
			"cannot",
			"alert", "invalid", "bad ", "timed out"},
			func(word string) bool { return strings.Contains(lower, word) }) {
			list = append(list, "journal of "+unit+": "+clip(l))
		}
	}
	return list[max(0, len(list)-lines):]
}

func clip(s string) string {
	const limit = 240
	if len(s) > limit {
		return s[:limit] + "..."
	}
	return s
}
