package monitoring

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/pgha/spec"
)

// severity is how soon somebody has to look.
type severity string

const (
	critical severity = "critical" // now: applications are cut off, or the next fault does it
	warning  severity = "warning"  // today: something is lost that nobody notices yet
	info     severity = "info"     // somebody has begun something and not finished it
)

// rule is an alert. In expr "{}" stands for the cluster's own series, "{x}" for those of them with
// x; JOB for the cluster's name before a job's.
type rule struct {
	name     string
	expr     string
	lasting  string // for how long it has to be so
	severity severity
	summary  string
}

type ruleFile struct {
	Groups []ruleGroup `yaml:"groups"`
}

type ruleGroup struct {
	Name  string      `yaml:"name"`
	Rules []alertRule `yaml:"rules"`
}

type alertRule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// Rules returns alert rules for what Scrape scrapes, in YAML, as rule_files of Prometheus takes
// them. They ask for the series of this cluster alone; their labels are cluster, severity
// (critical, warning, info) and, where it is about one, host. The same specification gives the same
// bytes. The error matches ErrOff.
func Rules(sp *spec.Spec) ([]byte, error) {
	if err := on(sp); err != nil {
		return nil, err
	}
	all := append(patroniRules(sp), etcdRules(sp)...)
	if len(sp.Balancers()) > 0 {
		all = append(all, balancerRules(sp)...)
	}
	group := ruleGroup{Name: sp.Cluster}
	// A name is letters, digits, dots, hyphens and underscores: spec refuses others.
	own := `cluster="` + sp.Cluster + `"`
	with := strings.NewReplacer("{}", "{"+own+"}", "{", "{"+own+",", "JOB", sp.Cluster)
	for _, r := range all {
		group.Rules = append(group.Rules, alertRule{Alert: r.name, Expr: with.Replace(r.expr),
			For:    r.lasting,
			Labels: map[string]string{"severity": string(r.severity), "cluster": sp.Cluster},
			// What Prometheus fills in is no series.
			Annotations: map[string]string{"summary": sp.Cluster + ": " + r.summary}})
	}
	return render("alerts of the cluster "+sp.Cluster, ruleFile{[]ruleGroup{group}})
}

const onHost = " on {{ $labels.host }}"

func patroniRules(sp *spec.Spec) []rule {
	rules := []rule{
		{"PghaPatroniDown", `up{job="JOB-patroni"} == 0`, "1m", critical,
			"Patroni" + onHost + " does not answer: the host is down, or Patroni"},
		{"PghaNoLeader", `sum by (cluster) (patroni_primary{}) == 0`, "30s", critical,
			"no member leads: nobody takes writes"},
		{"PghaTwoPrimaries", `sum by (cluster) (patroni_primary{}) > 1`, "1m", critical,
			"more than one member calls itself primary"},
		{"PghaPostgreSQLDown", `patroni_postgres_running{} == 0`, "1m", critical,
			"PostgreSQL" + onHost + " does not run"},
		{"PghaEtcdOutOfReach", `time() - patroni_dcs_last_seen{} > 60`, "30s", critical,
			"Patroni" + onHost + " has not reached etcd for a minute"},
		{"PghaFailsafeMode", `patroni_failsafe_mode_is_active{} == 1`, "30s", critical,
			"etcd is out of reach, and the primary goes on in failsafe mode"},
		// Hosts are scraped at different moments: what the primary had written 30 s ago the replica
		// should have.
		{"PghaReplicaLags", `max by (cluster) (patroni_xlog_location{} offset 30s) - on (cluster) ` +
			`group_right () (patroni_xlog_replayed_location{} and patroni_replica{} == 1) > ` +
			strconv.FormatInt(max(sp.Patroni.MaximumLagOnFailover, 1<<20), 10), "5m", warning,
			"the replica" + onHost + " is more bytes of WAL behind than maximum_lag_on_failover " +
				"allows: it cannot take over"},
		{"PghaReplicaDoesNotStream",
			`patroni_postgres_streaming{} == 0 and patroni_replica{} == 1`, "5m", warning,
			"the replica" + onHost + " does not stream"},
		{"PghaPaused", `patroni_is_paused{} == 1`, "1h", warning,
			"Patroni has been paused for an hour: no failover happens"},
		{"PghaPendingRestart", `patroni_pending_restart{} == 1`, "1h", info,
			"settings of PostgreSQL" + onHost + " have waited for a restart for an hour"},
	}
	if sp.Patroni.SynchronousMode != spec.SynchronousOff {
		rules = append(rules, rule{"PghaNoSynchronousStandby",
			`sum by (cluster) (patroni_sync_standby{} + patroni_quorum_standby{}) == 0`, "2m",
			warning, "commits wait for no replica, or for one that is not there"})
	}
	return rules
}

func etcdRules(sp *spec.Spec) []rule {
	quorum := len(sp.EtcdHosts())/2 + 1
	return []rule{
		{"PghaEtcdDown", `up{job="JOB-etcd"} == 0`, "1m", critical,
			"etcd" + onHost + " does not answer"},
		{"PghaEtcdNoQuorum", fmt.Sprintf(`sum by (cluster) (up{job="JOB-etcd"}) < %d`, quorum),
			"30s", critical, "fewer members of etcd answer than make a quorum"},
		{"PghaEtcdNoLeader", `etcd_server_has_leader{} == 0`, "30s", critical,
			"etcd" + onHost + " knows no leader"},
		{"PghaEtcdLeaderChanges", `increase(etcd_server_leader_changes_seen_total{}[15m]) >= 4`,
			"0s", warning, "etcd" + onHost + " has changed its leader four times in 15 minutes: " +
				"disks or network are slow"},
		{"PghaEtcdFull", `etcd_mvcc_db_total_size_in_bytes{} / ` +
			`etcd_server_quota_backend_bytes{} > 0.8`, "5m", critical,
			"etcd's database" + onHost + " is at 80 % of its quota: at 100 % it takes no writes"},
		{"PghaEtcdSlowDisk", `histogram_quantile(0.99, ` +
			`rate(etcd_disk_wal_fsync_duration_seconds_bucket{}[5m])) > 0.5`, "5m", warning,
			"one write in a hundred of etcd" + onHost + " takes more than half a second on the disk"},
	}
}

func balancerRules(sp *spec.Spec) []rule {
	rules := []rule{
		{"PghaHAProxyDown", `up{job="JOB-haproxy"} == 0`, "1m", critical,
			"HAProxy" + onHost + " does not answer"},
		{"PghaBalancerWithoutPrimary", `sum by (cluster, host) ` +
			`(haproxy_server_status{proxy="postgres_write",state="UP"}) == 0`, "30s", critical,
			"HAProxy" + onHost + " finds no primary: it takes no writes"},
		{"PghaBalancerWithTwoPrimaries", `sum by (cluster, host) ` +
			`(haproxy_server_status{proxy="postgres_write",state="UP"}) > 1`, "30s", critical,
			"HAProxy" + onHost + " finds more than one primary, and takes no writes"},
		{"PghaBalancerNearlyFull", `haproxy_frontend_current_sessions{proxy=~"postgres_.*"} / ` +
			`haproxy_frontend_limit_sessions{proxy=~"postgres_.*"} > 0.8`, "5m", warning,
			"HAProxy" + onHost + " has 80 % of the sessions that {{ $labels.proxy }} allows"},
	}
	if len(sp.Databases()) > 1 {
		rules = append(rules, rule{"PghaBalancerWithoutReplica", `sum by (cluster, host) ` +
			`(haproxy_server_status{proxy="postgres_read",state="UP",server!~".*:primary"}) == 0`,
			"5m", warning, "HAProxy" + onHost + " finds no replica for reads"})
	}
	if len(sp.Balancers()) > 1 {
		rules = append(rules, rule{"PghaLastBalancer",
			`sum by (cluster) (up{job="JOB-haproxy"}) == 1`, "1m", critical,
			"a single balancer is left: with it the address is gone"})
	}
	return rules
}
