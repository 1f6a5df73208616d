package etcd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/errs"
)

// judgeLeftOut refuses what takes all members while some are left out: a restart that would leave
// no quorum, and a cluster that is formed again, of which a member that comes back with its data
// would be none.
func (o Options) judgeLeftOut(seen []facts) error {
	there := o.all()
	var away []string
	for i, m := range o.Members {
		if !slices.Contains(there, i) {
			away = append(away, m.Target.Name)
		}
	}
	if len(away) == 0 {
		return nil
	}
	without := strings.Join(away, " and ")
	if !slices.ContainsFunc(seen, func(f facts) bool { return f.hasData }) {
		return errs.WithNext(fmt.Errorf("%w: no other host has data of etcd, and %s may have some",
			errs.ErrRefused, without), errs.Text("bring %s back first, then %s", without,
			errs.Verb("apply")))
	}
	var restarts []string
	for _, i := range o.stale(seen) {
		restarts = append(restarts, o.Members[i].Target.Name)
	}
	if quorum := len(o.Members)/2 + 1; len(restarts) == 0 || len(there)-1 >= quorum {
		return nil
	}
	return errs.WithNext(fmt.Errorf("%w: etcd on %s has to be restarted for this, and without %s "+
		"it has no quorum meanwhile: writes would stop", errs.ErrRefused,
		strings.Join(restarts, ", "), without),
		errs.Text("leave the fields of etcd as they were until %s is back, or replace its host "+
			"by an empty one",
			without))
}
