package advisor

import (
	"strings"

	"github.com/pgha/toolkit/internal/etcdrelease"
)

// etcdFaults: a release of etcd with faults that a later one of its series has not. What a
// distribution will install is not known here; preflight asks its hosts.
func (in input) etcdFaults() []Remark {
	faults := etcdrelease.Faults(in.Etcd.Version)
	if len(faults) == 0 {
		return nil
	}
	return remark("etcd-faults", Warning, "this release of etcd has known faults",
		"etcd.version is "+in.Etcd.Version+": "+strings.Join(faults, "; "),
		"etcd.version: "+etcdrelease.Default+"; apply then restarts one member after the other, "+
			"the leader last")
}
