package etcd

import (
	_ "embed"
	"path"
	"strings"

	"github.com/pgha/toolkit/pgha/layout"
)

//go:embed etcdctl.sh
var etcdctlTemplate string

// etcdctlPath comes before etcdctl's own folder in the search path that root has from sshd, sudo
// and login; a file of /etc/profile.d is read by a login shell alone.
const etcdctlPath = "/usr/local/sbin/etcdctl"

// etcdctl renders the command that root has in etcdctl's place: it knows the members, and shows the
// certificate with which etcd of m calls itself.
func (o Options) etcdctl(m Member) []byte {
	var endpoints []string
	for _, p := range o.Members {
		endpoints = append(endpoints, o.clientURL(p))
	}
	shown := layout.CertificateOf(layout.EtcdGateway)
	if m.Gateway.IsZero() {
		shown = layout.CertificateOf(layout.EtcdServer)
	}
	r := strings.NewReplacer("{{endpoints}}", strings.Join(endpoints, ","),
		"{{ca}}", CAFile, "{{cert}}", shown.File, "{{key}}", shown.Key,
		"{{program}}", path.Join(path.Dir(o.program()), "etcdctl"))
	return []byte(r.Replace(etcdctlTemplate))
}
