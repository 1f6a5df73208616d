package incident

import (
	"math"
	"slices"
	"testing"
)

// TestGaps follows the way of a write through what each part says.
func TestGaps(t *testing.T) {
	t.Parallel()
	leads := happened(-10, pg1, LeaderSeen)
	server := func(seconds float64, balancer string, kind Kind, proxy string) Event {
		return happened(seconds, balancer, kind, "backend", proxy, "server", pg1, "why",
			"Layer4 connection problem")
	}
	unit := func(seconds float64, host string, kind Kind, name string) Event {
		return happened(seconds, host, kind, "unit", name)
	}
	for name, c := range map[string]struct {
		events []Event
		holder string
		want   []float64 // seconds of each gap; a negative one is open
	}{
		"nothing happens": {[]Event{leads, happened(0, pg1, EtcdSlowDisk)}, lb1, nil},
		"the primary restarts": {
			[]Event{leads, happened(0, pg1, ShutDown), happened(4, pg1, ServerReady)}, lb1,
			[]float64{4},
		},
		"so fast that nobody notices": {
			[]Event{leads, happened(0, pg1, ShutDown), happened(0.049, pg1, ServerReady)}, lb1, nil,
		},
		"a replica restarts": {
			[]Event{leads, happened(0, pg2, ShutDown), happened(4, pg2, Streaming)}, lb1, nil,
		},
		"another one takes over": {[]Event{leads, happened(0, pg1, ServerGone),
			happened(3, pg2, KeyTaken),
			happened(4, pg2, ServerReady)}, lb1, []float64{4}},
		"nobody takes over": {[]Event{leads, happened(0, pg1, PostmasterDied)}, lb1,
			[]float64{-60}},
		"it goes down twice": {[]Event{leads, happened(0, pg1, ShutDown),
			happened(2, pg1, ServerReady),
			happened(5, pg1, Panic), happened(6, pg1, ServerReady)}, lb1, []float64{2, 1}},
		"HAProxy holds the primary off": {[]Event{leads,
			server(0, lb1, BackendDown, "postgres_write"),
			server(2, lb1, BackendUp, "postgres_write")}, lb1, []float64{2}},
		"HAProxy of a standby does": {[]Event{leads, server(0, lb2, BackendDown, "postgres_write")},
			lb1, nil},
		"the way to read is off": {[]Event{leads, server(0, lb1, BackendDown, "postgres_read")},
			lb1, nil},
		"HAProxy of the holder stops": {[]Event{leads, unit(0, lb1, UnitStopping, "haproxy"),
			unit(3, lb1, UnitStarted, "haproxy")}, lb1, []float64{3}},
		"a fresh HAProxy holds all servers for up": {[]Event{leads,
			server(0, lb1, BackendDown, "postgres_write"),
			unit(1, lb1, UnitKilled, "haproxy"), unit(2, lb1, UnitStarted, "haproxy")}, lb1,
			[]float64{2}},
		"keepalived of the holder stops": {[]Event{leads, unit(0, lb1, UnitStopping, "keepalived"),
			happened(1, lb2, AddressTaken)}, lb1, []float64{1}},
		"the address goes to one whose HAProxy is off": {[]Event{leads,
			unit(-5, lb2, UnitStopping, "haproxy"),
			happened(0, lb1, AddressFault), happened(1, lb2, AddressTaken),
			unit(7, lb2, UnitStarted, "haproxy")}, lb1, []float64{7}},
		"nobody knows who holds it": {[]Event{leads, unit(0, lb1, UnitStopping, "haproxy")},
			"", nil},
		"the holder yields": {[]Event{leads, happened(0, lb2, AddressTaken),
			happened(1, lb2, AddressYielded, "address", lb1),
			unit(2, lb2, UnitStopping, "haproxy")}, lb1, nil},
		"who led before is not known": {[]Event{happened(0, pg1, ShutDown),
			happened(1, pg1, ServerReady)}, lb1, nil},
	} {
		var got []float64
		for _, gap := range NewCollector(About{Machines: machines,
			AddressAt: c.holder}).gaps(c.events, after(60)) {
			if gap.From == "" || gap.Open != (gap.To == "") {
				t.Errorf("%s: %+v", name, gap)
			}
			if gap.Open {
				gap.Seconds = -gap.Seconds
			}
			got = append(got, math.Round(gap.Seconds*1000)/1000)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestGapBegan: a server that HAProxy found silent was silent before; the last commit that reached
// a replica says since when, unless it is too old to say anything.
func TestGapBegan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		why, commit string
		want        float64
	}{
		"silent":                          {"Layer7 timeout", "2026-11-23 03:00:08+00", 8},
		"silent, and an old commit":       {"Layer7 timeout", "2026-11-23 03:00:04+00", 10},
		"silent, and a later commit":      {"Layer7 timeout", "2026-11-23 03:00:11+00", 10},
		"silent, and no time":             {"Layer7 timeout", "soon", 10},
		"it answered, and was turned off": {"Layer7 wrong status", "2026-11-23 03:00:08+00", 10},
	} {
		down := happened(10, lb1, BackendDown, "backend", "postgres_write", "server", pg1,
			"why", c.why)
		events := []Event{happened(-10, pg1, LeaderSeen), down,
			happened(12, pg2, LastTransaction, "at", c.commit)}
		gaps := NewCollector(About{Machines: machines, AddressAt: lb1}).gaps(events, after(60))
		if len(gaps) != 1 || !gaps[0].Start.Equal(after(c.want)) {
			t.Errorf("%s: %+v", name, gaps)
		}
	}
}

// TestPower has journals that end and go on with another boot.
func TestPower(t *testing.T) {
	t.Parallel()
	down := func(server, why string) []Event {
		return []Event{happened(9, lb1, BackendDown, "server", server, "why", why)}
	}
	commit := func(at string) []Event {
		return []Event{happened(9, pg2, LastTransaction, "at", at)}
	}
	for name, c := range map[string]struct {
		host   string
		events []Event
		want   []float64 // when power was lost
	}{
		"nothing else is known": {pg1, nil, []float64{0}},
		"it was shut down":      {pg1, []Event{happened(-1, pg1, HostShutdown)}, nil},
		"another host was shut down": {pg1, []Event{happened(-1, pg2, HostShutdown)},
			[]float64{0}},
		"it was shut down later": {pg1, []Event{happened(50, pg1, HostShutdown)},
			[]float64{0}},
		"a commit of its reached one": {pg1, commit("2026-11-23 03:00:03+00"), []float64{3}},
		"a commit of before its end":  {pg1, commit("2026-11-23 02:59:00+00"), []float64{0}},
		"HAProxy missed it":           {pg1, down(pg1, "Layer4 timeout"), []float64{7.5}},
		"HAProxy was told": {pg1, down(pg1, "Layer4 connection problem"),
			[]float64{0}},
		"HAProxy missed another": {pg1, down(pg2, "Layer4 timeout"), []float64{0}},
		"another balancer took over": {lb1, []Event{happened(9, lb2, AddressTaken)},
			[]float64{8.27}},
		"it was taken after its return": {lb1, []Event{happened(21, lb2, AddressTaken)},
			[]float64{0}},
	} {
		coll := NewCollector(About{Machines: machines})
		coll.events = c.events
		coll.byName[c.host].boots = map[string]*boot{"b1": {after(-100), after(0)},
			"b2": {after(20), after(60)}}
		var lost []float64
		booted := 0
		for _, e := range coll.derived() {
			switch e.Kind {
			case PowerLost:
				lost = append(lost, math.Round(e.Time.Sub(began).Seconds()*1000)/1000)
			case HostBooted:
				booted++
			}
		}
		if !slices.Equal(lost, c.want) || booted != 1 {
			t.Errorf("%s: power lost at %v, want %v; booted %d times", name, lost, c.want, booted)
		}
	}
}

// TestQuorum counts the members of etcd that are down, in whatever order lines come.
func TestQuorum(t *testing.T) {
	t.Parallel()
	etcd := func(seconds float64, host string, kind Kind) Event {
		e := happened(seconds, host, kind, "unit", "etcd")
		e.Component = Etcd
		return e
	}
	for name, c := range map[string]struct {
		events []Event
		want   []float64
	}{
		"one of three": {[]Event{etcd(1, pg1, UnitFailed)}, nil},
		"two of three": {[]Event{etcd(5, pg2, UnitKilled), etcd(1, pg1, UnitFailed)}, []float64{5}},
		"all of them are told once": {
			[]Event{etcd(1, pg1, UnitFailed), etcd(2, pg2, UnitFailed), etcd(3, pg3, UnitFailed)},
			[]float64{2},
		},
		"the same one twice": {[]Event{etcd(1, pg1, UnitFailed), etcd(2, pg1, UnitFailed)}, nil},
		"one was back in time": {
			[]Event{etcd(1, pg1, UnitFailed), etcd(2, pg1, UnitStarted),
				etcd(3, pg2, UnitFailed)}, nil,
		},
		"one booted in time": {
			[]Event{etcd(1, pg1, UnitFailed), happened(2, pg1, HostBooted),
				etcd(3, pg2, UnitFailed)}, nil,
		},
		"it is lost twice": {[]Event{etcd(1, pg1, UnitFailed), etcd(2, pg2, UnitFailed),
			etcd(3, pg2, UnitStarted),
			etcd(4, pg2, UnitFailed)}, []float64{2, 4}},
		"one by power": {[]Event{happened(1, pg1, PowerLost), etcd(2, pg2, UnitFailed)},
			[]float64{2}},
		"a balancer has no vote": {[]Event{happened(1, lb1, PowerLost),
			etcd(2, pg2, UnitFailed)}, nil},
		"PostgreSQL has no vote": {
			[]Event{happened(1, pg1, UnitFailed, "unit", "patroni"), etcd(2, pg2, UnitFailed)}, nil,
		},
	} {
		coll := NewCollector(About{Machines: machines})
		coll.events = c.events
		var got []float64
		for _, e := range coll.quorum(nil) {
			got = append(got, e.Time.Sub(began).Seconds())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if got := NewCollector(About{}).quorum(nil); len(got) != 0 {
		t.Errorf("a cluster without members lost its quorum: %v", got)
	}
}

// TestSilence: a Patroni that says nothing hung, unless a line says why.
func TestSilence(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		event     Event
		explained bool
	}{
		"no line":              {happened(500, pg1, UnitStopping), false},
		"its unit was stopped": {happened(1, pg1, UnitStopping), true},
		"one elsewhere":        {happened(1, pg2, UnitStopping), false},
		"just before":          {happened(-0.9, pg1, UnitKilled), true},
		"long before":          {happened(-1.1, pg1, UnitKilled), false},
		"at its end":           {happened(60, pg1, UnitStarted), false},
	} {
		coll := NewCollector(About{Machines: machines})
		coll.events = []Event{c.event}
		coll.byName[pg1].silent = []span{{after(0), after(60)}}
		if got := coll.silences(); (len(got) == 0) != c.explained {
			t.Errorf("%s: %v", name, got)
		}
	}
}
