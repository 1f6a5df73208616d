package incident

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/patroni"
)

// The hosts of invented events, and the moment that they count from.
const lb1, lb2, pg1, pg2, pg3 = "haproxy-01", "haproxy-02", "postgres-01", "postgres-02",
	"postgres-03"

var began = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

func after(seconds float64) time.Time {
	return began.Add(time.Duration(seconds * float64(time.Second)))
}

// happened returns an event some seconds after began; fields are names and values in turn.
func happened(seconds float64, host string, kind Kind, fields ...string) Event {
	e := Event{Time: after(seconds), Last: after(seconds), Host: host, Component: PostgreSQL,
		Kind: kind, Text: string(kind), Count: 1, fields: map[string]string{}}
	for i := 0; i+1 < len(fields); i += 2 {
		e.fields[fields[i]] = fields[i+1]
	}
	return e
}

// concluded returns the account of events alone.
func concluded(about About, events ...Event) Account {
	about.Machines = machines
	c := NewCollector(about)
	c.events = events
	return c.Account()
}

func TestLoss(t *testing.T) {
	t.Parallel()
	taken := happened(30, pg2, KeyTaken)
	ended := func(seconds float64, lsn string) Event {
		return happened(seconds, pg3, TimelineEnded, "timeline", "4", "lsn", lsn)
	}
	position := func(host, lsn string) Event {
		return happened(31, host, LocalPosition, "timeline", "4", "lsn", lsn)
	}
	at := func(seconds float64, timeline string) Event {
		return happened(seconds, pg1, LocalPosition, "timeline", timeline, "lsn", "0/1100")
	}
	committed := func(when string) Event { return happened(31, pg2, LastTransaction, "at", when) }
	switched := Loss{Timeline: 4, Switched: "0/1000"}
	known := func(former string, bytes uint64) Loss {
		return Loss{Known: true, Timeline: 4, Switched: "0/1000", Former: former, Bytes: bytes}
	}
	plain := About{History: []patroni.HistoryEntry{{Timeline: 4, LSN: 0x1000}}}
	synchronous := plain
	synchronous.Synchronous = true
	for name, c := range map[string]struct {
		about    About
		timeline string
		events   []Event
		want     Loss
		says     string
	}{
		"the new timeline is in no line": {plain, "", nil, Loss{},
			"the new leader's timeline is in no line"},
		"a timeline that is no number": {plain, "five", nil, Loss{}, "is not known"},
		"nothing is known":             {About{}, "5", nil, Loss{Timeline: 4}, "not known exactly"},
		"the last commit is known": {About{}, "5", []Event{committed("2026-11-23 02:59:59.5+00")},
			Loss{Timeline: 4}, "up to the transaction of 02:59:59.500 UTC"},
		"a commit whose time cannot be read": {About{}, "5", []Event{committed("yesterday")},
			Loss{Timeline: 4}, "not known exactly"},
		"the old leader was ahead": {
			plain, "5", []Event{position(pg1, "0/1100")}, known("0/1100", 256), "256 bytes of WAL",
		},
		"the old leader was ahead by one byte": {
			plain, "5", []Event{position(pg1, "0/1001")}, known("0/1001", 1), "1 bytes",
		},
		"the old leader had just that": {
			plain, "5", []Event{position(pg1, "0/1000")}, known("0/1000", 0), "nothing was lost",
		},
		"its highest position counts": {plain, "5",
			[]Event{position(pg1, "0/1200"), position(pg1, "0/900")},
			known("0/1200", 512), "512 bytes"},
		"another host's position": {plain, "5", []Event{position(pg3, "0/1200")}, switched,
			"not known exactly"},
		"a position on another timeline": {plain, "5", []Event{at(31, "5")}, switched,
			"not known exactly"},
		"a position that cannot be read": {plain, "5", []Event{position(pg1, "zero")}, switched,
			"not known exactly"},
		"crash recovery pads the old leader's WAL": {plain, "5",
			[]Event{happened(31, pg1, CrashRecovery), position(pg1, "0/1100")}, switched,
			"not known exactly"},
		"crash recovery on another host": {plain, "5",
			[]Event{happened(31, pg3, CrashRecovery), position(pg1, "0/1100")},
			known("0/1100", 256), "256 bytes"},
		"a replica's line instead of history": {About{}, "5",
			[]Event{ended(31, "0/1000"), position(pg1, "0/1100")}, known("0/1100", 256),
			"256 bytes"},
		"the old leader stopped in order": {plain, "5", []Event{ended(29, "0/1000")},
			Loss{Known: true, Timeline: 4, Switched: "0/1000"}, "stopped in order"},
		"what was before the incident": {plain, "5", []Event{at(-1, "4")}, switched,
			"not known exactly"},
		"what was after the next leader": {
			plain, "5", []Event{happened(40, pg3, KeyTaken), at(41, "4")}, switched,
			"not known exactly",
		},
		"synchronous, and not known": {synchronous, "5", nil, switched,
			"what was acknowledged is there"},
		"synchronous, and lost": {synchronous, "5", []Event{position(pg1, "0/1001")},
			known("0/1001", 1), "what was acknowledged is there"},
		"synchronous, and nothing lost": {
			synchronous, "5", []Event{position(pg1, "0/1000")}, known("0/1000", 0),
			"nothing was lost",
		},
	} {
		in := Incident{Began: began, OldLeader: pg1, NewLeader: pg2,
			Lock: &LockLoss{Taken: taken.Time}}
		g := &group{events: []Event{taken, happened(32, pg2, TimelineSwitched, "timeline",
			c.timeline)}}
		events := append([]Event{taken}, c.events...)
		slices.SortStableFunc(events, func(a, b Event) int { return a.Time.Compare(b.Time) })
		got := NewCollector(c.about).loss(in, g, events)
		if !strings.Contains(got.Text, c.says) ||
			strings.Contains(c.says, "is there") != strings.Contains(got.Text, "is there") {
			t.Errorf("%s: %q does not say %q", name, got.Text, c.says)
		}
		got.Text, got.UpTo = "", time.Time{}
		if diff := cmp.Diff(c.want, *got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestLockLoss: what a leader said before another one took its key says how it lost it; what it
// said afterwards, and what others said, does not.
func TestLockLoss(t *testing.T) {
	t.Parallel()
	demoted := func(text string) []Event {
		e := happened(5, pg1, Demoted)
		e.Text = text
		return []Event{e}
	}
	const silent = "it ran out: the leader did not renew it in time"
	for name, c := range map[string]struct {
		events []Event
		want   string
		at     float64
	}{
		"it said nothing": {nil, silent, 30},
		"it released it": {[]Event{happened(2, pg1, KeyReleased)},
			"released by the leader itself", 2},
		"its Patroni was stopped": {
			[]Event{happened(3, pg1, UnitStopping, "unit", "patroni")},
			"released by the leader, whose Patroni was stopped", 3,
		},
		"its etcd was stopped": {[]Event{happened(3, pg1, UnitStopping, "unit", "etcd")},
			silent, 30},
		"it could not renew it": {[]Event{happened(4, pg1, KeyLost)},
			"the leader could not renew it", 4},
		"etcd was away": {demoted("gave up being primary: etcd cannot be reached"),
			"it ran out: the leader could not reach etcd, and stopped being primary at " +
				"03:00:05.000 UTC", 30},
		"it gave up for another reason": {demoted("gave up being primary"), silent, 30},
		"the others took it away": {[]Event{happened(4, pg2, KeyDeleted)}, "taken away by " + pg2 +
			": nothing came from the leader's host, and every voter had fenced it", 4},
		"they took a later one away": {[]Event{happened(31, pg2, KeyDeleted)}, silent, 30},
		"another one released a key": {[]Event{happened(2, pg3, KeyReleased)}, silent, 30},
		"it released it too late":    {[]Event{happened(31, pg1, KeyReleased)}, silent, 30},
	} {
		got := lockLoss(pg1, happened(30, pg2, KeyTaken), &group{events: c.events})
		if got.Reason != c.want || !got.Time.Equal(after(c.at)) || !got.Taken.Equal(after(30)) {
			t.Errorf("%s: %q at %s", name, got.Reason, got.Time)
		}
	}
}

// TestConditions: what an event opens only the right event closes.
func TestConditions(t *testing.T) {
	t.Parallel()
	unit := func(k Kind, host, unit string) Event { return happened(0, host, k, "unit", unit) }
	streams := func(host, timeline string) Event {
		return happened(9, host, Streaming, "timeline", timeline)
	}
	yields := func(to string) Event { return happened(9, lb2, AddressYielded, "address", to) }
	for name, c := range map[string]struct {
		opens, closes Event
		left          []string
	}{
		"a host that boots is not yet a replica": {
			happened(0, pg2, PowerLost), happened(9, pg2, HostBooted), []string{"stream:" + pg2},
		},
		"a balancer that boots runs nothing yet": {happened(0, lb1, HostShutdown),
			happened(9, lb1, HostBooted),
			[]string{"unit:haproxy:" + lb1, "unit:keepalived:" + lb1}},
		"a replica streams again": {happened(0, pg2, StreamLost), streams(pg2, "7"), nil},
		"it streams on an old timeline": {
			happened(0, pg2, StreamLost), streams(pg2, "6"), []string{"stream:" + pg2},
		},
		"another replica streams": {
			happened(0, pg2, StreamLost), streams(pg3, "7"), []string{"stream:" + pg2},
		},
		"a database that was cut off streams": {happened(0, pg2, NetworkCut),
			streams(pg2, "7"), nil},
		"it takes writes instead": {happened(0, pg2, ServerCrashed),
			happened(9, pg2, ServerReady), nil},
		"it takes the key":  {happened(0, pg2, StreamLost), happened(9, pg2, KeyTaken), nil},
		"a unit is started": {unit(UnitFailed, pg1, "etcd"), unit(UnitStarted, pg1, "etcd"), nil},
		"another unit is started": {
			unit(UnitFailed, pg1, "etcd"), unit(UnitStarted, pg1, "patroni"),
			[]string{"unit:etcd:" + pg1},
		},
		"the same unit elsewhere": {
			unit(UnitKilled, pg1, "etcd"), unit(UnitStarted, pg2, "etcd"),
			[]string{"unit:etcd:" + pg1},
		},
		"a link comes back": {happened(0, pg1, LinkDown), happened(9, pg1, LinkUp), nil},
		"a balancer is fit again": {happened(0, lb1, AddressFault),
			happened(9, lb1, AddressLeft), nil},
		"a balancer is heard again": {happened(0, lb1, NetworkCut), yields(lb1), nil},
		"another balancer is heard": {
			happened(0, lb1, NetworkCut), yields("haproxy-03"), []string{"heard:" + lb1},
		},
	} {
		coll := NewCollector(About{Machines: machines})
		opened, closed := coll.conditions(c.opens, pg1, "7")
		if len(opened) == 0 || len(closed) > 0 {
			t.Errorf("%s: it opens %v and closes %v", name, opened, closed)
		}
		_, closed = coll.conditions(c.closes, pg1, "7")
		for _, key := range closed {
			delete(opened, key)
		}
		if left := slices.Sorted(keysOf(opened)); !slices.Equal(left, c.left) {
			t.Errorf("%s: left open are %v, want %v", name, left, c.left)
		}
	}
}

// TestOneOrTwoIncidents has events, and how many incidents they are.
func TestOneOrTwoIncidents(t *testing.T) {
	t.Parallel()
	stops := func(seconds float64, host, unit string) Event {
		return happened(seconds, host, UnitStopping, "unit", unit)
	}
	starts := func(seconds float64, host, unit string) Event {
		return happened(seconds, host, UnitStarted, "unit", unit)
	}
	for name, c := range map[string]struct {
		events []Event
		want   int
	}{
		"something else breaks while it is open": {[]Event{stops(0, pg1, "etcd"),
			stops(59, pg2, "etcd")}, 1},
		"long after, while it is still open": {[]Event{stops(0, pg1, "etcd"),
			stops(60, pg2, "etcd")}, 2},
		"an echo of what is over": {
			[]Event{stops(0, pg1, "etcd"), starts(3, pg1, "etcd"),
				happened(7.9, pg2, StreamLost)}, 1,
		},
		"too late for an echo": {
			[]Event{stops(0, pg1, "etcd"), starts(3, pg1, "etcd"),
				happened(8.1, pg2, StreamLost)}, 2,
		},
		"what breaks by itself echoes less": {
			[]Event{stops(0, pg1, "etcd"), starts(3, pg1, "etcd"), stops(5.1, pg2, "etcd")}, 2,
		},
		"its end long after, others in between": {[]Event{stops(0, pg1, "etcd"),
			stops(300, pg2, "patroni"),
			starts(302, pg2, "patroni"), starts(400, pg1, "etcd")}, 2},
		"a note alone": {[]Event{happened(0, pg1, EtcdSlowDisk)}, 0},
		"what only helps to understand": {
			[]Event{happened(0, pg1, LeaderSeen), happened(1, pg1, LocalPosition)}, 0,
		},
		"the end of something unknown": {[]Event{starts(0, pg1, "etcd")}, 0},
		"a balancer takes its own back": {
			[]Event{happened(0, lb1, LowerAdvert), happened(1, lb1, AddressTaken)}, 0,
		},
		"a balancer takes another one's": {[]Event{happened(1, lb1, AddressTaken)}, 1},
		"an advert of long ago says nothing": {
			[]Event{happened(0, lb1, LowerAdvert), happened(6, lb1, AddressTaken)}, 1,
		},
		"an advert that another one received": {
			[]Event{happened(0, lb2, LowerAdvert), happened(1, lb1, AddressTaken)}, 1,
		},
	} {
		got := concluded(About{Until: after(1000)}, c.events...).Incidents
		if len(got) != c.want {
			t.Errorf("%s: %d incidents, want %d: %+v", name, len(got), c.want, got)
		}
	}
}

// TestHints: a note is shown in the incident that follows it soon, and in no other.
func TestHints(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[float64]int{-14.9: 2, -15: 1} {
		in := concluded(About{Until: after(100)}, happened(seconds, pg1, EtcdSlowDisk),
			happened(0, pg1, UnitFailed, "unit", "etcd")).Incidents
		if len(in) != 1 || len(in[0].Events) != want {
			t.Errorf("a note %g s before: %+v", seconds, in)
		}
	}
}

// TestMissing: what is not back at the end of the span is said, and the incident has no end.
func TestMissing(t *testing.T) {
	t.Parallel()
	in := concluded(About{Until: after(100)}, happened(0, pg1, LeaderSeen),
		happened(10, pg2, UnitFailed, "unit", "etcd"), happened(12, pg2, StreamLost),
		happened(20, pg2, UnitStarted, "unit", "etcd")).Incidents
	if len(in) != 1 {
		t.Fatalf("%d incidents", len(in))
	}
	want := []string{pg2 + " replicates"}
	if !slices.Equal(in[0].Missing, want) || !in[0].Ended.IsZero() || in[0].RedundantSeconds != -1 {
		t.Errorf("missing %v, ended %s, redundant after %g", in[0].Missing, in[0].Ended,
			in[0].RedundantSeconds)
	}
	if !strings.Contains(in[0].Headline, "not back yet: "+pg2+" replicates") {
		t.Error(in[0].Headline)
	}
}

// TestCauses: the most basic of what was first is the cause, and an operation that came to mend is
// none.
func TestCauses(t *testing.T) {
	t.Parallel()
	operated := happened(5, "", Operated, "by", "anna")
	sudo := func(seconds float64, host string) Event {
		return happened(seconds, host, Commanded, "user", "bob", "command", "systemctl stop etcd")
	}
	failed := happened(3, pg1, UnitFailed, "unit", "etcd")
	for name, c := range map[string]struct {
		events []Event
		want   Kind
		by     string
	}{
		"a lost power explains a lost session": {
			[]Event{happened(3, pg2, StreamLost), happened(4, pg1, PowerLost)}, PowerLost, "",
		},
		"but not one of much earlier": {
			[]Event{happened(3, pg2, StreamLost), happened(8.1, pg1, PowerLost)}, StreamLost, "",
		},
		"an operation before all": {
			[]Event{operated, happened(6, pg1, UnitStopping, "unit", "patroni")}, Operated, "anna",
		},
		"an operation that mends": {[]Event{failed, operated}, UnitFailed, ""},
		"somebody with sudo": {
			[]Event{sudo(2, pg1), failed}, UnitFailed, "bob with sudo: systemctl stop etcd",
		},
		"with sudo elsewhere":   {[]Event{sudo(2, pg2), failed}, UnitFailed, ""},
		"with sudo long before": {[]Event{sudo(1, pg1), failed}, UnitFailed, ""},
		"with sudo afterwards":  {[]Event{failed, sudo(3.5, pg1)}, UnitFailed, ""},
	} {
		in := concluded(About{Until: after(100)}, c.events...).Incidents
		if len(in) != 1 || in[0].Cause.Kind != c.want || in[0].Cause.By != c.by {
			t.Errorf("%s: %+v", name, in)
		}
	}
}

// TestLoops: what breaks again as soon as it is back is one incident, with each event once; what
// breaks once more much later, elsewhere, or in another way is another one.
func TestLoops(t *testing.T) {
	t.Parallel()
	crash := func(times int, first, every float64, host, unit string) (events []Event) {
		for i := range times {
			at := first + float64(i)*every
			events = append(events, happened(at, host, UnitFailed, "unit", unit),
				happened(at+1, host, UnitStarted, "unit", unit))
		}
		return events
	}
	for name, c := range map[string]struct {
		events []Event
		times  []int
	}{
		"every ten seconds": {crash(200, 0, 10, pg1, "etcd"), []int{200}},
		"every two minutes": {crash(3, 0, 120, pg1, "etcd"), []int{0, 0, 0}},
		"once":              {crash(1, 0, 1, pg1, "etcd"), []int{0}},
		"on one host, then another": {append(crash(2, 0, 10, pg1, "etcd"),
			crash(2, 20, 10, pg2, "etcd")...), []int{2, 2}},
	} {
		got := concluded(About{Until: after(5000)}, c.events...).Incidents
		var times []int
		for _, in := range got {
			times = append(times, in.Times)
			if len(in.Events) > 2*often {
				t.Errorf("%s: %d events", name, len(in.Events))
			}
			said := strings.Contains(in.Headline, "again and again")
			if in.RedundantSeconds < 1 || said != (in.Times > 1) {
				t.Errorf("%s: %s, redundant after %g", name, in.Headline, in.RedundantSeconds)
			}
		}
		if !slices.Equal(times, c.times) {
			t.Errorf("%s: %v, want %v", name, times, c.times)
		}
	}
}

// TestScheduledSwitchover: asking for one is no incident, and what comes at its time is a planned
// switchover.
func TestScheduledSwitchover(t *testing.T) {
	t.Parallel()
	got := concluded(About{Until: after(1000)}, happened(0, pg1, LeaderSeen),
		happened(10, pg1, SwitchoverPlanned), happened(600, pg1, SwitchoverAsked),
		happened(600.1, pg1, Demoted), happened(600.2, pg1, ShutdownRequested),
		happened(601, pg1, KeyReleased), happened(601.3, pg2, KeyTaken),
		happened(601.5, pg2, ServerReady), happened(603, pg1, Streaming)).Incidents
	if len(got) != 1 || got[0].Class != Planned || !got[0].Began.Equal(after(600)) ||
		got[0].NewLeader != pg2 {
		t.Errorf("%+v", got)
	}
}

// TestCommitsThatWait: writes are away while too few of those that a commit waits for stream.
func TestCommitsThatWait(t *testing.T) {
	t.Parallel()
	names := func(seconds float64, text string) Event {
		return happened(seconds, pg1, SyncNames, "names", text)
	}
	replaced := func(seconds float64, text string) Event {
		return happened(seconds, pg1, SyncReplaced, "former", text)
	}
	lost := func(seconds float64, host string) Event {
		return happened(seconds, host, PowerLost)
	}
	leads := happened(0, pg1, LeaderSeen)
	one, two := `"`+pg2+`"`, `"`+pg2+`","`+pg3+`"`
	for name, c := range map[string]struct {
		events []Event
		want   float64
	}{
		"until another one is named":      {[]Event{names(1, one), lost(10, pg2), names(17, `"`+pg3+`"`)}, 7},
		"until it is back":                {[]Event{names(1, one), lost(10, pg2), happened(14, pg2, Streaming)}, 4},
		"until nobody is waited for":      {[]Event{names(1, one), lost(10, pg2), names(12, "")}, 2},
		"asynchronous":                    {[]Event{lost(10, pg2), names(12, "")}, 0},
		"one of two is enough":            {[]Event{names(1, "ANY 1 ("+two+")"), lost(10, pg2)}, 0},
		"both of two are wanted":          {[]Event{names(1, "2 ("+two+")"), lost(10, pg2), names(13, one), happened(15, pg2, Streaming)}, 5},
		"known from what Patroni gave up": {[]Event{lost(10, pg2), replaced(15, "'"+pg2+"'"), names(15, `"`+pg3+`"`)}, 5},
		"another replica":                 {[]Event{names(1, one), lost(10, pg3)}, 0},
	} {
		seconds := 0.0
		for _, in := range concluded(About{Until: after(100)}, append([]Event{leads},
			c.events...)...).Incidents {
			seconds += in.WithoutWritesSeconds
		}
		if seconds != c.want {
			t.Errorf("%s: %g s without writes, want %g", name, seconds, c.want)
		}
	}
}

// TestFirstInstallation: a cluster that is made has no writes to miss; one that is made again in
// the place of another has.
func TestFirstInstallation(t *testing.T) {
	t.Parallel()
	down := func(seconds float64) Event {
		return happened(seconds, lb1, BackendDown, "backend", "postgres_write", "server", pg1)
	}
	apply := happened(0, "", Operated, "by", "anna")
	apply.Last = after(60)
	made := []Event{apply,
		happened(10, lb1, UnitStarted, "unit", "haproxy"), down(11),
		happened(40, pg1, ClusterMade), happened(45, pg1, ServerReady),
		happened(46, pg1, LeaderSeen),
		happened(47, lb1, BackendUp, "backend", "postgres_write", "server", pg1)}
	for name, c := range map[string]struct {
		events  []Event
		seconds float64
		says    string
	}{
		"new": {made, 0, "a new cluster was made"},
		"again": {append([]Event{happened(-20, pg1, LeaderSeen),
			happened(-5, pg1, ShutdownRequested)}, made...), 50, "writes away for 50.0 s"},
	} {
		seconds, says := 0.0, ""
		for _, in := range concluded(About{Until: after(100)}, c.events...).Incidents {
			seconds += in.WithoutWritesSeconds
			says += in.Headline
		}
		if seconds != c.seconds || !strings.Contains(says, c.says) {
			t.Errorf("%s: %g s, want %g: %s", name, seconds, c.seconds, says)
		}
	}
}

// TestCutsInARow: the next leader is cut off before a minute has gone by, and HAProxy says so after
// etcd did. Each is an incident of its own, with its own time without writes.
func TestCutsInARow(t *testing.T) {
	t.Parallel()
	var events []Event
	cut := func(at float64, host, next string) {
		events = append(events,
			happened(at+1.4, host, EtcdLeaderLost),
			happened(at+1.8, lb1, BackendDown, "backend", "postgres_write", "server", host, "why",
				"Layer4 timeout"),
			happened(at+6, host, DCSUnreachable),
			happened(at+9, host, ShutdownRequested),
			happened(at+15, next, KeyTaken),
			happened(at+15.1, next, ServerReady),
			happened(at+15.2, lb1, BackendUp, "backend", "postgres_write", "server", next),
			happened(at+16, next, LastTransaction, "at", after(at).Format("2006-01-02 15:04:05.999-07")),
			happened(at+20, host, Streaming))
	}
	events = append(events, happened(-5, pg2, LeaderSeen))
	cut(0, pg2, pg3)
	cut(30, pg3, pg2)
	var got []string
	for _, in := range concluded(About{Until: after(120)}, events...).Incidents {
		got = append(got, in.Headline)
	}
	want := []string{
		pg2 + " was cut off from the network; writes away for 15.1 s; " + pg3 + " took over",
		pg3 + " was cut off from the network; writes away for 15.1 s; " + pg2 + " took over",
	}
	if len(got) != len(want) || !strings.HasPrefix(got[0], want[0]) ||
		!strings.HasPrefix(got[1], want[1]) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
