package inspect

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/configtree"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/spec"
)

// want translates the spec for package preflight.
func want(c *site.Site, h spec.Host) preflight.Want {
	sp := c.Spec
	host := c.LayoutOf(h)
	w := preflight.Want{Host: h.Name, Address: h.Address, User: sp.SSHOf(h).User,
		Packages: host.Packages().Names, Units: host.Units(layout.Service),
		Peers: peersOf(c, h, host)}
	for _, p := range host.Ports() {
		if !p.VRRP() {
			w.Ports = append(w.Ports, preflight.Port{Number: p.Number, Field: p.Field,
				Unit: p.Unit})
		}
	}
	for _, f := range host.Configurations() {
		w.Files = append(w.Files, preflight.File{Path: f.Path, Unit: f.Configures})
	}
	if sp.Timezone != "" {
		w.Zones = append(w.Zones, preflight.Setting{Value: sp.Timezone, Field: "timezone"})
	}
	if h.Has(spec.RoleDatabase) {
		wantDatabase(c, &w)
	}
	if sp.Runs(h, spec.RoleEtcd) {
		wantEtcd(c, &w)
	}
	w.Balancer = h.Has(spec.RoleBalancer)
	if w.Balancer && sp.VIP != nil {
		w.VIP, w.Interface = sp.VIP.Address, h.Interface
	}
	return w
}

func wantDatabase(c *site.Site, w *preflight.Want) {
	sp := c.Spec
	w.Database = true
	w.Begun = layout.BackupBegins
	w.Files = append(w.Files, preflight.File{Path: w.Begun, Unit: layout.PatroniUnit})
	if sp.Patroni.FastFailover.SuspectAfter > 0 {
		for _, other := range sp.Databases() {
			if other.Name != w.Host {
				w.Fences = append(w.Fences, other.Address)
			}
		}
	}
	w.Data = append(w.Data, preflight.Data{Path: path.Clean(sp.PostgreSQL.DataDir),
		Field: "postgresql.data_dir"})
	if sp.PostgreSQL.Source != spec.SourceDistribution {
		r := sp.PostgreSQL.Repository
		w.Repositories = []string{site.Repository{URL: r.URL, Suite: r.Suite,
			Codename: preflight.Codename}.Release()}
	}
	w.Locales = []preflight.Setting{{Value: sp.PostgreSQL.Locale, Field: "postgresql.locale"}}
	for _, name := range slices.Sorted(maps.Keys(sp.PostgreSQL.Parameters)) {
		value, field := fmt.Sprint(sp.PostgreSQL.Parameters[name]), configtree.ParameterPrefix+name
		switch strings.ToLower(name) {
		case "lc_messages", "lc_monetary", "lc_numeric", "lc_time":
			w.Locales = append(w.Locales, preflight.Setting{Value: value, Field: field})
		case "timezone", "log_timezone":
			// else it may be a rule, such as CET-1CEST
			if strings.Contains(value, "/") && !strings.ContainsAny(value, "<>, ") {
				w.Zones = append(w.Zones, preflight.Setting{Value: value, Field: field})
			}
		}
	}
	w.Locales = slices.DeleteFunc(w.Locales, func(s preflight.Setting) bool {
		return s.Value == ""
	})
}

func wantEtcd(c *site.Site, w *preflight.Want) {
	sp := c.Spec
	w.Etcd = true
	w.Data = append(w.Data, preflight.Data{Path: path.Clean(sp.Etcd.DataDir),
		Field: "etcd.data_dir", Etcd: true})
	if sp.Etcd.Source == spec.SourceRelease {
		w.EtcdVersion = sp.Etcd.Version
		w.Downloads = []string{etcd.Options{Version: sp.Etcd.Version, URL: sp.Etcd.URL}.DownloadURL(
			preflight.Architecture)}
	}
}

// belongs tells whether a host is this cluster's, or another's: by the authority that its etcd
// or its Patroni trusts, on a balancer by the configuration of HAProxy.
func belongs(c *site.Site, h spec.Host, f preflight.Facts) (member, stranger bool) {
	if !h.Has(spec.RoleDatabase) && !h.Has(spec.RoleEtcd) {
		return slices.Contains(f.Premises.Ours, lb.ConfigPath), false
	}
	member = shareAuthority([]byte(f.EtcdCA), c.Credentials().EtcdCA)
	return member, f.EtcdCA != "" && !member
}

// shareAuthority tells whether two bundles have a certificate in common: while an authority is
// replaced, each may hold one that the other does not.
func shareAuthority(a, b []byte) bool {
	for block, rest := pem.Decode(a); block != nil; block, rest = pem.Decode(rest) {
		for other, left := pem.Decode(b); other != nil; other, left = pem.Decode(left) {
			if bytes.Equal(block.Bytes, other.Bytes) {
				return true
			}
		}
	}
	return false
}

// judgeNetwork judges what the answers of all hosts tell together.
func judgeNetwork(c *site.Site, facts map[string]preflight.Facts) []preflight.Finding {
	if c.Spec.VIP == nil {
		return nil
	}
	var wants []preflight.Want
	hosts := map[string]preflight.Host{}
	for _, h := range c.Spec.Hosts {
		wants = append(wants, preflight.Want{Host: h.Name})
		hosts[h.Name] = facts[h.Name].Premises
	}
	return preflight.JudgeNetwork(wants, hosts, c.Spec.VIP.Address)
}
