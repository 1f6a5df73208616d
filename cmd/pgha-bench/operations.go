package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/probe"
	"github.com/pgha/toolkit/pgha/spec"
)

const (
	// rate of the writer: a resolution of 20 ms.
	rate = 50
	// writesWithin is how long writes may stay away before the measurement is given up.
	writesWithin = 3 * time.Minute
	// calm is how long after the fault writes have to flow at least, so that a fault which only
	// bites a moment later, and writes that stop again, are seen.
	calm = 3 * time.Second
)

// bench is a lab with a cluster on it.
type bench struct {
	lab  *lab.Lab
	spec *pgha.Spec // as it was applied last; nil before
	// client is what the writer does with connections; "" is probe's default.
	client probe.Client
}

// operate measures the scenarios on one lab. What was measured before an error is printed too.
func operate(ctx context.Context, name string, runs int, only string,
	client probe.Client) error {
	chosen, err := selected(only)
	if err != nil {
		return err
	}
	var o outcomes
	err = withLab(ctx, name, func(l *lab.Lab) error {
		b := &bench{lab: l, client: client}
		for _, s := range chosen {
			for i := range runs {
				fmt.Fprintf(os.Stderr, "%s %d of %d: ", s.name, i+1, runs)
				m, err := b.measure(ctx, s)
				if err != nil {
					fmt.Fprintln(os.Stderr)
					return fmt.Errorf("%s: %w", s.name, err)
				}
				fmt.Fprintln(os.Stderr, m)
				o.add(s, m)
			}
		}
		return nil
	})
	return errors.Join(err, o.print(os.Stdout))
}

// measurement is one run of a scenario.
type measurement struct {
	gap     probe.Gap
	call    time.Duration // the longest that the writer's caller waited
	acked   int
	rows    probe.Comparison
	etcdToo bool          // the host that was lost led etcd as well
	healed  time.Duration // from the heal until everything was healthy
}

func (m measurement) String() string {
	return fmt.Sprintf(
		"%.2f s without writes %v, longest call %.2f s, %d rows acknowledged, %d lost, %d unexplained, healthy after "+
			"%.1f s more",
		m.gap.Seconds, m.gap.Causes, m.call.Seconds(), m.acked, len(m.rows.Lost), len(m.rows.Unexplained),
		m.healed.Seconds())
}

// measure runs a scenario once on a healthy cluster and leaves a healthy one.
func (b *bench) measure(ctx context.Context, sc scenario) (m measurement, err error) {
	if err := b.apply(ctx, sc.profile); err != nil {
		return m, err
	}
	config, err := b.config()
	if err != nil {
		return m, err
	}
	if _, err := b.awaitHealthy(ctx); err != nil {
		return m, err
	}
	w, err := probe.Start(ctx,
		probe.Options{Config: config, Rate: rate, Client: b.client, Log: filepath.Join(b.lab.StateDir(),
			"acknowledged")})
	if err != nil {
		return m, err
	}
	// Whoever gets this far asks Stop for its error below; before that there is a worse one.
	defer func() { _, _ = w.Stop(context.WithoutCancel(ctx)) }()
	before, err := b.calmScene(ctx)
	if err != nil {
		return m, err
	}
	fault, err := b.disturb(ctx, sc, &before, w)
	if err != nil {
		return m, err
	}
	result, err := w.Stop(ctx)
	if err != nil {
		return m, err
	}
	since := result.Since(fault)
	m = measurement{gap: since.Longest(), call: since.LongestCall(), acked: result.Count(probe.Acked),
		etcdToo: sc.hostLost && before.leader == before.etcdLeader}
	start := time.Now()
	if sc.heal != nil {
		if err := sc.heal(ctx, b, before); err != nil {
			return m, err
		}
	}
	if _, err := b.awaitHealthy(ctx); err != nil {
		return m, err
	}
	m.healed = time.Since(start)
	m.rows, err = b.compare(ctx, config, result)
	return m, err
}

// disturb makes the scenario happen, waits until writes flow again, and returns when it began.
func (b *bench) disturb(ctx context.Context, sc scenario, s *scene,
	w *probe.Writer) (fault time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, writesWithin)
	defer cancel()
	if sc.etcdToo {
		if err := b.moveEtcd(ctx, s); err != nil {
			return fault, err
		}
	}
	if err := w.WaitAcked(ctx, time.Now()); err != nil {
		return fault, err
	}
	fault = time.Now()
	if err := sc.cause(ctx, b, *s); err != nil {
		return fault, err
	}
	return fault, w.WaitAcked(ctx, time.Now().Add(calm))
}

// apply brings the cluster to a profile, unless it has it.
func (b *bench) apply(ctx context.Context, profile spec.Profile) error {
	if b.spec != nil && b.spec.Patroni.Profile == profile {
		return nil
	}
	sp, err := specOf(b.lab, fmt.Sprintf("patroni: {profile: %s}\n", profile))
	if err != nil {
		return err
	}
	err = connected(ctx, b.lab, sp, pgha.ConnectOptions{}, func(c *pgha.Cluster) error {
		_, err := c.Apply(ctx, pgha.ApplyOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("apply profile %s: %w", profile, err)
	}
	b.spec = sp
	return nil
}

// config leads through the virtual IP, from a place in the lab's network that is none of its hosts.
func (b *bench) config() (*pgx.ConnConfig, error) {
	connection, err := pgha.ConnectionFor(b.spec)
	if err != nil {
		return nil, err
	}
	cfg, err := pgx.ParseConfig(connection.URL)
	if err != nil {
		return nil, err
	}
	cfg.DialFunc = b.lab.DialContext
	cfg.LookupFunc = func(_ context.Context, host string) ([]string, error) {
		return []string{host}, nil
	}
	return cfg, nil
}

// compare asks the leader of the healthy cluster what became of the rows.
func (b *bench) compare(ctx context.Context, config *pgx.ConnConfig,
	result probe.Result) (probe.Comparison, error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return probe.Comparison{}, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	present, err := probe.Rows(ctx, conn, result.Table, result.Run)
	return result.Compare(present), err
}
