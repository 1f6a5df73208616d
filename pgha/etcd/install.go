package etcd

import (
	"context"
	"slices"

	"github.com/pgha/toolkit/pgha/remote"
)

// Install puts programs, user, folders, certificates, configuration and unit in place on all
// members at the same time, and enables the unit. It starts and restarts nothing. It needs the
// packages of Layout.
//
// On the hosts it owns /etc/etcd, the data directory, /etc/systemd/system/etcd.service, the user
// etcd, /usr/local/sbin/etcdctl, which is etcdctl with members and certificate for root, and,
// unless the distribution brings them, etcd's programs in /usr/local/bin. Keys are readable by root
// and the group etcd alone. Safe to repeat: the second time nothing changes.
func Install(ctx context.Context, o Options) error {
	o = o.withDefaults()
	if err := o.Validate(); err != nil {
		return err
	}
	seen, err := o.lookAll(ctx)
	if err != nil {
		return err
	}
	return o.install(ctx, seen)
}

// install does it. While no member has data the cluster is still to be formed; else a member
// without data must not start before admit has found out what it is.
func (o Options) install(ctx context.Context, seen []facts) error {
	how := formed
	if !slices.ContainsFunc(seen, func(f facts) bool { return f.hasData }) {
		how = founding
	}
	return o.each(ctx, func(ctx context.Context, i int, m Member) error {
		if err := o.installProgram(ctx, m.Target, seen[i]); err != nil {
			return err
		}
		_, err := m.Target.Ensure(ctx, o.resources(m, how)...)
		return err
	})
}

// resources are everything on a member's host but the programs and the process.
func (o Options) resources(m Member, how entry) []remote.Resource {
	l := Layout(o)
	return []remote.Resource{
		remote.User{Name: user, Home: o.DataDir},
		l.Folder(configDir), l.Folder(certDir), l.Folder(o.DataDir),
		certificates(o, m),
		o.environmentFile(m, how),
		l.Place(unitFile, o.service()),
		l.Place(etcdctlPath, o.etcdctl(m)),
		remote.Unit{Name: Unit, Enabled: remote.Yes},
	}
}

func (o Options) environmentFile(m Member, how entry) remote.Resource {
	return Layout(o).Place(envFile, o.environment(m, how))
}
