package host

import (
	"fmt"
	"path"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

// ctlPath is what patronictl reads where neither a flag nor PATRONICTL_CONFIG_FILE names another
// file. patronictl cannot do that for config.yml: without a file it finds no cluster and ends with
// 0 (4.1.5).
const ctlPath = "/root/.config/patroni/patronictl.yaml"

const ctlHeader = `# What patronictl reads for root, written by pgha from the cluster's specification.
`

// ctlFile is patronictl.yaml. It names Patroni's own certificates, which root may read.
type ctlFile struct {
	Scope     string      `yaml:"scope"`
	Namespace string      `yaml:"namespace"`
	Etcd3     etcdSection `yaml:"etcd3"`
	Ctl       ctlSection  `yaml:"ctl"`
}

// ctlConfig renders patronictl.yaml, the same on every member's host.
func (o Options) ctlConfig() ([]byte, error) {
	doc := &yaml.Node{}
	err := doc.Encode(ctlFile{Scope: o.Scope, Namespace: o.Namespace, Etcd3: o.etcdSection(),
		Ctl: ctl()})
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", ctlPath, err)
	}
	return text(ctlHeader, doc)
}

// ctlFiles are the folders of ctlPath and the file itself, as the layout has them.
func ctlFiles() []layout.File {
	const from = "cluster, patroni.namespace, etcd.client_port, hosts"
	folder := path.Dir(ctlPath)
	return []layout.File{
		// Programs of root's keep their settings there, too.
		{Path: path.Dir(folder), Dir: true, Mode: 0o700, MostMode: 0o755, From: from},
		{Path: folder, Dir: true, Mode: 0o700, From: from},
		{Path: ctlPath, Mode: 0o600, From: from},
	}
}

// ctlResources put patronictl.yaml on a host.
func (o Options) ctlResources() ([]remote.Resource, error) {
	content, err := o.ctlConfig()
	if err != nil {
		return nil, err
	}
	l, folder := Layout(o), path.Dir(ctlPath)
	return []remote.Resource{l.Folder(path.Dir(folder)), l.Folder(folder),
		l.Place(ctlPath, content)}, nil
}
