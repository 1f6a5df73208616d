package power

import (
	"testing"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
)

// TestRefuseAbsence: a host that the rest cannot do without is not rebooted.
func TestRefuseAbsence(t *testing.T) {
	t.Parallel()
	sp := sitetest.PowerSpec()
	alone := sitetest.PowerSpec()
	alone.Hosts = alone.Hosts[:1]
	checkRefusal(t, refuseAbsence(sp, sitetest.PowerStatus(), sp.Hosts, false), nil, "")
	checkRefusal(t, refuseAbsence(sp, sitetest.PowerStatus("db3"), named(sp, "lb1", "db2"), false),
		errs.ErrRefused, "while db2 reboots: etcd would lose its quorum")
	checkRefusal(t, refuseAbsence(sp, sitetest.PowerStatus("db3"), named(sp, "db2"), true), nil, "")
	checkRefusal(t, refuseAbsence(alone, sitetest.PowerStatus("db2", "db3"), alone.Hosts, false),
		errs.ErrRefused, "no healthy member")
}
