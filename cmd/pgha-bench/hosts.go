package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/probe"
	"github.com/pgha/toolkit/pgha/spec"
)

// hostChange is a change of hosts under a writer.
type hostChange struct {
	title, goal string // seconds to done, seconds without writes
	// before brings about what the change is the answer to; nil for nothing.
	before func(ctx context.Context, f *farm) error
	do     func(ctx context.Context, f *farm, c *pgha.Cluster) (pgha.HostResult, error)
}

// farm is a cluster whose hosts come and go.
type farm struct {
	lab  *lab.Lab
	spec *pgha.Spec
	// databases and balancers are bare hosts beside the cluster.
	databases, balancers []lab.Host
	dead                 string
}

// hostChanges in the order in which they are measured: each begins with what the one before left.
var hostChanges = [...]hostChange{
	{"add a replica's host", "<= 30, 0.3", nil, func(ctx context.Context, f *farm,
		c *pgha.Cluster) (pgha.HostResult, error) {
		h := of(f.databases[0])
		h.Role = spec.RoleDatabase
		return c.AddHosts(ctx, pgha.AddHostsOptions{Hosts: []spec.Host{h}})
	}},
	{"remove a replica's host", "<= 10, 0.3", nil, func(ctx context.Context, f *farm,
		c *pgha.Cluster) (pgha.HostResult, error) {
		return c.RemoveHosts(ctx, pgha.RemoveHostsOptions{Hosts: []string{f.databases[0].Name},
			Clean: true})
	}},
	{"add a balancer", "<= 30, 0.3", nil, func(ctx context.Context, f *farm,
		c *pgha.Cluster) (pgha.HostResult, error) {
		return c.AddHosts(ctx, pgha.AddHostsOptions{Hosts: []spec.Host{of(f.balancers[0])}})
	}},
	{"remove a balancer without the address", "<= 10, 0.3", nil, func(ctx context.Context, f *farm,
		c *pgha.Cluster) (pgha.HostResult, error) {
		return c.RemoveHosts(ctx, pgha.RemoveHostsOptions{Hosts: []string{f.balancers[0].Name}})
	}},
	{"replace a dead replica's host", "<= 45, 0.3", func(ctx context.Context, f *farm) error {
		f.dead = "postgres-03"
		return f.lab.Kill(ctx, f.dead)
	}, func(ctx context.Context, f *farm, c *pgha.Cluster) (pgha.HostResult, error) {
		return c.ReplaceHost(ctx, pgha.ReplaceHostOptions{Host: f.dead, With: of(f.databases[0])})
	}},
	{"replace the leader's living host", "<= 60, a switchover's", nil, func(ctx context.Context,
		f *farm, c *pgha.Cluster) (pgha.HostResult, error) {
		s, err := c.Status(ctx)
		if err != nil {
			return pgha.HostResult{}, err
		}
		return c.ReplaceHost(ctx, pgha.ReplaceHostOptions{Host: s.Leader(), With: of(f.databases[1]),
			Clean: true})
	}},
}

// of is a lab's host for a specification, with the roles of the one whose place it takes.
func of(h lab.Host) spec.Host {
	s := spec.Host{Name: h.Name, Address: h.Address, Member: h.Member}
	if h.Role == lab.RoleBalancer {
		s.Role = spec.RoleBalancer
	}
	return s
}

// hostFigures is what one change gave.
type hostFigures struct {
	hostChange
	took, gap   float64 // seconds
	lost, acked int
	err         error
}

// measureHosts lets hosts come and go on one lab, under a writer, and prints a table.
func measureHosts(ctx context.Context, name string, w io.Writer) error {
	var all []hostFigures
	err := withLab(ctx, lab.Options{Name: name, Hosts: 5, Databases: 3, Installed: true}, func(l *lab.Lab) error {
		f := &farm{lab: l}
		var err error
		if f.spec, err = specOf(l, "patroni: {profile: fast}\n"); err != nil {
			return err
		}
		if err := f.nameEtcd(); err != nil {
			return err
		}
		if err := connected(ctx, l, f.spec, pgha.ConnectOptions{}, func(c *pgha.Cluster) error {
			_, err := c.Apply(ctx, pgha.ApplyOptions{})
			return err
		}); err != nil {
			return err
		}
		for _, role := range []string{lab.RoleDatabase, lab.RoleDatabase, lab.RoleBalancer} {
			larger, h, err := f.lab.Add(ctx, role)
			if err != nil {
				return err
			}
			if f.lab = larger; role == lab.RoleDatabase {
				f.databases = append(f.databases, h)
			} else {
				f.balancers = append(f.balancers, h)
			}
		}
		for _, change := range hostChanges {
			figures := f.measure(ctx, change)
			all = append(all, figures)
			if figures.err != nil {
				return fmt.Errorf("%s: %w", change.title, figures.err)
			}
			fmt.Fprintf(os.Stderr, "%s: %.1f s, %.2f s without writes, %d of %d rows lost\n",
				change.title, figures.took, figures.gap, figures.lost, figures.acked)
		}
		return nil
	})
	return errors.Join(err, printHosts(w, all))
}

// nameEtcd says in the specification which hosts run etcd, so that databases without it come and go
// one by one.
func (f *farm) nameEtcd() error {
	for i, h := range f.spec.Hosts {
		if h.Role == spec.RoleDatabase {
			f.spec.Hosts[i].Role = ""
			f.spec.Hosts[i].Roles = []spec.Role{spec.RoleDatabase, spec.RoleEtcd}
		}
	}
	return f.reread(nil)
}

// reread takes a specification's text; nil is that of the present one.
func (f *farm) reread(text []byte) (err error) {
	if text == nil {
		if text, err = f.spec.Marshal(); err != nil {
			return err
		}
	}
	f.spec, err = spec.Parse("lab "+f.lab.Name(), text)
	return err
}

// measure makes one change under a writer.
func (f *farm) measure(ctx context.Context, change hostChange) hostFigures {
	figures := hostFigures{hostChange: change}
	figures.err = func() error {
		if change.before != nil {
			if err := change.before(ctx, f); err != nil {
				return err
			}
		}
		var cfg *pgx.ConnConfig
		connect := pgha.ConnectOptions{AllowUnreachable: true}
		err := connected(ctx, f.lab, f.spec, connect, func(c *pgha.Cluster) (err error) {
			cfg, err = c.ConnConfig()
			return err
		})
		if err != nil {
			return err
		}
		cfg.DialFunc = f.lab.DialContext
		return f.under(ctx, cfg, &figures)
	}()
	return figures
}

// under makes the change, from the connecting on, while a writer writes.
func (f *farm) under(ctx context.Context, cfg *pgx.ConnConfig, figures *hostFigures) error {
	writer, err := probe.Start(ctx, probe.Options{Config: cfg, Rate: rate})
	if err != nil {
		return err
	}
	began := time.Now()
	var result pgha.HostResult
	err = connected(ctx, f.lab, f.spec, pgha.ConnectOptions{AllowUnreachable: true},
		func(c *pgha.Cluster) (err error) {
			result, err = figures.do(ctx, f, c)
			return err
		})
	figures.took = time.Since(began).Seconds()
	if err == nil {
		err = writer.WaitAcked(ctx, time.Now())
	}
	rows, stopErr := writer.Stop(ctx)
	if err = errors.Join(err, stopErr); err != nil {
		return err
	}
	figures.gap, figures.acked = rows.Since(began).Longest().Seconds, rows.Count(probe.Acked)
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	present, err := probe.Rows(ctx, conn, rows.Table, rows.Run)
	if err != nil {
		return err
	}
	figures.lost = len(rows.Compare(present).Lost)
	return f.reread(result.Specification)
}

func printHosts(w io.Writer, all []hostFigures) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "HOSTS COME AND GO\tSECONDS\tWITHOUT WRITES\tROWS LOST\tOF\tGOAL")
	for _, k := range all {
		if k.err != nil {
			fmt.Fprintf(tw, "%s\t-\t-\t-\t-\t%s\n", k.title, k.goal)
			continue
		}
		fmt.Fprintf(tw, "%s\t%.1f\t%.2f\t%d\t%d\t%s\n", k.title, k.took, k.gap, k.lost, k.acked,
			k.goal)
	}
	return tw.Flush()
}
