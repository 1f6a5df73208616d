package etcd

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/pgha/toolkit/pgha/layout"
)

const (
	// Unit is etcd's systemd unit.
	Unit     = layout.EtcdUnit
	unitFile = "/etc/systemd/system/" + Unit
)

//go:embed etcd.service
var serviceTemplate string

// service renders the unit. It has the same name for every source: a file in /etc shadows the
// distribution's unit.
//
// The unit is the same on every host. Where the system's own limit of open files is below
// LimitNOFILE and cannot be raised, or OOMScoreAdjust may not be lowered (a container without
// CAP_SYS_RESOURCE), systemd takes what it can get and starts etcd all the same (tried with systemd
// 262 and a hard limit of 20000), so there is nothing to probe.
func (o Options) service() []byte {
	further := ""
	if len(o.Unit) > 0 {
		further = "# From the specification.\n" + strings.Join(o.Unit, "\n") + "\n"
	}
	r := strings.NewReplacer("{{header}}", header, "{{user}}", user, "{{data}}", o.DataDir,
		"{{env}}", envFile,
		"{{program}}", o.program(), "{{empty}}", emptyVariable, "{{further}}", further)
	return []byte(r.Replace(serviceTemplate))
}

// program is the path of etcd on the hosts.
func (o Options) program() string {
	if o.Source == SourceDistribution {
		return "/usr/bin/etcd"
	}
	return fmt.Sprintf("%s/etcd", binDir)
}
