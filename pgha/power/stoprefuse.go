package power

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/advisor/measure"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/hostlook"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// refuseStop says why these hosts must not be stopped now: nil, an error that matches ErrRefused,
// or patroni.ErrPaused. All hosts of the spec are the whole cluster, of which nothing has to go on.
func refuseStop(sp *spec.Spec, s status.Status, looks map[string]hostlook.Look, hosts []spec.Host,
	force bool) error {
	if s.Paused && len(site.Only(sp, spec.RoleDatabase, hosts)) > 0 {
		return errs.WithNext(fmt.Errorf("%w: Patroni would leave PostgreSQL running",
			patroni.ErrPaused),
			errs.Text("%s comes first", errs.Verb("resume")))
	}
	if force {
		return nil
	}
	rest := site.Without(sp.Hosts, hosts)
	if len(rest) > 0 {
		if err := engine.RefuseWithoutQuorum(sp, s, looks, hosts); err != nil {
			return err
		}
	}
	var reasons []string
	if silent := slices.DeleteFunc(slices.Clone(hosts),
		func(h spec.Host) bool { return looks[h.Name].Err == nil }); len(silent) > 0 {
		reasons = append(reasons, fmt.Sprintf("%s cannot be reached, and what runs there goes on",
			strings.Join(site.HostNames(silent), ", ")))
	}
	if len(rest) > 0 {
		reasons = append(reasons, measure.Removal(sp, s, hosts)...)
	}
	if len(reasons) == 0 {
		return nil
	}
	return errs.WithNext(fmt.Errorf("%w: %s", errs.ErrRefused, strings.Join(reasons, "; ")),
		errs.Text("bring back first what is down (%s); stop without hosts stops the whole "+
			"cluster in order; --force stops these all the same", errs.Verb("status")))
}
