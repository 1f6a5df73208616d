package incident

import (
	"fmt"
	"slices"
	"time"

	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/record"
)

// Machine is a host as the account knows it.
type Machine struct {
	Name string
	// Member is the name of Patroni's member; "" where none runs.
	Member string
	// Etcd is the name of etcd's member; "" where none runs.
	Etcd string
	// Balancer: HAProxy runs there beside a member; it always does where there is none.
	Balancer bool
	// Address is its own. Without it, a balancer that was cut off is not known by what the others
	// say of it.
	Address string
	// Unreachable: its journal could not be read.
	Unreachable bool
	// Offset is its clock minus that of the machine which reads, to be taken off its times.
	Offset time.Duration
}

// About is what has to be known besides the lines. Only Machines is needed.
type About struct {
	Machines []Machine
	// Since and Until bound the account. Lines from before Since help to know who led then. Zero:
	// the first and last line.
	Since, Until time.Time
	// History is Patroni's, Operations pgha's own trail.
	History    []patroni.HistoryEntry
	Operations []record.Operation
	// AddressAt is the balancer that carries the virtual IP now; "" where there is none or nobody
	// knows.
	AddressAt string
	// WriteProxy is HAProxy's name for the way to the primary. Default: postgres_write.
	WriteProxy string
	// LoopWait is Patroni's. Default: 10s.
	LoopWait time.Duration
	// AdvertInterval is keepalived's. Default: 200ms.
	AdvertInterval time.Duration
	// CheckInterval is HAProxy's. Default: 500ms.
	CheckInterval time.Duration
	// Synchronous: commits wait for a replica.
	Synchronous bool
}

// mostEvents bounds what is kept of a long or noisy span: some 50 MB.
const mostEvents = 100_000

// Collector takes lines, in any order between hosts, and keeps only what an account needs. It is
// not safe for concurrent use.
type Collector struct {
	about   About
	hosts   map[string]string // by host, member and address
	byName  map[string]*machine
	events  []Event
	recent  map[joint]int // of the last event of each sort
	lines   int
	dropped int
}

// machine is what the lines say about one host.
type machine struct {
	Machine
	boots   map[string]*boot
	spoke   time.Time // Patroni's last line
	silent  []span
	etcdIDs map[string]bool
}

// boot is the time between two starts of a host.
type boot struct{ first, last time.Time }

type span struct{ start, end time.Time }

// joint is what equal events have in common.
type joint struct {
	host, text string
	kind       Kind
}

// NewCollector returns an empty one.
func NewCollector(about About) *Collector {
	if about.WriteProxy == "" {
		about.WriteProxy = "postgres_write"
	}
	if about.LoopWait == 0 {
		about.LoopWait = 10 * time.Second
	}
	if about.AdvertInterval == 0 {
		about.AdvertInterval = 200 * time.Millisecond
	}
	if about.CheckInterval == 0 {
		about.CheckInterval = 500 * time.Millisecond
	}
	c := &Collector{about: about, hosts: map[string]string{}, byName: map[string]*machine{},
		recent: map[joint]int{}}
	for _, m := range about.Machines {
		c.hosts[m.Name] = m.Name
		for _, alias := range []string{m.Member, m.Etcd, m.Address} {
			if alias != "" {
				c.hosts[alias] = m.Name
			}
		}
		c.byName[m.Name] = &machine{Machine: m, boots: map[string]*boot{},
			etcdIDs: map[string]bool{}}
	}
	return c
}

// Add takes one line.
func (c *Collector) Add(line record.LogEntry) {
	c.lines++
	m := c.byName[line.Host]
	if m == nil {
		return
	}
	line.Time = line.Time.Add(-m.Offset)
	m.saw(line, 2*c.about.LoopWait+2*time.Second)
	if line.Program == "etcd" && len(m.etcdIDs) < mostIDs {
		if id := etcdID.FindStringSubmatch(line.Message); id != nil {
			m.etcdIDs[id[1]] = true
		}
	}
	if e, ok := recognize(line, c.hosts); ok {
		c.keep(e)
	}
}

// etcdID is the number of the member that writes a line.
var etcdID = re(`(?:"local-member-id":"|"msg":"(?:raft\.node: )?)([0-9a-f]{8,16})["\s]`)

// mostIDs bounds how often a host's member of etcd was made again.
const mostIDs = 100

// saw notes that the host, and perhaps its Patroni, was alive.
func (m *machine) saw(line record.LogEntry, silence time.Duration) {
	b := m.boots[line.Boot]
	if b == nil {
		b = &boot{first: line.Time, last: line.Time}
		m.boots[line.Boot] = b
	}
	if line.Time.Before(b.first) {
		b.first = line.Time
	}
	if line.Time.After(b.last) {
		b.last = line.Time
	}
	// Patroni separates milliseconds with a comma, which tells its lines from PostgreSQL's.
	if line.Program == "patroni" && len(line.Message) > 19 && line.Message[19] == ',' {
		if !m.spoke.IsZero() && line.Time.Sub(m.spoke) > silence && len(m.silent) < 1000 {
			m.silent = append(m.silent, span{m.spoke, line.Time})
		}
		m.spoke = line.Time
	}
}

// keep adds an event, or counts it with an equal one of a moment ago.
func (c *Collector) keep(e Event) {
	key := joint{e.Host, e.Text, e.Kind}
	if i, ok := c.recent[key]; ok && e.Time.Sub(c.events[i].Last) < ruleOf(e.Kind).joins {
		if e.Component != HAProxy { // which says everything twice
			c.events[i].Count++
		}
		c.events[i].Last = e.Time
		return
	}
	if len(c.events) == mostEvents {
		c.dropped++
		return
	}
	c.recent[key] = len(c.events)
	c.events = append(c.events, e)
}

// Account concludes. The Collector can be added to afterwards, and asked again.
func (c *Collector) Account() Account {
	a := Account{Since: c.about.Since, Until: c.about.Until, Lines: c.lines,
		Incidents: []Incident{}}
	events := slices.Concat(c.events, c.derived())
	c.nameEtcd(events)
	slices.SortStableFunc(events, func(a, b Event) int { return a.Time.Compare(b.Time) })
	if len(events) > 0 {
		if a.Since.IsZero() {
			a.Since = events[0].Time
		}
		if a.Until.IsZero() {
			a.Until = events[len(events)-1].Last
		}
	}
	gaps := c.gaps(events, a.Until)
	for _, g := range c.group(events, gaps) {
		if in, ok := c.conclude(g, events, a.Until); ok &&
			(in.Ended.IsZero() || !in.Ended.Before(a.Since)) {
			a.Incidents = append(a.Incidents, in)
		}
	}
	a.Incidents = append([]Incident{}, loops(a.Incidents)...)
	for _, m := range c.about.Machines {
		if m.Unreachable {
			a.Notes = append(a.Notes,
				fmt.Sprintf("the journal of %s could not be read: only the other hosts say what "+
					"happened there",
					m.Name))
		}
	}
	if c.dropped > 0 {
		a.Notes = append(a.Notes, fmt.Sprintf("%d events were too many to keep: look at a "+
			"shorter span", c.dropped))
	}
	return a
}

// Analyse makes an account of lines, which may be in any order between hosts.
func Analyse(lines []record.LogEntry, about About) Account {
	c := NewCollector(about)
	for _, line := range lines {
		c.Add(line)
	}
	return c.Account()
}
