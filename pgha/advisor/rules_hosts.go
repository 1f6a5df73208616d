package advisor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/bytesize"
	"github.com/pgha/toolkit/pgha/spec"
)

// Limits that are not of the specification.
const (
	// etcdSync is what etcd's documentation asks of a disk: 99 of 100 writes of the log within 10
	// ms.
	etcdSync = 10 * time.Millisecond
	// idleSlotBytes is how much WAL a slot that nobody reads may keep before it is worth a word:
	// what PostgreSQL keeps anyway (max_wal_size, 1 GB by default).
	idleSlotBytes = 1 << 30
)

// slowestSync is the slowest disk's 99th percentile; 0 when none was measured.
func (in input) slowestSync() time.Duration {
	slowest := time.Duration(0)
	for _, h := range in.facts.Hosts {
		slowest = max(slowest, h.Sync.P99())
	}
	return slowest
}

// syncSlow: etcd writes what it agrees to durably before it answers. One remark names the slowest
// disk.
func (in input) syncSlow() []Remark {
	var slow []string
	var worst string
	for _, h := range in.EtcdHosts() {
		s := in.facts.Hosts[h.Name].Sync
		if s.P99() <= etcdSync {
			continue
		}
		slow = append(slow, fmt.Sprintf("%s on %s (%s)", ms(s.P99()), h.Name, s.Source))
		if worst == "" || s.P99Seconds > in.facts.Hosts[worst].Sync.P99Seconds {
			worst = h.Name
		}
	}
	if worst == "" {
		return nil
	}
	f := in.facts.Hosts[worst]
	p99, beat, elect := f.Sync.P99(), in.Etcd.HeartbeatInterval, in.Etcd.ElectionTimeout
	why, set := "99 of 100 syncs take up to "+strings.Join(slow, ", "), "a faster disk for etcd"
	if f.EtcdDisk != "" && f.EtcdDisk == f.DataDisk {
		set = "a disk of its own for etcd, which shares " + f.EtcdDisk + " with PostgreSQL"
	}
	longer := fmt.Sprintf("%s; or etcd.heartbeat_interval: %s and election_timeout: %s", set,
		upTo10ms(p99), upTo10ms(10*p99))
	switch {
	case p99 >= elect/2:
		return remark("etcd-disk", Critical, "etcd's leadership will be lost to its disk",
			fmt.Sprintf("%s; etcd.election_timeout is %s", why, ms(elect)), longer)
	case p99 >= beat:
		return remark("etcd-disk", Warning, "etcd's disk is slower than its heartbeat",
			fmt.Sprintf("%s; etcd.heartbeat_interval is %s", why, ms(beat)), longer)
	}
	return remark("etcd-disk", Note, "etcd's disk is slower than etcd asks for",
		why+"; etcd's documentation asks for 10 ms", set)
}

// upTo10ms rounds a time up to what one writes into a specification.
func upTo10ms(d time.Duration) time.Duration {
	const step = 10 * time.Millisecond
	return (d + step - 1) / step * step
}

// roundTrips: etcd's heartbeat must be longer than the way, its election_timeout ten times that.
func (in input) roundTrips() []Remark {
	var far RoundTrip
	for _, r := range in.facts.RoundTrips {
		if in.votes(r.From) && in.votes(r.To) && r.Seconds > far.Seconds {
			far = r
		}
	}
	way, beat, elect := far.Took(), in.Etcd.HeartbeatInterval, in.Etcd.ElectionTimeout
	if way <= beat && 10*way <= elect {
		return nil
	}
	return remark("etcd-network", Warning,
		fmt.Sprintf("the network between %s and %s is too slow for etcd's times", far.From, far.To),
		fmt.Sprintf(
			"a connection takes %s (measured); etcd.heartbeat_interval is %s and "+
				"election_timeout %s, which are to be at least one and ten round trips", ms(way),
			ms(beat), ms(elect)),
		fmt.Sprintf("etcd.heartbeat_interval: %s and election_timeout: %s",
			upTo10ms(max(beat, way)),
			upTo10ms(max(elect, 10*way))))
}

// votes tells whether a host runs etcd.
func (in input) votes(name string) bool {
	h, err := in.Host(name)
	return err == nil && in.Runs(h, spec.RoleEtcd)
}

// watchdog: what stops a primary whose Patroni hangs.
func (in input) watchdog() []Remark {
	var without []string
	for _, h := range in.Databases() {
		if f, ok := in.facts.Hosts[h.Name]; ok && !f.Watchdog {
			without = append(without, h.Name)
		}
	}
	if len(without) == 0 || in.Patroni.Watchdog == spec.WatchdogOff {
		return nil
	}
	why := "no /dev/watchdog on " + strings.Join(without, ", ")
	if in.Patroni.Watchdog == spec.WatchdogRequired {
		return remark("watchdog", Critical, "no member there may lead",
			why+"; patroni.watchdog is required",
			"load a watchdog driver there (softdog), or patroni.watchdog: automatic")
	}
	return remark("watchdog", Note,
		"nothing stops a primary whose Patroni hangs, until the lock has run out and a new one "+
			"takes writes",
		why, "a watchdog driver (softdog) on these hosts; patroni.watchdog: automatic then uses it")
}

// memory: what PostgreSQL may take against what the host has.
func (in input) memory() []Remark {
	h, f, ok := in.smallest(func(f HostFacts) int64 { return f.MemoryBytes })
	buffers, known := in.live("shared_buffers")
	if !ok || !known {
		return nil
	}
	var found []Remark
	if buffers > f.MemoryBytes*2/5 {
		found = remark("shared-buffers", Warning, "shared_buffers leaves too little memory for "+
			"everything else",
			fmt.Sprintf("shared_buffers is %s (the leader's); %s has %s", bytesize.Text(buffers), h,
				bytesize.Text(f.MemoryBytes)),
			fmt.Sprintf("postgresql.parameters.shared_buffers: %dMB, a quarter of the memory",
				f.MemoryBytes/4>>20))
	}
	connections, _ := in.live("max_connections")
	work, _ := in.live("work_mem")
	if all := buffers + connections*work; all > f.MemoryBytes && work > 0 {
		found = append(found, remark("work-memory", Warning,
			"sessions may take more memory than there is",
			fmt.Sprintf("shared_buffers %s + max_connections %d * work_mem %s = %s (the "+
				"leader's); %s has %s",
				bytesize.Text(buffers), connections, bytesize.Text(work), bytesize.Text(all), h,
				bytesize.Text(f.MemoryBytes)),
			"a smaller work_mem, or fewer max_connections with a pooler")...)
	}
	return found
}

// walOnDisk: what slots may keep against what is free.
func (in input) walOnDisk() []Remark {
	h, f, ok := in.smallest(func(f HostFacts) int64 { return f.DataFree })
	kept, known := in.live("max_slot_wal_keep_size")
	if !ok || !known || kept <= 0 {
		return nil
	}
	most, _ := in.live("max_wal_size")
	if kept+most <= f.DataFree {
		return nil
	}
	return remark("wal-disk", Warning, "WAL kept for a replica that is away may fill the disk",
		fmt.Sprintf("max_slot_wal_keep_size %s + max_wal_size %s = %s (the leader's); %s has %s "+
			"free for it",
			bytesize.Text(kept), bytesize.Text(most), bytesize.Text(kept+most), h,
			bytesize.Text(f.DataFree)),
		fmt.Sprintf("postgresql.parameters.max_slot_wal_keep_size: %dMB, or a larger disk",
			max(f.DataFree/2>>20, 64)))
}

// idleSlots: slots that nobody reads.
func (in input) idleSlots() []Remark {
	var found []Remark
	if in.facts.Database == nil {
		return nil
	}
	for _, s := range in.facts.Database.Slots {
		if !s.Active && s.KeptBytes > idleSlotBytes {
			found = append(found, remark("idle-slot", Warning,
				"the leader keeps WAL for somebody who does not come",
				fmt.Sprintf("slot %s is inactive and keeps %s", s.Name, bytesize.Text(s.KeptBytes)),
				"bring its reader back; only if that is gone for good drop it (out of postgresql.slots "+
					"first, if it stands there): SELECT pg_drop_replication_slot('"+
					strings.ReplaceAll(s.Name, "'", "''")+"')")...)
		}
	}
	return found
}

// lag: a replica that may not be promoted.
func (in input) lag() []Remark {
	var found []Remark
	if in.facts.Database == nil || in.Patroni.SynchronousMode != spec.SynchronousOff {
		return nil
	}
	for _, h := range in.Databases() {
		r, ok := in.facts.Database.Replicas[h.Member]
		if ok && r.LagBytes > in.Patroni.MaximumLagOnFailover {
			found = append(found, remark("lag", Warning,
				h.Member+" is too far behind to be promoted",
				fmt.Sprintf("it lacks %s (the leader's view); maximum_lag_on_failover is %s",
					bytesize.Text(r.LagBytes), bytesize.Text(in.Patroni.MaximumLagOnFailover)),
				"see what keeps it: its disk, or the network; a larger "+
					"patroni.maximum_lag_on_failover accepts the loss")...)
		}
	}
	return found
}

// strangers: a router ID belongs to one group of the network alone.
func (in input) strangers() []Remark {
	var found []Remark
	for _, s := range in.facts.Strangers {
		if in.VIP != nil && s.RouterID == in.VIP.RouterID {
			found = append(found, remark("router-id", Warning,
				"another virtual router of the network has the same ID",
				fmt.Sprintf("vip.router_id is %d; %s hears it from %s, too", s.RouterID, s.On,
					s.From),
				"another vip.router_id, 1 to 255")...)
		}
	}
	return found
}

// smallest is the database host with the least of something that was measured.
func (in input) smallest(of func(HostFacts) int64) (string, HostFacts, bool) {
	var measured []string
	for _, h := range in.Databases() {
		if f, ok := in.facts.Hosts[h.Name]; ok && of(f) > 0 {
			measured = append(measured, h.Name)
		}
	}
	if len(measured) == 0 {
		return "", HostFacts{}, false
	}
	name := slices.MinFunc(measured,
		func(a, b string) int { return cmp.Compare(of(in.facts.Hosts[a]), of(in.facts.Hosts[b])) })
	return name, in.facts.Hosts[name], true
}

// live is a number that only the leader can tell, because its unit is known there.
func (in input) live(name string) (int64, bool) {
	if in.facts.Database == nil {
		return 0, false
	}
	return in.number(name)
}
