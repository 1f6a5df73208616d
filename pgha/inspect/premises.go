package inspect

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/configtree"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/spec"
)

// Files that apply replaces whole, and that somebody else may have written before.
const (
	haproxyConfig    = "/etc/haproxy/haproxy.cfg"
	keepalivedConfig = "/etc/keepalived/keepalived.conf"
	etcdConfig       = "/etc/etcd/etcd.env"
	etcdUnitFile     = "/etc/systemd/system/etcd.service"
)

// want translates the spec for package preflight.
func want(c *site.Site, h spec.Host) preflight.Want {
	sp := c.Spec
	w := preflight.Want{Host: h.Name, Address: h.Address, Packages: packagesOf(c, h), Units: c.UnitsOf(h), User: sp.SSHOf(h).User}
	for _, r := range Routes(c) {
		if to, err := sp.Host(r.To); r.From == h.Name && err == nil {
			w.Peers = append(w.Peers, preflight.Peer{Name: to.Name, Address: to.Address})
		}
	}
	slices.SortFunc(w.Peers, func(a, b preflight.Peer) int { return strings.Compare(a.Name, b.Name) })
	w.Peers = slices.Compact(w.Peers)
	if sp.Timezone != "" {
		w.Zones = append(w.Zones, preflight.Setting{Value: sp.Timezone, Field: "timezone"})
	}
	if h.Role == spec.RoleBalancer {
		wantBalancer(c, &w, h)
	} else {
		wantDatabase(c, &w)
	}
	return w
}

func wantBalancer(c *site.Site, w *preflight.Want, h spec.Host) {
	b := c.Spec.Balancer
	w.Ports = []preflight.Port{{Number: b.WritePort, Field: "balancer.write_port", Unit: site.HaproxyUnit},
		{Number: b.ReadPort, Field: "balancer.read_port", Unit: site.HaproxyUnit}, {Number: b.StatsPort, Field: "balancer.stats_port", Unit: site.HaproxyUnit}}
	w.Files = []preflight.File{{Path: haproxyConfig, Unit: site.HaproxyUnit}}
	if c.Spec.VIP != nil {
		w.VIP, w.Interface = c.Spec.VIP.Address, h.Interface
		w.Files = append(w.Files, preflight.File{Path: keepalivedConfig, Unit: site.KeepalivedUnit})
	}
}

func wantDatabase(c *site.Site, w *preflight.Want) {
	sp := c.Spec
	w.Database = true
	w.Ports = []preflight.Port{{Number: sp.PostgreSQL.Port, Field: "postgresql.port", Unit: site.PatroniUnit},
		{Number: sp.Patroni.RESTPort, Field: "patroni.rest_port", Unit: site.PatroniUnit},
		{Number: sp.Etcd.ClientPort, Field: "etcd.client_port", Unit: site.EtcdUnit}, {Number: sp.Etcd.PeerPort, Field: "etcd.peer_port", Unit: site.EtcdUnit}}
	w.Data = []preflight.Data{{Path: path.Clean(sp.PostgreSQL.DataDir), Field: "postgresql.data_dir"}, {Path: path.Clean(sp.Etcd.DataDir), Field: "etcd.data_dir", Etcd: true}}
	w.Files = []preflight.File{{Path: patroni.ConfigPath, Unit: site.PatroniUnit}, {Path: etcdConfig, Unit: site.EtcdUnit}, {Path: etcdUnitFile, Unit: site.EtcdUnit}}
	if sp.PostgreSQL.Source != spec.SourceDistribution {
		r := sp.PostgreSQL.Repository
		w.Repositories = []string{site.Repository{URL: r.URL, Suite: r.Suite, Codename: preflight.Codename}.Release()}
	}
	if sp.Etcd.Source == spec.SourceRelease {
		w.EtcdVersion = sp.Etcd.Version
		w.Downloads = []string{etcd.Options{Version: sp.Etcd.Version, URL: sp.Etcd.URL}.DownloadURL(preflight.Architecture)}
	}
	w.Locales = []preflight.Setting{{Value: sp.PostgreSQL.Locale, Field: "postgresql.locale"}}
	for _, name := range slices.Sorted(maps.Keys(sp.PostgreSQL.Parameters)) {
		value, field := fmt.Sprint(sp.PostgreSQL.Parameters[name]), configtree.ParameterPrefix+name
		switch strings.ToLower(name) {
		case "lc_messages", "lc_monetary", "lc_numeric", "lc_time":
			w.Locales = append(w.Locales, preflight.Setting{Value: value, Field: field})
		case "timezone", "log_timezone":
			if strings.Contains(value, "/") && !strings.ContainsAny(value, "<>, ") { // else it may be a rule, such as CET-1CEST
				w.Zones = append(w.Zones, preflight.Setting{Value: value, Field: field})
			}
		}
	}
	w.Locales = slices.DeleteFunc(w.Locales, func(s preflight.Setting) bool { return s.Value == "" })
}

// belongs tells whether a host is this cluster's, or another's: by the authority that its etcd trusts, on a balancer by the
// configuration of HAProxy.
func belongs(c *site.Site, h spec.Host, f preflight.Facts) (member, stranger bool) {
	if h.Role == spec.RoleBalancer {
		return slices.Contains(f.Premises.Ours, haproxyConfig), false
	}
	member = f.EtcdCA != "" && strings.Contains(f.EtcdCA, strings.TrimSpace(string(c.Credentials.EtcdCA)))
	return member, f.EtcdCA != "" && !member
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
