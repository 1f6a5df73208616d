package drill

import (
	"context"
	"slices"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/patroni"
)

// Scenario is something that can be practised.
type Scenario struct {
	// Name is what the scenario is called on the command line, Title for people.
	Name  string `json:"name"`
	Title string `json:"title"`
	// Does says what is broken, Holds what the cluster has to make of it.
	Does  string `json:"does"`
	Holds string `json:"holds"`
	// Safe scenarios may run on a cluster that is not a lab: they cost no more than the failover
	// that it is built for, put nobody's session on two primaries and need no hands at the console.
	Safe bool `json:"safe"`
	// Synchronous is the mode that the scenario is about; "" takes the cluster's.
	Synchronous patroni.SynchronousMode `json:"synchronous,omitempty"`
	// FastFailover scenarios are about the agents of patroni.fast_failover, and refused without it.
	FastFailover bool `json:"fast_failover,omitempty"`
	// Pooled scenarios are about the poolers: the writer and the reader come through them, and they
	// are refused without any.
	Pooled bool   `json:"pooled,omitempty"`
	Expect Expect `json:"expect"`

	// prepare, which may be nil, makes what the fault needs; cause calls experiment.begin, and
	// returns when the fault is made.
	prepare, cause func(context.Context, *experiment) error
	// lasts is for how long the fault is left; nil is until writes flow again.
	lasts func(*pgha.Spec) time.Duration
}

var (
	failover     = Expect{Writes: WithinFailover}
	nobodyMoves  = Expect{Writes: WithinFailover, SameLeader: true}
	withoutWrite = Expect{Writes: MustStop, SameLeader: true}
	// somebodyWaits for a host that is gone.
	somebodyWaits = Expect{Writes: WithinFailover, SameLeader: true, WaitSeconds: deadPeerSeconds}
)

// stoodStill holds for a host that stands still, however long.
const stoodStill = "whoever leads in the end has every row, and never two members take writes"

// Fits tells whether the scenario can be practised on a cluster of this specification: it is about
// nothing that the cluster does not have.
func (s Scenario) Fits(sp *pgha.Spec) bool {
	return (!s.FastFailover || sp.Patroni.FastFailover.SuspectAfter > 0) &&
		(!s.Pooled || sp.Pooler != nil)
}

// Scenarios returns everything that can be practised, in the order of --all.
func Scenarios() []Scenario { return slices.Clone(scenarios[:]) }

var scenarios = [...]Scenario{
	{Name: "switchover", Title: "planned switchover", Safe: true,
		Expect: Expect{Writes: WithinSwitchover},
		cause:  switchover,
		Does:   "moves the leadership to the replica that Patroni picks",
		Holds: "writes are away for slo.switchover at most, and no row is lost in any " +
			"synchronous mode"},
	{Name: "postgres-killed", Title: "postgres killed", Safe: true, Expect: failover,
		cause: killPostgres,
		Does:  "kills the leader's postmaster (SIGKILL)",
		Holds: "PostgreSQL is started again in place, or a replica takes over"},
	{Name: "patroni-killed", Title: "Patroni killed", Safe: true, Expect: nobodyMoves,
		cause: killPatroni,
		lasts: oneLoop,
		Does:  "kills the leader's Patroni (SIGKILL); PostgreSQL goes on",
		Holds: "systemd starts Patroni again before its lock has run out, and nobody is promoted"},
	{Name: "patroni-frozen", Title: "Patroni frozen", Expect: failover, cause: freezePatroni,
		lasts: expiry,
		Does:  "stops the leader's Patroni (SIGSTOP) for longer than ttl; PostgreSQL goes on",
		Holds: "a replica takes over, and the former leader acknowledges no row any more"},
	{Name: "patroni-stopped", Title: "Patroni stopped", Safe: true, Expect: failover,
		cause: stopPatroni,
		Does:  "stops the leader's Patroni (systemctl stop), which stops its PostgreSQL in order",
		Holds: "a replica takes over at once, with every row"},
	{Name: "leader-power", Title: "leader's power lost", Expect: failover, cause: leaderPower,
		Does:  "takes the power of the leader's host, while another host leads etcd",
		Holds: "a replica takes over when the lock has run out"},
	{Name: "leader-power-etcd", Title: "power of the leader lost, which leads etcd as well",
		Expect: failover, prepare: etcdToLeader, cause: leaderPower,
		Does: "moves etcd's leadership to the leader's host, and takes its power",
		Holds: "a replica takes over, some seconds later than otherwise: etcd elects first and " +
			"renews every lease"},
	{Name: "leader-partitioned", Title: "leader cut from the other databases, not from its clients",
		Expect: failover, cause: partition, lasts: expiry,
		Does: "drops everything between the leader's host and the other database hosts; the " +
			"balancers still reach all of them", Holds: "the leader gives up before another one " +
			"takes over"},
	{Name: "leader-isolated", Title: "leader cut from everybody", Expect: failover,
		cause: isolate, lasts: expiry,
		Does: "drops everything between the leader's host and all other hosts, balancers among " +
			"them", Holds: "the leader gives up before another one takes over, or can complete " +
			"no commit"},
	{Name: "leader-deaf", Title: "leader hears nothing from the other databases",
		Expect: failover, cause: deafen, lasts: expiry,
		Does: "drops what comes from the other database hosts to the leader's, and not what it " +
			"sends", Holds: "a replica takes over, and no commit is lost"},
	{Name: "leader-mute", Title: "the other databases hear nothing from the leader",
		Expect: failover, cause: silence, lasts: expiry,
		Does: "drops what the leader's host sends to the other database hosts, and not what " +
			"comes", Holds: "a replica takes over, and no commit is lost"},
	{Name: "leader-stalls", Title: "leader's host stands still for a second",
		Expect: nobodyMoves, cause: freezeLeader, lasts: seconds(1),
		Does:  "stops the cluster's programs on the leader's host and all its packets for 1 s",
		Holds: "nobody is promoted"},
	{Name: "leader-frozen-2s", Title: "leader's host stands still for 2 s", Expect: failover,
		cause: freezeLeader, lasts: seconds(2), Does: "the same for 2 s", Holds: stoodStill},
	{Name: "leader-frozen-4s", Title: "leader's host stands still for 4 s", Expect: failover,
		cause: freezeLeader, lasts: seconds(4), Does: "the same for 4 s", Holds: stoodStill},
	{Name: "leader-frozen-8s", Title: "leader's host stands still for 8 s", Expect: failover,
		cause: freezeLeader, lasts: seconds(8), Does: "the same for 8 s", Holds: stoodStill},
	{Name: "leader-frozen-30s", Title: "leader's host stands still for 30 s", Expect: failover,
		cause: freezeLeader, lasts: seconds(30), Does: "the same for 30 s", Holds: stoodStill},
	{Name: "leader-power-degraded", Title: "leader's power lost while a replica is gone",
		Expect: failover, cause: leaderPowerDegraded,
		Does: "kills Patroni and PostgreSQL of one replica, waits until no commit waits for it, " +
			"and takes the power of the leader's host",
		Holds: "the other replica takes over, with every row"},
	{Name: "leader-and-replica-power", Title: "power of leader and one replica lost",
		Expect: Expect{Writes: UntilMended}, cause: leaderAndReplicaPower, lasts: expiry,
		Does: "takes the power of the leader's host and of one replica's at the same time",
		Holds: "no row is lost; of three hosts the one that is left is no majority, and waits " +
			"for another one"},
	{Name: "agent-killed", Title: "leader's power lost, and an agent killed", Expect: failover,
		FastFailover: true, cause: killAgent,
		Does: "takes the power of the leader's host, and kills the agent of one replica at a " +
			"step of the fast failover that is drawn",
		Holds: "a replica takes over, at the end of the lease at the latest"},
	{Name: "agent-frozen", Title: "leader's power lost, and an agent frozen", Expect: failover,
		FastFailover: true, cause: freezeAgent, lasts: anyLease,
		Does: "the same, with an agent that stops there for longer than every lease",
		Holds: "a replica takes over, at the end of the lease at the latest, and the fence is " +
			"lifted without the agent"},
	{Name: "agents-gone", Title: "leader's power lost without agents", Expect: failover,
		FastFailover: true, cause: stopAgents,
		Does:  "stops the agents of all replicas, and takes the power of the leader's host",
		Holds: "a replica takes over when the lock has run out"},
	{Name: "replica-lost", Title: "replica lost", Safe: true, Expect: nobodyMoves,
		cause: loseReplica, lasts: oneLoop,
		Does: "takes the power of a replica's host; outside a lab its Patroni and PostgreSQL " +
			"are killed",
		Holds: "writes go on, after a moment where they waited for just that replica"},
	{Name: "replicas-lost-off", Title: "both replicas lost, asynchronous", Expect: nobodyMoves,
		Synchronous: patroni.SynchronousOff, cause: loseReplicas, lasts: twoLoops,
		Does: "kills Patroni and PostgreSQL of all replicas", Holds: "writes go on, unprotected"},
	{Name: "replicas-lost-on", Title: "both replicas lost, synchronous on", Expect: nobodyMoves,
		Synchronous: patroni.SynchronousOn, cause: loseReplicas, lasts: twoLoops,
		Does:  "kills Patroni and PostgreSQL of all replicas",
		Holds: "writes go on alone once Patroni has noticed"},
	{Name: "replicas-lost-strict", Title: "both replicas lost, synchronous strict",
		Expect:      withoutWrite,
		Synchronous: patroni.SynchronousStrict, cause: loseReplicas, lasts: twoLoops,
		Does:  "kills Patroni and PostgreSQL of all replicas",
		Holds: "no row is acknowledged until a replica is back"},
	{Name: "replicas-lost-quorum", Title: "both replicas lost, quorum", Expect: nobodyMoves,
		Synchronous: patroni.SynchronousQuorum, cause: loseReplicas, lasts: twoLoops,
		Does:  "kills Patroni and PostgreSQL of all replicas",
		Holds: "writes go on alone once Patroni has noticed"},
	{Name: "etcd-member-lost", Title: "one etcd member lost", Safe: true, Expect: nobodyMoves,
		cause: loseEtcdLeader, lasts: oneLoop,
		Does:  "kills the etcd member that leads etcd and keeps it down",
		Holds: "nobody notices: another member leads etcd within seconds"},
	{Name: "etcd-quorum-lost", Title: "etcd's quorum lost", Expect: nobodyMoves, cause: loseQuorum,
		lasts: expiry,
		Does:  "kills all etcd members but one for longer than ttl",
		Holds: "with failsafe_mode the leader stays, because it reaches every member, and " +
			"writes go on"},
	{Name: "etcd-lost", Title: "etcd's data lost", Expect: nobodyMoves, cause: loseEtcd,
		lasts: oneLoop,
		Does: "kills every etcd member and removes its data; then apply forms etcd again and " +
			"starts Patroni again",
		Holds: "with failsafe_mode the leader stays, apply lets it take the lock first, and no " +
			"row is lost"},
	{Name: "balancer-power", Title: "balancer's power lost", Expect: nobodyMoves,
		cause: balancerPower,
		Does:  "takes the power of the balancer that carries the virtual IP",
		Holds: "another balancer carries the address within seconds"},
	{Name: "balancer-power-locks", Title: "balancer's power lost under a lock",
		Expect: somebodyWaits, prepare: holdLock, cause: balancerPower,
		Does: "takes the power of the balancer that carries the virtual IP, while a transaction " +
			"through it holds a lock and is idle",
		Holds: "PostgreSQL notices that the balancer is gone, and whoever wants the lock gets it " +
			"within half a minute"},
	{Name: "waiting-client", Title: "balancer's power lost under a query",
		Expect: somebodyWaits, prepare: awaitAnswer, cause: balancerPower,
		Does: "takes the power of the balancer that carries the virtual IP, while a client waits " +
			"for the answer of its query",
		Holds: "with the time limits of the connection strings the client has an error within " +
			"half a minute"},
	{Name: "haproxy-killed", Title: "HAProxy killed", Safe: true, Expect: nobodyMoves,
		cause: killHAProxy,
		Does:  "kills HAProxy (SIGKILL) on the balancer that carries the virtual IP",
		Holds: "systemd starts it again, or the address moves"},
	{Name: "keepalived-stopped", Title: "keepalived stopped", Safe: true, Expect: nobodyMoves,
		cause: stopKeepalived,
		Does:  "stops keepalived on the balancer that carries the virtual IP",
		Holds: "another balancer carries the address within seconds"},
	{Name: "switchover-pooled", Title: "planned switchover, clients of the pooler", Safe: true,
		Pooled: true, Expect: Expect{Writes: WithinSwitchover, NoErrors: true},
		cause: switchover,
		Does:  "moves the leadership while the clients of the poolers are held",
		Holds: "no write and no read fails, they wait, for slo.switchover at most"},
	{Name: "pooler-killed", Title: "pooler killed", Safe: true, Pooled: true,
		Expect: nobodyMoves, cause: killPooler,
		Does:  "kills the poolers (SIGKILL) on the balancer that carries the virtual IP",
		Holds: "systemd starts them again, or the address moves"},
	{Name: "pooler-hangs", Title: "pooler hangs", Pooled: true, Expect: nobodyMoves,
		cause: freezePooler,
		Does: "stops the pooler for writes (SIGSTOP) on the balancer that carries the virtual " +
			"IP: the kernel takes connections, and nobody answers",
		Holds: "another balancer carries the address within seconds, and a client that waits for " +
			"an answer notices"},
	{Name: "vrrp-blocked", Title: "VRRP blocked between balancers", Expect: nobodyMoves,
		cause: blockVRRP,
		lasts: oneLoop,
		Does:  "drops keepalived's adverts on the balancer that carries the virtual IP",
		Holds: "two balancers carry the address meanwhile, both lead to the one primary, and one " +
			"is left at the end"},
	{Name: "slow-network", Title: "slow network", Expect: nobodyMoves, cause: slowNetwork,
		lasts: expiry,
		Does: "loses 5 % of the packets between the database hosts, and delays them by 50 ms " +
			"where the kernel can",
		Holds: "nobody is promoted"},
	{Name: "lossy-network", Title: "very bad network", Expect: nobodyMoves, cause: lossyNetwork,
		lasts: expiry, Does: "loses 20 % of the packets between the database hosts",
		Holds: "nobody is promoted"},
	{Name: "disk-full", Title: "leader's disk full", Expect: failover, prepare: smallDisk,
		cause: fillDisk,
		Does: "fills the file system of the leader's WAL, which the drill puts on a small one " +
			"of its own first",
		Holds: "a replica takes over, and the full member comes back when there is room again"},
	{Name: "certificate-expired", Title: "certificate expired", Expect: Expect{Writes: UntilMended},
		prepare: shortCertificate, cause: expire, lasts: oneLoop,
		Does: "gives the leader's REST API a certificate that ends half a minute later, and " +
			"waits for that",
		Holds: "no row is lost, and a renewed certificate is enough: nothing has to be restarted"},
}

func oneLoop(sp *pgha.Spec) time.Duration  { return sp.Patroni.LoopWait + 5*time.Second }
func twoLoops(sp *pgha.Spec) time.Duration { return 2*sp.Patroni.LoopWait + 5*time.Second }
