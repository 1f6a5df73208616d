package site

import (
	"path"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/pooler"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/vip"
)

// Layout describes what apply puts on a host, each component in the order in which it is started.
// Pure computation.
func Layout(sp *spec.Spec, h spec.Host) layout.Host {
	on := layout.Host{hostLayout()}
	if sp.Runs(h, spec.RoleDatabase) {
		on = append(on, RepositoryLayout(sp))
	}
	if sp.Runs(h, spec.RoleEtcd) {
		on = append(on, EtcdLayouts(h, etcd.Layout(etcdOptions(sp)))...)
	}
	if sp.Runs(h, spec.RoleDatabase) {
		po := patroniOptions(sp)
		on = append(on, patroni.ServerLayout(po), patroni.Layout(po))
	}
	if sp.Runs(h, spec.RoleBalancer) {
		on = append(on, lb.Layout(balancerOptions(sp)))
		if sp.Pooler != nil { // the address's holder has one that answers
			on = append(on, pooler.Layout(poolerOptions(sp)))
		}
		on = append(on, addressLayout(sp))
	}
	if sp.BacksUp(h) {
		bo := backupOptions(sp)
		on = append(on, backup.Layout(bo, backup.Host{Target: named(h)}))
	}
	return on
}

// EtcdLayouts are what a host gets for its member of etcd: of, and before it the programs by which
// certificates and the member are looked at. A host of a database has them with PostgreSQL and
// Patroni.
func EtcdLayouts(h spec.Host, of layout.Layout) layout.Host {
	if h.Has(spec.RoleDatabase) {
		return layout.Host{of}
	}
	tools := layout.Layout{Component: "tools", PackagesFrom: layout.FromRole,
		Packages: remote.Packages{Names: []string{"openssl", "python3"}}}
	return layout.Host{tools, of}
}

// addressLayout describes what keepalived needs.
func addressLayout(sp *spec.Spec) layout.Layout {
	address := vip.Layout(vip.Options{PoolerPorts: poolerPorts(sp)})
	if sp.VIP == nil { // its packages are installed, and nothing of it is set up
		address = layout.Layout{Component: address.Component, Packages: address.Packages,
			PackagesFrom: address.PackagesFrom}
	}
	return address
}

// LayoutOf describes what apply puts on a host.
func (c *Site) LayoutOf(h spec.Host) layout.Host { return Layout(c.Spec, h) }

// UnitsOf returns the cluster's services on a host, in the order in which they are started.
func (c *Site) UnitsOf(h spec.Host) []string { return c.LayoutOf(h).Units(layout.Service) }

const needrestartFile = "/etc/needrestart/conf.d/pgha.conf"

// hostLayout describes what every host has, whatever runs on it.
func hostLayout() layout.Layout {
	l := layout.Layout{Component: "host"}
	for _, dir := range []string{path.Dir(path.Dir(needrestartFile)), path.Dir(needrestartFile)} {
		l.Files = append(l.Files, layout.File{Path: dir, Dir: true, From: needrestartFrom})
	}
	l.Files = append(l.Files, layout.File{Path: needrestartFile, From: needrestartFrom})
	return l
}

const needrestartFrom = "unattended.needrestart_exclude"

// BaseResources returns what every host has, whatever runs on it.
//
// They keep needrestart, which often runs after unattended upgrades, from restarting the services
// of the cluster: on all hosts at once that would be an outage. Security updates are still
// installed; they take effect with the next restart by an operator. The file fits every host, and
// does no harm where needrestart is not installed.
func BaseResources(sp *spec.Spec) []remote.Resource {
	if !sp.Unattended.NeedrestartExclude {
		return []remote.Resource{remote.Absent{Path: needrestartFile}}
	}
	l := hostLayout()
	return []remote.Resource{
		l.Folder(path.Dir(path.Dir(needrestartFile))), l.Folder(path.Dir(needrestartFile)),
		l.Place(needrestartFile, needrestart(sp)),
	}
}

// needrestart names the services of all components, and those that their packages bring; the
// pooler's where there is one.
func needrestart(sp *spec.Spec) []byte {
	var names []string
	layouts := []layout.Layout{
		patroni.Layout(patroni.Options{}), patroni.ServerLayout(patroni.Options{}),
		etcd.Layout(etcd.Options{}),
		lb.Layout(lb.Options{}), vip.Layout(vip.Options{}),
	}
	if sp.Pooler != nil {
		layouts = append(layouts, pooler.Layout(pooler.Options{}))
	}
	for _, l := range layouts {
		host := layout.Host{l}
		for _, unit := range slices.Concat(host.Units(layout.Service), l.Packages.Quiet) {
			names = append(names, strings.TrimSuffix(unit, ".service"))
		}
	}
	return []byte(
		`# Written by pgha: services of the cluster are restarted one host after the other, by an operator.
$nrconf{override_rc}->{qr(^(` + strings.Join(slices.Compact(names), "|") + `)(@.*)?\.service$)} = 0;
`)
}
