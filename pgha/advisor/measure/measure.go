package measure

import (
	"context"
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/advisor"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

//go:embed advise_measure.sh
var measureScript string

//go:embed advise_strangers.pl
var strangersScript string

// Measure asks the hosts, etcd and, with database, the leader, all at the same time. What does not
// answer is in the errors.
func Measure(ctx context.Context, c *site.Site, database bool) (advisor.Facts, map[string]string) {
	facts, errs := noFacts(), map[string]string{}
	var mu sync.Mutex
	note := func(what string, err error) {
		mu.Lock()
		defer mu.Unlock()
		errs[what] = err.Error()
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if !database {
			return
		}
		db, err := measureDatabase(ctx, c)
		if err != nil {
			note("database", err)
			return
		}
		facts.Database = &db
	})
	for _, t := range c.Targets() {
		wg.Go(func() {
			h, err := c.Spec.Host(t.Name)
			if err == nil && h.Has(spec.RoleBalancer) {
				var heard []advisor.Stranger
				heard, err = hearStrangers(ctx, c, t)
				mu.Lock()
				facts.Strangers = append(facts.Strangers, heard...)
				mu.Unlock()
			}
			if err != nil {
				note(t.Name+" network", err)
			}
		})
		wg.Go(func() {
			host, trips, err := measureHost(ctx, c, t)
			if err != nil {
				note(t.Name, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			facts.Hosts[t.Name] = host
			facts.RoundTrips = append(facts.RoundTrips, trips...)
		})
	}
	wg.Wait()
	place := func(name string) int {
		return slices.IndexFunc(c.Spec.Hosts, func(h spec.Host) bool { return h.Name == name })
	}
	slices.SortStableFunc(facts.RoundTrips, func(a, b advisor.RoundTrip) int {
		return place(a.From) - place(b.From)
	})
	slices.SortStableFunc(facts.Strangers, func(a, b advisor.Stranger) int {
		return place(a.On) - place(b.On)
	})
	return facts, errs
}

// measureHost measures one host: its disk by etcd's own histogram if that has counted enough, else
// by writing.
func measureHost(ctx context.Context, c *site.Site,
	t *remote.Target) (advisor.HostFacts, []advisor.RoundTrip, error) {
	h, err := c.Spec.Host(t.Name)
	if err != nil {
		return advisor.HostFacts{}, nil, err
	}
	var histogram advisor.Sync
	write := "no"
	if c.Spec.Runs(h, spec.RoleEtcd) {
		if histogram, err = etcdSync(ctx, c, t); err != nil {
			write = "yes"
		}
	}
	argv := []string{"timeout", "8", "bash", "-c", measureScript, "measure", write,
		c.Spec.Etcd.DataDir,
		c.Spec.PostgreSQL.DataDir}
	others, port := dialled(c.Spec, h)
	names := map[string]string{}
	for _, to := range others {
		if to.Name != h.Name {
			names[to.Address] = to.Name
			argv = append(argv, to.Address, strconv.Itoa(port))
		}
	}
	out, err := t.Output(ctx, argv...)
	if err != nil {
		return advisor.HostFacts{}, nil, fmt.Errorf("measure: %w", err)
	}
	facts, trips := parseMeasured(out, h.Name, names)
	if histogram.Samples > 0 {
		facts.Sync = histogram
	}
	return facts, trips, nil
}

// dialled are the hosts to which a host's round trips are measured, and the port that it dials
// there also when nobody measures: etcd's members each other, databases without etcd its members,
// and balancers the databases.
func dialled(sp *spec.Spec, h spec.Host) ([]spec.Host, int) {
	switch {
	case sp.Runs(h, spec.RoleEtcd):
		return sp.EtcdHosts(), sp.Etcd.PeerPort
	case h.Has(spec.RoleDatabase):
		return sp.EtcdHosts(), sp.Etcd.ClientPort
	}
	return sp.Databases(), sp.Patroni.RESTPort
}

// parseMeasured reads the output of advise_measure.sh; names are those of the addresses that were
// dialled.
func parseMeasured(out, host string,
	names map[string]string) (advisor.HostFacts, []advisor.RoundTrip) {
	var facts advisor.HostFacts
	var syncs []float64
	connects := map[string][]float64{}
	for line := range strings.Lines(out) {
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		f := strings.Fields(rest)
		switch {
		case kind == "memory" && len(f) == 1:
			facts.MemoryBytes = kibibytes(f[0])
		case kind == "data" && len(f) >= 4:
			facts.DataDisk, facts.DataFree = f[0], kibibytes(f[3])
		case kind == "etcd" && len(f) >= 4:
			facts.EtcdDisk = f[0]
		case kind == "watchdog":
			facts.Watchdog = true
		case kind == "connect" && len(f) == 2:
			if us, err := strconv.ParseUint(f[1], 10, 53); err == nil {
				connects[f[0]] = append(connects[f[0]], float64(us)/1e6)
			}
		case kind == "sync":
			_, took, _ := strings.Cut(rest, " copied, ")
			number, _, _ := strings.Cut(took, " ")
			if s, err := strconv.ParseFloat(number, 64); err == nil && s >= 0 &&
				!math.IsInf(s, 1) {
				syncs = append(syncs, s)
			}
		}
	}
	if len(syncs) > 0 {
		slices.Sort(syncs)
		// The slowest of fewer than a hundred may be chance.
		at := max(min(int(math.Ceil(0.99*float64(len(syncs)))), len(syncs)-1), 1) - 1
		facts.Sync = advisor.Sync{P99Seconds: syncs[at], Samples: len(syncs),
			Source: fmt.Sprintf("%d writes of 2300 bytes beside etcd's data", len(syncs))}
	}
	var trips []advisor.RoundTrip
	for address, took := range connects {
		slices.Sort(took)
		trips = append(trips, advisor.RoundTrip{From: host, To: names[address],
			Seconds: took[len(took)/2]})
	}
	slices.SortFunc(trips, func(a, b advisor.RoundTrip) int { return strings.Compare(a.To, b.To) })
	return facts, trips
}

func kibibytes(text string) int64 {
	n, err := strconv.ParseUint(text, 10, 43)
	if err != nil {
		return 0
	}
	return int64(n) * 1024
}

// hearFor is how long other virtual routers are listened for: their usual interval is a second.
const hearFor = 1 * time.Second

// hearStrangers listens on a balancer for virtual routers that are none of this cluster's.
func hearStrangers(ctx context.Context, c *site.Site,
	t *remote.Target) ([]advisor.Stranger, error) {
	if c.Spec.VIP == nil {
		return nil, nil
	}
	out, err := t.Output(ctx, "perl", "-e", strangersScript, strconv.Itoa(int(hearFor.Seconds())),
		t.Address)
	if err != nil {
		return nil, fmt.Errorf("listen for other virtual routers: %w", err)
	}
	return strangers(out, c.Spec.Balancers(), t.Name), nil
}

// strangers reads the output of advise_strangers.pl and leaves the cluster's own balancers out.
func strangers(out string, own []spec.Host, on string) []advisor.Stranger {
	var found []advisor.Stranger
	for line := range strings.Lines(out) {
		from, id, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.Atoi(id)
		if err != nil || slices.ContainsFunc(own, func(h spec.Host) bool {
			return h.Address == from
		}) {
			continue
		}
		found = append(found, advisor.Stranger{On: on, From: from, RouterID: n})
	}
	return found
}
