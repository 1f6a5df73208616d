package advisor

import (
	"fmt"
	"time"

	"github.com/pgha/toolkit/pgha/spec"
)

// hostLost is the loss of the leader's host: nobody gives the lock back, so it has to run out.
func (c clock) hostLost() Timing {
	if c.suspect > 0 {
		return timing("the leader's host is lost, etcd is led from elsewhere",
			"fast_failover: every voter and more than half of the members have to agree; else the "+
				"lock has to run out",
			c.fenced()...)
	}
	return timing("the leader's host is lost, etcd is led from elsewhere",
		"the usual case: etcd's leadership leaves the primary's host by itself after every "+
			"change of role",
		c.takeover(c.leaseLeft("the lock"), c.race(probeTimeout))...)
}

// hostLostWithEtcd: etcd has to elect first, and its new leader gives every lease its full time
// again.
func (c clock) hostLostWithEtcd() Timing {
	if c.suspect > 0 {
		return timing("the leader's host is lost, and it led etcd, too",
			"fast_failover: etcd elects a leader meanwhile", c.fenced()...)
	}
	elect := even("etcd elects a leader", c.election, 2*c.election,
		"raft: a member stands for election after one to two election_timeouts without its "+
			"leader; a split vote, which is rare, adds as much again")
	lease := fixed("the lock runs out", c.ttl+c.election,
		"etcd, lessor.go, Promote: a new leader gives each lease its ttl again, and one "+
			"election_timeout more")
	return timing("the leader's host is lost, and it led etcd, too", "",
		append([]TimingPart{elect}, c.takeover(lease, c.race(probeTimeout))...)...)
}

// fenced is a takeover that does not wait for the lease: the fences refuse what the race asks of
// the lost host, so that it costs nothing.
func (c clock) fenced() []TimingPart {
	const look = 250 * time.Millisecond
	silent := even("nothing comes from the host", c.suspect, c.suspect+look,
		"suspect_after from the last sign of life, and how long a look takes")
	agree := even("the voters fence it, and its lock is taken away", look, 2*time.Second,
		"four transactions in etcd, one after the other; a second more where etcd elects")
	return append([]TimingPart{silent, agree, c.race(100 * time.Millisecond), promotion()},
		c.routeToNew()...)
}

// postgresKilled depends on what is preferred: failing over at once, or PostgreSQL's own recovery.
func (c clock) postgresKilled() Timing {
	const fault = "PostgreSQL is killed on the leader"
	notice := TimingPart{"Patroni notices", 0, min(100*time.Millisecond, c.loop), c.loop,
		"the watcher on the host wakes it at the end of the process; should that fail, it looks " +
			"once in loop_wait"}
	release := TimingPart{"Patroni gives the lock back", 100 * time.Millisecond,
		150 * time.Millisecond,
		500 * time.Millisecond, "measured 0.13 s"}
	if c.start == 0 {
		parts := []TimingPart{notice, release, c.race(100 * time.Millisecond), promotion()}
		return timing(fault, "primary_start_timeout is 0: a replica takes over at once",
			append(parts, c.routeFromLiving()...)...)
	}
	recover := TimingPart{"PostgreSQL recovers in place", 300 * time.Millisecond, time.Second,
		c.start,
		"as long as replaying the WAL since the last checkpoint takes, or primary_start_timeout"}
	instead := TimingPart{"else a replica takes over", 0, 0,
		c.loop + release.Max + c.race(probeTimeout).Max + promotion().Max,
		"only then: Patroni looks once in loop_wait, gives the lock back, the replicas race for " +
			"it and one is promoted"}
	return timing(fault,
		fmt.Sprintf(
			"primary_start_timeout is %gs: a recovery that ends within it loses nothing and "+
				"changes no leader",
			c.start.Seconds()),
		append([]TimingPart{notice, recover, instead}, c.routeToNew()...)...)
}

// patroniStopped is a clean stop of Patroni's unit, or of the host.
func (c clock) patroniStopped() Timing {
	parts := []TimingPart{stopping(), c.race(time.Second), promotion()}
	return timing("Patroni is stopped on the leader",
		"a shutdown checkpoint that takes longer than a second comes on top",
		append(parts, c.routeToNew()...)...)
}

// switchover is a planned change of the leader.
func (c clock) switchover() Timing {
	parts := []TimingPart{stopping(), c.race(100 * time.Millisecond), promotion()}
	return timing("planned switchover",
		"a checkpoint is written before it begins, so that PostgreSQL stops within a second",
		append(parts, c.routeToNew()...)...)
}

// cutOffOld: the former primary must have stopped before there can be a new one.
func (c clock) cutOffOld() Timing {
	parts := []TimingPart{
		even("Patroni is to renew its lock", 0, c.loop, "once in loop_wait"),
		fixed("it tries again and again", c.retry, "retry_timeout"),
	}
	after := c.loop + c.retry
	if c.failsafe {
		parts = append(parts, TimingPart{"it asks the other members whether it may stay", 0,
			failsafeTimeout, failsafeTimeout, "failsafe_mode; Patroni, ha.py, " +
				"call_failsafe_member: timeout=2"})
		after += failsafeTimeout
	}
	stop := TimingPart{"PostgreSQL ends all sessions", 50 * time.Millisecond,
		100 * time.Millisecond,
		time.Second, "a fast shutdown, then it is started again read-only"}
	parts = append(parts, stop)
	note := fmt.Sprintf(
		"the lock runs out %gs after it was last renewed, and this takes at most %gs from then: "+
			"%gs in between keep two primaries apart",
		c.ttl.Seconds(), (after + stop.Max).Seconds(), (c.ttl - after - stop.Max).Seconds())
	if c.failsafe {
		note += "; if every member answers, it stays the primary (failsafe_mode)"
	}
	return timing("the primary is cut off from etcd: the old one takes no more writes", note,
		parts...)
}

// cutOffNew is the other side of the same.
func (c clock) cutOffNew() Timing {
	if c.suspect > 0 {
		return timing("the primary is cut off from etcd: a new one takes writes",
			"fast_failover: a primary that balancers still reach keeps them from the new one until "+
				"it has given up, as in the row before",
			c.fenced()...)
	}
	return timing("the primary is cut off from etcd: a new one takes writes",
		"as when its host is lost; if its host led etcd, that row applies",
		c.takeover(c.leaseLeft("the lock"), c.race(probeTimeout))...)
}

// replicaLost is what readers wait for, and what writers wait for under each synchronous mode.
func (c clock) replicaLost() []Timing {
	var rows []Timing
	if c.balanced {
		silence := checkFall*c.check + (checkFall-1)*checkFast
		rows = append(rows, timing("a replica's host is lost: its readers are cut off and go "+
			"elsewhere", "",
			even("HAProxy's next check", 0, c.check, "inter"),
			fixed("two checks run into their time-outs", silence,
				"fall 2, each bounded by inter while it connects, fastinter between them")))
	}
	return append(rows,
		c.writersWait(spec.SynchronousOff,
			"no commit waits for a replica; the last ones are lost when the leader is lost "+
				"before it has sent them"),
		c.writersWait(spec.SynchronousOn,
			"only if it was the synchronous one; without any other replica writes go on alone",
			c.replaced()...),
		c.writersWait(spec.SynchronousStrict,
			"only if it was the synchronous one; without any other replica writes stop until one "+
				"is back",
			c.replaced()...),
		c.writersWait(spec.SynchronousQuorum, "any other replica confirms commits as well"))
}

func (c clock) writersWait(mode spec.SynchronousMode, note string, parts ...TimingPart) Timing {
	if mode == c.mode {
		note = "the mode of this cluster; " + note
	}
	return timing(fmt.Sprintf("a replica's host is lost: writers wait, synchronous_mode %s", mode),
		note, parts...)
}

// replaced: the leader chooses another synchronous replica once the lost one's key is gone. Its
// connection would be missed much later (wal_sender_timeout, 60 s).
func (c clock) replaced() []TimingPart {
	return []TimingPart{
		c.leaseLeft("its key"),
		leaseNoticed(),
		even("Patroni on the leader looks", 0, c.loop,
			"once in loop_wait; a member's key that goes does not wake it"),
		{"another replica becomes the synchronous one", 50 * time.Millisecond,
			100 * time.Millisecond,
			time.Second, "a reload of PostgreSQL and a confirmation"},
	}
}
