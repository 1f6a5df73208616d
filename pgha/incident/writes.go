package incident

import (
	"slices"
	"strconv"
	"time"
)

// path follows the way of a write: the address's holder, its HAProxy, the server that it holds for
// the primary, and a PostgreSQL that takes writes. What is not known yet counts as well.
type path struct {
	c *Collector
	// writable is the host whose PostgreSQL takes writes; "" while none does. known: a line has
	// told.
	writable string
	known    bool
	// unborn: the cluster is made within the span, and has not taken a write yet.
	unborn bool
	holder string // the balancer with the address; "" while nobody has it
	held   bool   // it is known who holds it, or that nobody does
	proxy  map[string]bool
	server map[[2]string]bool // by balancer and host; missing is up
	// waitsFor are the hosts of which a commit wants the answer of so many; away are those that are
	// known not to stream.
	waitsFor []string
	wants    int
	away     map[string]bool
	balancer []string
}

// shortestGap is what a change of state may take without anybody noticing.
const shortestGap = 50 * time.Millisecond

// gaps are the times at which the way was not whole.
func (c *Collector) gaps(events []Event, until time.Time) []Gap {
	p := &path{c: c, proxy: map[string]bool{}, server: map[[2]string]bool{},
		away: map[string]bool{}}
	for _, m := range c.about.Machines {
		if m.Member == "" {
			p.balancer = append(p.balancer, m.Name)
			p.proxy[m.Name] = true
		}
	}
	p.begin(events)
	var gaps []Gap
	var open *Gap
	for _, e := range events {
		p.step(e)
		whole := p.whole()
		if p.unborn {
			p.unborn = !(p.known && whole)
			continue
		}
		switch {
		case open == nil && !whole:
			open = &Gap{Start: c.startOf(e, events), From: e.Host + ": " + e.Text, told: e.Time}
		case open != nil && whole:
			open.End, open.To = e.Time, e.Host+": "+e.Text
			if open.Seconds = open.End.Sub(open.Start).Seconds(); open.End.Sub(
				open.Start) >= shortestGap {
				gaps = append(gaps, *open)
			}
			open = nil
		}
	}
	if open != nil {
		open.Open, open.Seconds = true, until.Sub(open.Start).Seconds()
		gaps = append(gaps, *open)
	}
	return gaps
}

// begin finds out who led and who had the address before the first event that changes it.
func (p *path) begin(events []Event) {
	for _, e := range events {
		if e.Kind == LeaderSeen || e.Kind == KeyTaken {
			p.known = e.Kind == LeaderSeen
			if p.known {
				p.writable = e.Host
			}
			break
		}
	}
	for _, e := range events {
		if e.Kind == LeaderSeen || e.Kind == KeyTaken || e.Kind == ServerReady {
			break
		}
		p.unborn = p.unborn || e.Kind == ClusterMade
	}
	if p.unborn { // whoever is seen to lead later did not before
		p.writable, p.known = "", true
	}
	for _, e := range events {
		if e.Kind == SyncReplaced { // whom it has waited for before the first line of it
			p.commitsWait(e.fields["former"])
		}
		if e.Kind == SyncReplaced || e.Kind == SyncNames {
			break
		}
	}
	taken := slices.IndexFunc(events, func(e Event) bool { return e.Kind == AddressTaken })
	if taken < 0 {
		p.holder, p.held = p.c.about.AddressAt, p.c.about.AddressAt != ""
		return
	}
	// Whoever left just before somebody took it had it.
	for _, e := range slices.Backward(events[:taken]) {
		if events[taken].Time.Sub(e.Time) > 10*time.Second {
			return
		}
		if e.Host != events[taken].Host && slices.Contains(p.balancer, e.Host) && leaves(e) {
			p.holder, p.held = e.Host, true
		}
	}
}

// leaves tells whether a balancer gives the address up with this.
func leaves(e Event) bool {
	switch e.Kind {
	case AddressFault, AddressLeft, PowerLost, HostShutdown:
		return true
	case UnitStopping, UnitKilled, UnitFailed:
		return e.fields["unit"] == "keepalived"
	case NetworkCut:
		return true
	}
	return false
}

func (p *path) step(e Event) {
	switch e.Kind {
	case LeaderSeen:
		if !p.known {
			p.writable, p.known = e.Host, true
		}
	case ServerReady:
		p.writable, p.known = e.Host, true
	case ShutdownRequested, ShutDown, PostmasterDied, ServerGone, ServerCrashed, BackendKilled,
		Panic, PowerLost, NetworkCut, HostUnreachable:
		if p.writable == e.Host {
			p.writable = ""
		}
	case BackendDown, BackendUp:
		if e.fields["backend"] == p.c.about.WriteProxy {
			p.server[[2]string{e.Host, e.fields["server"]}] = e.Kind == BackendDown
		}
	case UnitStopping, UnitStopped, UnitKilled, UnitFailed:
		if e.fields["unit"] == "haproxy" {
			p.proxy[e.Host] = false
		}
	case UnitStarted:
		if e.fields["unit"] == "haproxy" {
			p.started(e.Host)
		}
	case AddressTaken:
		p.holder, p.held = e.Host, true
	case AddressYielded:
		p.holder, p.held = e.fields["address"], p.c.byName[e.fields["address"]] != nil
	}
	p.replicas(e)
	if slices.Contains(p.balancer, e.Host) && (e.Kind == PowerLost || e.Kind == HostShutdown) {
		p.proxy[e.Host] = false
	}
	if leaves(e) && p.held && p.holder == e.Host {
		p.holder = ""
	}
}

// replicas follows whom commits wait for, and who streams.
func (p *path) replicas(e Event) {
	switch e.Kind {
	case SyncNames:
		p.commitsWait(e.fields["names"])
	case StreamLost, ShutdownRequested, ShutDown, PostmasterDied, ServerGone, ServerCrashed,
		PowerLost, NetworkCut, HostUnreachable:
		p.away[e.Host] = true
	case Streaming:
		delete(p.away, e.Host)
	case ServerReady, KeyTaken: // the new primary says again whom it waits for
		delete(p.away, e.Host)
		p.waitsFor = nil
	}
}

// standbys are the names in synchronous_standby_names or in Patroni's list, and quorum the number
// in front of them.
var (
	standbys = re(`["']([^"']+)["']`)
	quorum   = re(`(?:ANY|FIRST)?\s*(\d+)\s*\(`)
)

// commitsWait reads synchronous_standby_names.
func (p *path) commitsWait(names string) {
	p.waitsFor, p.wants = nil, 1
	for _, m := range standbys.FindAllStringSubmatch(names, -1) {
		if host, known := p.c.hosts[m[1]]; known {
			p.waitsFor = append(p.waitsFor, host)
		}
	}
	if m := quorum.FindStringSubmatch(names); m != nil {
		p.wants, _ = strconv.Atoi(m[1])
	}
}

// commits tells whether enough of those that a commit waits for stream, as far as is known.
func (p *path) commits() bool {
	if len(p.waitsFor) == 0 {
		return true
	}
	streaming := 0
	for _, host := range p.waitsFor {
		if !p.away[host] {
			streaming++
		}
	}
	return streaming >= min(p.wants, len(p.waitsFor))
}

// started: a fresh HAProxy holds every server for up, and says only which ones are not.
func (p *path) started(balancer string) {
	p.proxy[balancer] = true
	for key := range p.server {
		if key[0] == balancer {
			delete(p.server, key)
		}
	}
}

func (p *path) whole() bool {
	if p.known && p.writable == "" || !p.commits() {
		return false
	}
	leads := func(balancer string) bool {
		return p.proxy[balancer] && (!p.known || !p.server[[2]string{balancer, p.writable}])
	}
	switch {
	case len(p.balancer) == 0:
		return true
	case p.held && p.holder == "":
		return false
	case p.held:
		return leads(p.holder)
	}
	return slices.ContainsFunc(p.balancer, leads)
}

// startOf is when writes stopped: where something was found silent, that was some time before, and
// the last transaction which reached the replicas says when.
func (c *Collector) startOf(e Event, events []Event) time.Time {
	if e.Kind != PowerLost && (e.Kind != BackendDown || !silentReason(e.fields["why"])) {
		return e.Time
	}
	for _, x := range events {
		if x.Kind != LastTransaction || x.Time.Before(e.Time) {
			continue
		}
		if at, ok := transactionTime(x); ok && at.Before(e.Time) && e.Time.Sub(at) < detection {
			return at
		}
		break
	}
	return e.Time
}
