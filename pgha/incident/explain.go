package incident

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/record"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// Options say which span is explained.
type Options struct {
	// Since is where the account begins. Default: an hour before Until.
	Since time.Time
	// Until is where it ends. Default: now.
	Until time.Time
	// Warn receives what could not be read, from one goroutine at a time. Optional; Account.Notes
	// has it as well.
	Warn func(host string, err error)
}

// Cluster is what Explain asks. *pgha.Cluster is one.
type Cluster interface {
	Specification() *spec.Spec
	// Targets returns the connections to the hosts that can be reached.
	Targets() []*remote.Target
	// History returns Patroni's changes of timeline, Operations pgha's own record.
	History(ctx context.Context) ([]patroni.HistoryEntry, error)
	Operations(ctx context.Context) ([]record.Operation, error)
	// Logs calls yield with each line of all hosts.
	Logs(ctx context.Context, opts record.LogsOptions, yield func(record.LogEntry) error) error
}

// lookBack is how much more is read before Since: who leads is said once in loop_wait.
const lookBack = 2 * time.Minute

// Explain reads the journals of all hosts at once, Patroni's history and the record of operations,
// and concludes. A host that cannot be read is a call of opts.Warn and a note in the account. It
// changes nothing. Errors are ctx's and those of Cluster.Logs, when no host at all can be read.
func Explain(ctx context.Context, cluster Cluster, opts Options) (Account, error) {
	if opts.Until.IsZero() {
		opts.Until = time.Now()
	}
	if opts.Since.IsZero() {
		opts.Since = opts.Until.Add(-time.Hour)
	}
	if !opts.Since.Before(opts.Until) {
		return Account{}, errors.New("explain: since is not before until")
	}
	r := &reader{cluster: cluster, opts: opts, clocks: map[string]Clock{},
		failed: map[string]bool{}}
	r.around(ctx)
	c := NewCollector(r.about())
	for _, line := range r.ends {
		c.Add(line)
	}
	if err := r.read(ctx, c); err != nil {
		return Account{}, fmt.Errorf("explain: %w", err)
	}
	for i, m := range c.about.Machines {
		c.about.Machines[i].Unreachable = r.failed[m.Name]
		c.byName[m.Name].Unreachable = r.failed[m.Name]
	}
	a := c.Account()
	a.Notes = append(a.Notes, r.notes...)
	for _, m := range c.about.Machines {
		if clock, ok := r.clocks[m.Name]; ok {
			a.Clocks = append(a.Clocks, clock)
		}
	}
	return a, nil
}

// reader is one call of Explain.
type reader struct {
	cluster    Cluster
	opts       Options
	mu         sync.Mutex
	clocks     map[string]Clock
	address    string
	ends       []record.LogEntry // the last line of each host's former boot
	history    []patroni.HistoryEntry
	operations []record.Operation
	failed     map[string]bool
	notes      []string
}

// around reads what is no journal, all at once. None of it is a condition.
func (r *reader) around(ctx context.Context) {
	var wait sync.WaitGroup
	wait.Go(func() {
		history, err := r.cluster.History(ctx)
		if err != nil {
			r.note(fmt.Sprintf("Patroni's history could not be read: %v", err))
		}
		r.history = history
	})
	wait.Go(func() {
		operations, err := r.cluster.Operations(ctx)
		if err != nil {
			r.note(fmt.Sprintf("the trail of operations is not complete: %v", err))
		}
		r.operations = slices.DeleteFunc(operations, func(o record.Operation) bool {
			return o.Time.Before(r.opts.Since.Add(-lookBack)) || o.Time.After(r.opts.Until)
		})
	})
	wait.Go(func() {
		_ = remote.Each(ctx, r.cluster.Targets(),
			func(ctx context.Context, t *remote.Target) error { r.clock(ctx, t); return nil })
	})
	wait.Wait()
}

func (r *reader) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, text)
}

// bootTime prints when systemd began.
var bootTime = []string{"systemctl", "show", "--timestamp=unix", "--value",
	"--property=UserspaceTimestamp"}

// formerEnd prints the last line before the latest boot. An idle host may have said it long before
// the span begins.
var formerEnd = []string{"journalctl", "--quiet", "--no-pager", "--boot=-1", "--lines=1",
	"--output=json",
	"--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_BOOT_ID"}

// clock measures a host's clock in one round trip, and looks whether it carries the virtual IP and
// how its last boot ended.
func (r *reader) clock(ctx context.Context, t *remote.Target) {
	address := "0.0.0.0"
	if vip := r.cluster.Specification().VIP; vip != nil {
		address = vip.Address
	}
	asked := time.Now()
	date, err := t.Output(ctx, "date", "+%s.%N")
	trip := time.Since(asked)
	if err != nil {
		return // its journal will not be read either, which is said
	}
	res, err := t.Batch(ctx, []string{"ip", "-o", "address", "show", "to", address}, bootTime,
		formerEnd)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if strings.TrimSpace(string(res[0].Stdout)) != "" {
		r.address = t.Name
	}
	booted, err := strconv.ParseInt(strings.TrimPrefix(strings.TrimSpace(string(res[1].Stdout)),
		"@"), 10, 64)
	inSpan := err == nil && time.Unix(booted, 0).After(r.opts.Since.Add(-lookBack)) &&
		time.Unix(booted, 0).Before(r.opts.Until)
	if line, ok := endOf(t.Name, res[2].Stdout); ok && inSpan {
		r.ends = append(r.ends, line)
	}
	if s, err := strconv.ParseFloat(strings.TrimSpace(date), 64); err == nil {
		offset := time.Unix(0, int64(s*1e9)).Sub(asked.Add(trip / 2))
		r.clocks[t.Name] = Clock{Host: t.Name,
			OffsetSeconds: offset.Round(time.Millisecond).Seconds(),
			ErrorSeconds:  (trip / 2).Round(time.Millisecond).Seconds()}
	}
}

// endOf reads what formerEnd printed; nothing for a host that was never booted again.
func endOf(host string, line []byte) (record.LogEntry, bool) {
	var raw struct {
		Realtime string `json:"__REALTIME_TIMESTAMP"`
		Message  string `json:"MESSAGE"`
		Program  string `json:"SYSLOG_IDENTIFIER"`
		Boot     string `json:"_BOOT_ID"`
	}
	if json.Unmarshal(line, &raw) != nil {
		return record.LogEntry{}, false
	}
	micros, err := strconv.ParseInt(raw.Realtime, 10, 64)
	if err != nil {
		return record.LogEntry{}, false
	}
	return record.LogEntry{Time: time.UnixMicro(micros).UTC(), Host: host, Program: raw.Program,
		Priority: 6, Message: raw.Message, Boot: raw.Boot}, true
}

func (r *reader) about() About {
	sp := r.cluster.Specification()
	a := About{
		Since: r.opts.Since, Until: r.opts.Until, History: r.history, Operations: r.operations,
		AddressAt: r.address,
		LoopWait:  sp.Patroni.LoopWait, CheckInterval: sp.Balancer.CheckInterval,
		Synchronous: sp.Patroni.SynchronousMode != spec.SynchronousOff,
	}
	if sp.VIP != nil {
		a.AdvertInterval = sp.VIP.AdvertInterval
	}
	for _, h := range sp.Hosts {
		m := Machine{Name: h.Name, Address: h.Address, Balancer: h.Has(spec.RoleBalancer)}
		if h.Has(spec.RoleDatabase) {
			m.Member = h.Member
		}
		if sp.Runs(h, spec.RoleEtcd) {
			m.Etcd = h.Member
		}
		if clock := r.clocks[h.Name]; max(clock.OffsetSeconds,
			-clock.OffsetSeconds) > clock.ErrorSeconds {
			m.Offset = time.Duration(clock.OffsetSeconds * float64(time.Second))
		}
		a.Machines = append(a.Machines, m)
	}
	return a
}

// read takes the journals of the components and of the hosts themselves, both at once.
func (r *reader) read(ctx context.Context, c *Collector) error {
	var mu sync.Mutex
	components := []record.LogComponent{record.LogAll, record.LogSystem}
	return parallel.Each(components, func(_ int, component record.LogComponent) error {
		opts := record.LogsOptions{Component: component, Since: r.opts.Since.Add(-lookBack),
			Until: r.opts.Until, Warn: r.warn}
		return r.cluster.Logs(ctx, opts, func(line record.LogEntry) error {
			mu.Lock()
			defer mu.Unlock()
			c.Add(line)
			return nil
		})
	})
}

// warn reports each host once. One that can be read in part, such as a PostgreSQL with log files
// of its own, is noted.
func (r *reader) warn(host string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	unreachable := errors.Is(err, remote.ErrUnreachable)
	note := fmt.Sprintf("%s: %v", host, err)
	if unreachable && r.failed[host] || slices.Contains(r.notes, note) {
		return
	}
	if r.failed[host] = r.failed[host] || unreachable; !unreachable {
		r.notes = append(r.notes, note)
	}
	if r.opts.Warn != nil {
		r.opts.Warn(host, err)
	}
}
