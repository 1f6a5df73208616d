package advisor

import "time"

// balancerLost: the holder of the address falls silent.
func (c clock) balancerLost() Timing {
	return timing("the balancer that holds the address is lost",
		"sessions through it are lost, and an application notices by its own time-outs or TCP "+
			"keepalive",
		even("keepalived misses adverts", 2*c.advert+c.skew, 3*c.advert+c.skew,
			"VRRP version 3 (RFC 5798): three advert_intervals and the skew of the next "+
				"balancer's priority, since the last advert"),
		moving())
}

// locksOfTheDead: what a balancer's sessions hold when it falls silent.
func (c clock) locksOfTheDead() Timing {
	asking := time.Duration(c.count) * c.interval
	return timing("a balancer is lost: row locks of its sessions are free",
		"sessions that wait for their client, idle in transaction; where an answer is under way "+
			"tcp_user_timeout counts",
		even("PostgreSQL's host asks the client and hears nothing", asking, c.idle+asking,
			"tcp_keepalives_idle since the last sign, then tcp_keepalives_count questions "+
				"tcp_keepalives_interval apart (tcp(7))"))
}

// haproxyKilled: systemd has it back before keepalived counts three failures.
func (c clock) haproxyKilled() Timing {
	return timing("HAProxy is killed on the balancer that holds the address",
		"systemd starts it again and the address stays; sessions through it are lost",
		TimingPart{"systemd starts it", restartDelay, 250 * time.Millisecond,
			500 * time.Millisecond,
			"RestartSec=100ms of its unit; measured 0.24 and 0.31 s"},
		TimingPart{"HAProxy comes up", 50 * time.Millisecond, 150 * time.Millisecond,
			500 * time.Millisecond,
			"measured 0.08 and 0.18 s"},
		even("it checks all members once", 0, c.check+checkTook,
			"inter: the first checks are spread over one; until then nobody gets a session"))
}

// haproxyGone: it does not come back.
func (c clock) haproxyGone() Timing {
	// The last asking of a run is followed by a pause until the next run.
	pause := checkEvery - (askRun-1)*askGap
	least := (askFall - 1) * askGap
	return timing("HAProxy stops on the balancer that holds the address, and stays away", "",
		even("keepalived's check fails", least, least+pause,
			"check_haproxy.sh asks four times 0.2 s apart, every second, and three failures in a "+
				"row count"),
		fixed("the next balancer takes over", c.skew,
			"VRRP version 3: the holder says that it resigns, and only the skew is waited for; "+
				"measured 0.13 s"),
		moving())
}

func moving() TimingPart {
	return TimingPart{"the address moves", 0, 50 * time.Millisecond, 200 * time.Millisecond,
		"gratuitous ARP at once"}
}
