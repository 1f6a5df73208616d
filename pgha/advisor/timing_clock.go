package advisor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/pgsetting"
	"github.com/pgha/toolkit/pgha/spec"
)

// What the specification does not set. Figures called "measured" are from pgha's lab of six hosts
// on two cores.
const (
	// checkFast, checkDown, checkFall and checkRise are the defaults of lb.Checks, which the facade
	// leaves alone.
	checkFast = 200 * time.Millisecond
	checkDown = 300 * time.Millisecond
	checkFall = 2
	checkRise = 1
	// checkTook is a check's own time, with its TLS handshake: measured 47 to 78 ms.
	checkTook = 100 * time.Millisecond

	// leaseTick is how often etcd looks for leases that have ended (lessor.go, runLoop: 500 ms).
	leaseTick = 500 * time.Millisecond
	// probeTimeout is how long Patroni waits for another member's REST API in the race for the lock
	// (ha.py, fetch_node_status: timeout=2). All members are asked at the same time.
	probeTimeout = 2 * time.Second
	// failsafeTimeout is the same for the question whether it may stay primary without etcd (ha.py,
	// call_failsafe_member).
	failsafeTimeout = 2 * time.Second
	// stopLook is how often Patroni looks whether a PostgreSQL that it stops has stopped, and how
	// long it then lets the replicas catch up if the process still lives (postgresql/__init__.py,
	// STOP_POLLING_INTERVAL; ha.py, on_shutdown).
	stopLook = time.Second

	// restartDelay is RestartSec of HAProxy's unit in package lb.
	restartDelay = 100 * time.Millisecond
	// The check of HAProxy in package vip (check_haproxy.sh): askings of one run are askGap apart,
	// and each run begins checkEvery after the one before; three failures in a row count.
	askGap     = 200 * time.Millisecond
	checkEvery = time.Second
	askRun     = 4
	askFall    = 3
)

// clock holds the times of a specification.
type clock struct {
	ttl, loop, retry, start time.Duration
	suspect                 time.Duration // of a fast failover, 0 without
	failsafe                bool
	mode                    spec.SynchronousMode

	election time.Duration // etcd's

	balanced bool          // there are balancers
	check    time.Duration // HAProxy's, of a server that is up
	advert   time.Duration // keepalived's
	skew     time.Duration // how much longer the balancer waits that takes over

	// PostgreSQL's for a client: how long it is silent before the kernel asks, between two
	// questions, and how many there are; all zero where the kernel's own hold.
	idle, interval time.Duration
	count          int
}

func clockOf(sp *spec.Spec) clock {
	c := clock{
		ttl: sp.Patroni.TTL, loop: sp.Patroni.LoopWait, retry: sp.Patroni.RetryTimeout,
		suspect:  sp.Patroni.FastFailover.SuspectAfter,
		failsafe: sp.Patroni.FailsafeMode, mode: sp.Patroni.SynchronousMode,
		election: sp.Etcd.ElectionTimeout,
		balanced: len(sp.Balancers()) > 0, check: sp.Balancer.CheckInterval,
	}
	if sp.Patroni.PrimaryStartTimeout != nil {
		c.start = *sp.Patroni.PrimaryStartTimeout
	}
	c.keepalive(sp.PostgreSQL)
	if sp.VIP != nil {
		c.advert = sp.VIP.AdvertInterval
		c.skew = skew(sp.Balancers(), c.advert)
	}
	return c
}

// skew is VRRP version 3's Skew_Time, (256 - priority) / 256 of the advert interval (RFC 5798,
// section 6.1), of the balancer with the second highest priority: the one that takes over from the
// first.
func skew(balancers []spec.Host, advert time.Duration) time.Duration {
	priorities := make([]int, len(balancers))
	for i, h := range balancers {
		priorities[i] = h.Priority
	}
	slices.SortFunc(priorities, func(a, b int) int { return cmp.Compare(b, a) })
	if len(priorities) < 2 {
		return 0
	}
	return time.Duration(256-priorities[1]) * advert / 256
}

// keepalives are the defaults of package patroni for PostgreSQL's tcp_keepalives_idle, _interval
// and _count, in seconds and times. kernelKeepalives are Linux's where a setting is 0.
var (
	keepalives       = [3]float64{10, 5, 3}
	kernelKeepalives = [3]float64{7200, 75, 9}
)

// keepalive reads how long the kernel waits for a client that is gone.
func (c *clock) keepalive(pg spec.PostgreSQL) {
	values, settings := keepalives, pgsetting.Of(pg.Version)
	for i, name := range []string{"tcp_keepalives_idle", "tcp_keepalives_interval",
		"tcp_keepalives_count"} {
		for key, value := range pg.Parameters {
			if !strings.EqualFold(key, name) {
				continue
			}
			n, err := settings[name].Number(fmt.Sprint(value))
			if value == nil || err == nil && n == 0 {
				n, err = kernelKeepalives[i], nil
			}
			if err == nil {
				values[i] = n
			}
		}
	}
	seconds := func(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
	c.idle, c.interval, c.count = seconds(values[0]), seconds(values[1]), int(values[2])
}
