package etcd

import (
	"context"
	"slices"

	"github.com/pgha/toolkit/pgha/remote"
)

// Install puts programs, user, folders, certificates, configuration and unit in place on all members at the same time,
// and enables the unit. It starts and restarts nothing. It needs the packages of PackageNames.
//
// On the hosts it owns /etc/etcd, the data directory, /etc/systemd/system/etcd.service, the user etcd and, unless the
// distribution brings them, etcd's programs in /usr/local/bin. Keys are readable by root and the group etcd alone.
// Safe to repeat: the second time nothing changes.
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

// install does it. While no member has data the cluster is still to be formed; else a member without data must not start
// before admit has found out what it is.
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
	public := func(name string, content []byte) remote.File {
		return remote.File{FileMeta: remote.FileMeta{Path: certDir + "/" + name, Group: user}, Content: content}
	}
	secret := func(name string, content []byte) remote.File {
		return remote.File{FileMeta: remote.FileMeta{Path: certDir + "/" + name, Group: user, Mode: 0o640}, Content: content, Secret: true}
	}
	// etcd reads a certificate and its key at every handshake: one without the other would end TLS.
	certificates := remote.Together{
		public("ca.crt", o.CA),
		public("server.crt", m.Server.Cert), secret("server.key", m.Server.Key),
		public("peer.crt", m.Peer.Cert), secret("peer.key", m.Peer.Key),
	}
	if !m.Gateway.empty() {
		certificates = append(certificates, public("gateway.crt", m.Gateway.Cert), secret("gateway.key", m.Gateway.Key))
	}
	return []remote.Resource{
		remote.User{Name: user, Home: o.DataDir},
		remote.Dir{FileMeta: remote.FileMeta{Path: configDir}},
		remote.Dir{FileMeta: remote.FileMeta{Path: certDir, Group: user, Mode: 0o750}},
		remote.Dir{FileMeta: remote.FileMeta{Path: o.DataDir, Owner: user, Group: user, Mode: 0o700}},
		certificates,
		o.environmentFile(m, how),
		remote.File{FileMeta: remote.FileMeta{Path: unitFile}, Content: o.service()},
		remote.Unit{Name: unit, Enabled: remote.Yes},
	}
}

func (o Options) environmentFile(m Member, how entry) remote.Resource {
	return remote.File{FileMeta: remote.FileMeta{Path: envFile}, Content: o.environment(m, how)}
}
