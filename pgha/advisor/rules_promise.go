package advisor

import (
	"fmt"
	"time"

	"github.com/pgha/toolkit/internal/bytesize"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/spec"
)

// failoverPromise: the loss of the leader's host against what is promised.
func (in input) failoverPromise() []Remark {
	promise, took := in.SLO.Failover, in.clock.hostLost()
	if !in.several() || promise == 0 || took.Worst <= promise {
		return nil
	}
	severity, what := Note, "a failover may take longer than promised"
	if took.Typical > promise {
		severity, what = Warning, "a failover usually takes longer than promised"
	}
	return remark("failover-slo", severity, what,
		fmt.Sprintf(
			"slo.failover is %s; the loss of the leader's host takes %s, at worst %s (ttl %s and "+
				"the arithmetic of status --explain)", sec(promise), sec(took.Typical),
			sec(took.Worst),
			sec(in.Patroni.TTL)), in.failsOverSooner()+", or a longer slo.failover")
}

// failsOverSooner is what shortens the loss of the leader's host. Without commits that wait for a
// replica nothing may be done before the lease ends.
func (in input) failsOverSooner() string {
	if in.clock.suspect == 0 && in.Patroni.SynchronousMode != spec.SynchronousOff &&
		len(in.Databases()) >= 3 {
		return "patroni.fast_failover: {suspect_after: 3s}"
	}
	return "patroni.profile: fast"
}

// crashPromise: the time that a crashed primary is given against what is promised.
func (in input) crashPromise() []Remark {
	promise := in.SLO.Failover
	if !in.several() || promise == 0 || in.clock.start <= promise {
		return nil
	}
	took := in.clock.postgresKilled()
	severity := Note
	if took.Typical > promise {
		severity = Warning
	}
	return remark("crash-slo", severity,
		"a crashed PostgreSQL may recover for longer than promised before a replica takes over",
		fmt.Sprintf("slo.failover is %s; primary_start_timeout lets it try for %s, usually %s "+
			"are enough",
			sec(promise), sec(in.clock.start), sec(took.Typical)),
		fmt.Sprintf("patroni.primary_start_timeout: %s or less, or patroni.profile: fast",
			sec(promise/2)))
}

// switchoverPromise: a planned change against what is promised.
func (in input) switchoverPromise() []Remark {
	promise, took := in.SLO.Switchover, in.clock.switchover()
	if !in.several() || promise == 0 || took.Typical <= promise {
		return nil
	}
	return remark("switchover-slo", Warning, "a switchover usually takes longer than promised",
		fmt.Sprintf("slo.switchover is %s; it takes %s, at worst %s", sec(promise),
			sec(took.Typical),
			sec(took.Worst)), fmt.Sprintf("slo.switchover: %s", sec(took.Worst)))
}

// lossPromise: no row may be lost, and no commit waits for a replica.
func (in input) lossPromise() []Remark {
	p := in.Patroni
	if !in.several() || p.SynchronousMode != spec.SynchronousOff || in.SLO.Failover == 0 ||
		in.SLO.LostRows > 0 {
		return nil
	}
	return []Remark{{ID: "loss-slo", Severity: Note,
		What: "the loss of the leader may cost its last transactions",
		Why: fmt.Sprintf(
			"slo.lost_rows is 0; synchronous_mode off lets a replica be promoted that is up to "+
				"maximum_lag_on_failover %s behind, and more that Patroni has not heard of",
			bytesize.Text(p.MaximumLagOnFailover)),
		Set: errs.Text("patroni.synchronous_mode: quorum (%s), which costs each commit a "+
			"round trip between hosts", errs.Verb("sync", "quorum"))}}
}

// doublePrimary: a primary that is cut off must have stopped before its lock runs out.
func (in input) doublePrimary() []Remark {
	if !in.several() {
		return nil
	}
	stop, slowest := in.clock.cutOffOld(), in.slowestSync()
	left := in.clock.ttl - stop.Worst - slowest
	if left >= time.Second/2 {
		return nil
	}
	why := fmt.Sprintf("ttl is %s; loop_wait %s + retry_timeout %s", sec(in.clock.ttl),
		sec(in.clock.loop),
		sec(in.clock.retry))
	if in.clock.failsafe {
		why += fmt.Sprintf(" + %s for failsafe_mode", sec(failsafeTimeout))
	}
	why += " + 1s to stop PostgreSQL"
	if slowest > 0 {
		why += fmt.Sprintf(" + %s of etcd's disk (measured)", ms(slowest))
	}
	return remark("double-primary", Warning,
		"a primary that is cut off from etcd may still take writes when another one begins to",
		why+fmt.Sprintf(" leave %s of it", sec(left)),
		fmt.Sprintf("patroni.ttl: %g or more, or a shorter patroni.loop_wait",
			(in.clock.ttl+time.Second-left).Round(time.Second).Seconds()))
}

// balancerSlow: HAProxy must have given up a dead primary before there is a new one.
func (in input) balancerSlow() []Remark {
	if !in.several() || !in.clock.balanced {
		return nil
	}
	gone, lock := 2*in.clock.check+checkFast+checkTook, in.clock.ttl-in.clock.loop
	from := "the lock may run out %s after the primary's last sign (ttl - loop_wait)"
	if in.clock.suspect > 0 && in.clock.suspect < lock {
		lock, from = in.clock.suspect, "its lock may be taken away %s after its last sign "+
			"(fast_failover)"
	}
	if gone <= lock {
		return nil
	}
	return remark("balancer-slow", Warning, "HAProxy may still send sessions to a dead primary "+
		"when there is a new one",
		fmt.Sprintf(
			"balancer.check_interval %s: two failed checks and what is between them take up to "+
				"%s; "+from, sec(in.clock.check), sec(gone), sec(lock)),
		fmt.Sprintf("balancer.check_interval: %s or less", sec(lock/4)))
}

// electionSlow: Patroni must bear an election of etcd's.
func (in input) electionSlow() []Remark {
	elect := 4 * in.clock.election
	if elect <= in.clock.retry {
		return nil
	}
	return remark("etcd-election-slow", Warning, "an election of etcd's may cost the primary its "+
		"leadership",
		fmt.Sprintf(
			"etcd.election_timeout %s: an election takes up to %s, and twice that after a split "+
				"vote; Patroni gives up after retry_timeout %s", sec(in.clock.election),
			sec(elect/2),
			sec(in.clock.retry)),
		fmt.Sprintf("etcd.election_timeout: %s or less, or a longer patroni.retry_timeout",
			sec(in.clock.retry/4)))
}
