package provision

import (
	"strings"

	"github.com/pgha/toolkit/internal/configtree"
)

// possession says which component a thing belongs to, and what it is made from.
type possession struct{ kind, prefix, owner, from string }

const (
	FromToolkit = "this program's own templates"
	FromLeaves  = "certificates in the state directory (state_dir, hosts, tls)"
)

// possessions are looked through from the top: the more special stand above.
var possessions = []possession{
	{"", "/etc/haproxy/haproxy.cfg", "haproxy", "balancer, hosts, postgresql.port, patroni.rest_port"},
	{"", "/etc/haproxy/certs", "haproxy", FromLeaves},
	{"", "/etc/systemd/system/haproxy", "haproxy", FromToolkit},
	{"unit", "haproxy", "haproxy", "hosts"},
	{"", "/etc/keepalived/keepalived.conf", "keepalived", "vip, hosts (priority, interface), balancer.stats_port"},
	{"", "/etc/keepalived", "keepalived", FromToolkit},
	{"", "/etc/systemd/system/keepalived", "keepalived", FromToolkit},
	{"unit", "keepalived", "keepalived", "hosts, vip"},
	{"user", "keepalived", "keepalived", FromToolkit},
	{"", "/etc/etcd/certs", "etcd", FromLeaves},
	{"", "/etc/etcd", "etcd", "etcd, hosts, cluster"},
	{"", "/etc/systemd/system/etcd", "etcd", "etcd.data_dir"},
	{"unit", "etcd", "etcd", "hosts"},
	{"user", "etcd", "etcd", FromToolkit},
	{"package", "etcd", "etcd", "etcd.source"},
	{"", "/etc/patroni/certs", "patroni", FromLeaves},
	{"", "/etc/patroni/config.yml", "patroni", "patroni, postgresql, hosts, cluster"},
	{"", "/etc/patroni/pgpass", "patroni", "secrets"},
	{"", "/etc/patroni", "patroni", "patroni, postgresql, secrets"},
	{"", "/etc/systemd/system/patroni", "patroni", "patroni, postgresql"},
	{"unit", "patroni", "patroni", "hosts"},
	{"unit", "pgha-watch", "patroni", FromToolkit},
	{"", "/etc/systemd/system/pgha-watch", "patroni", FromToolkit},
	{"", "/etc/systemd/system/pgha-sessions", "haproxy", FromToolkit},
	{"", "/usr/local/lib/pgha/end-former-sessions", "haproxy", FromToolkit},
	{"", "/usr/local/lib/pgha", "patroni", FromToolkit},
	{"", "/etc/needrestart", "patroni", "unattended.needrestart_exclude"},
	{"", "/etc/postgresql-common", "postgresql", FromToolkit},
	{"", "/etc/apt", "postgresql", "postgresql.source, postgresql.repository"},
	{"package", "postgresql", "postgresql", "postgresql.version, postgresql.source"},
	{"command", "time zone", "host", "timezone"},
}

// ownerOf says which component a change's subject belongs to and what of the specification it is made from. What is not
// listed belongs to the phase that makes it.
func ownerOf(ch PlannedChange) (owner, from string) {
	if ch.Kind == "setting" {
		return "patroni", configtree.SpecPath(ch.Name)
	}
	for _, p := range possessions {
		isPath := strings.HasPrefix(p.prefix, "/") && (ch.Kind == "file" || ch.Kind == "directory" || ch.Kind == "copy")
		if (isPath || p.kind == ch.Kind) && strings.HasPrefix(ch.Name, p.prefix) {
			return p.owner, p.from
		}
	}
	if ch.Kind == "package" {
		return strings.TrimPrefix(ch.Phase, "install "), "the role of the host"
	}
	return ch.Phase, ""
}
