package drill

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/patroni"
)

// describe notes on what the drill is made.
func (d *driller) describe(ctx context.Context, status pgha.Status) Result {
	sp := d.cluster.Spec
	r := Result{Cluster: sp.Cluster, Versions: d.versions(ctx, status),
		Promise: Promise{FailoverSeconds: sp.SLO.Failover.Seconds(),
			SwitchoverSeconds: sp.SLO.Switchover.Seconds(),
			LostRows:          sp.SLO.LostRows},
		Settings: map[string]string{
			"ttl": sp.Patroni.TTL.String(), "loop_wait": sp.Patroni.LoopWait.String(),
			"retry_timeout":         sp.Patroni.RetryTimeout.String(),
			"primary_start_timeout": sp.Patroni.PrimaryStartTimeout.String(),
			"profile":               string(sp.Patroni.Profile),
			"failsafe_mode":         fmt.Sprint(sp.Patroni.FailsafeMode),
			"synchronous_mode":      string(d.wanted("").mode),
			"check_interval":        sp.Balancer.CheckInterval.String(),
			"advert_interval":       sp.VIP.AdvertInterval.String(),
			"rate":                  fmt.Sprintf("%g/s", d.opts.Rate),
			"client":                string(d.opts.Client),
			"measured_through":      d.routes.text,
			"ports":                 string(d.opts.Through),
		}}
	if text, err := sp.Redacted().Marshal(); err == nil {
		r.Specification = string(text)
	}
	return r
}

// versions asks for them; what does not answer is left out.
func (d *driller) versions(ctx context.Context, status pgha.Status) map[string]string {
	v := map[string]string{"pgha": "(devel)"}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v["pgha"] = info.Main.Version
	}
	for _, e := range status.Etcd {
		v["etcd"] = e.Version
	}
	for _, b := range status.Balancers {
		v["haproxy"] = b.Version
	}
	word := func(host, component string, n int, argv ...string) {
		if t, err := d.cluster.Target(host); err == nil {
			out, err := t.Output(ctx, argv...)
			if words := strings.Fields(out); err == nil && len(words) > n {
				v[component] = strings.TrimPrefix(words[n], "v")
			}
		}
	}
	word(d.cluster.Spec.Databases()[0].Name, "patroni", 1, "patroni", "--version")
	word(d.cluster.Spec.Balancers()[0].Name, "keepalived", 1, "sh", "-c",
		"keepalived --version 2>&1")
	s := d.routes.through()
	defer s.drop()
	_ = s.do(ctx, 5*time.Second, func(ctx context.Context, c *pgx.Conn) error {
		v["postgresql"], _, _ = strings.Cut(c.PgConn().ParameterStatus("server_version"), " ")
		return nil
	})
	return v
}

// synchronousMode reads the mode that is set.
func (d *driller) synchronousMode(ctx context.Context) (synchronous, error) {
	config, err := d.cluster.DynamicConfig(ctx)
	if err != nil {
		return synchronous{}, err
	}
	var mode synchronous
	mode.mode, mode.nodes = patroni.SynchronousOf(config)
	return mode, nil
}

// wanted is the mode for a scenario that is about one, or about none ("").
func (d *driller) wanted(about patroni.SynchronousMode) synchronous {
	if about != "" {
		return synchronous{mode: about}
	}
	if d.opts.Synchronous != "" {
		return synchronous{mode: d.opts.Synchronous}
	}
	return d.mode
}

// setMode sets the synchronous mode that a scenario needs.
func (d *driller) setMode(ctx context.Context, sc Scenario) error {
	want := d.wanted(sc.Synchronous)
	if want.mode == d.now.mode {
		return nil
	}
	if _, err := d.healthy(ctx, d.opts.MendWithin); err != nil {
		return err
	}
	d.say(sc.Name, "synchronous mode "+string(want.mode)+" is set")
	_, err := d.cluster.SetSynchronous(ctx, pgha.SynchronousOptions{Mode: want.mode,
		Nodes: want.nodes})
	if err == nil {
		d.now = want
	}
	return err
}

// finish puts back the synchronous mode and drops the table.
func (d *driller) finish(ctx context.Context) error {
	var failed []error
	if d.now != d.mode {
		if _, err := d.healthy(ctx, healBound); err != nil {
			return err
		}
		_, err := d.cluster.SetSynchronous(ctx, pgha.SynchronousOptions{Mode: d.mode.mode,
			Nodes: d.mode.nodes})
		failed = append(failed, err)
	}
	s := d.routes.through()
	defer s.drop()
	failed = append(failed, s.do(ctx, 10*time.Second, func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "DROP TABLE IF EXISTS public.pgha_probe")
		return err
	}))
	return errs.Join(failed...)
}
