package labtest

import (
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/doctor"
)

// elsewhere are findings whose remedy another test than those of doctor_test.go types or has
// done, as it is printed.
var elsewhere = map[string]string{
	"fence-stays":    "TestFastFailover/a fence stays: doctor --fix",
	"leftover-table": "TestAccess: doctor --fix",
}

// untried are findings whose remedy no test has carried out as it is printed. The list only becomes
// shorter: a finding that is new, or that a test mends by now, may not stand in it.
var untried = strings.Fields(`
	address-refuses-everybody archive-backlog archive-failing archive-stuck authority-ending
	backend-down backup-gap backup-too-old backup-unproven clock-unsynchronised clock-wrong
	configuration-not-loaded connections-nearly-exhausted etcd-corrupt etcd-database-large
	etcd-forgot-cluster etcd-member-missing etcd-member-unknown etcd-no-space etcd-not-answering
	etcd-quorum-lost etcd-slow-disk etcd-wrong-cluster failover-held-back fence
	haproxy-not-answering haproxy-reload-failed no-primary not-healthy package-missing
	patroni-cut-from-etcd patroni-not-answering postgres-not-answering postgres-start-failed
	prepared-transaction replica-lags replica-not-streaming replica-on-old-timeline
	reset-unfinished rewind-impossible slot-inactive slot-left-over slot-lost slot-undeclared
	specification-refused stands-aside state-directory-refused synchronous-standby-missing
	two-primaries unit-failed versions-differ virtual-ip-missing wrong-system-identifier`)

// TestRemediesAreCarriedOut: each finding stands with the test that has carried out its remedy, or
// among those of which none has.
func TestRemediesAreCarriedOut(t *testing.T) {
	t.Parallel()
	w := &ward{T: t, primary: "p", replicas: []string{"r1", "r2"},
		balancers: []string{"b1", "b2", "b3"}}
	tried := map[string]bool{}
	for _, wave := range append(slices.Concat(waves(), certificateWaves()), conditionWave) {
		for _, f := range wave(w) {
			id, _, _ := strings.Cut(f.finding, "@")
			tried[id] = true
		}
	}
	for id := range elsewhere {
		tried[id] = true
	}
	ids := doctor.IDs()
	for _, id := range ids {
		switch listed := slices.Contains(untried, id); {
		case tried[id] && listed:
			t.Errorf("a test carries out the remedy of %s: take it out of untried", id)
		case !tried[id] && !listed:
			t.Errorf("no test carries out the remedy of %s", id)
		}
	}
	for _, id := range untried {
		if !slices.Contains(ids, id) {
			t.Errorf("untried has %s, which the doctor does not find", id)
		}
	}
	t.Logf("the remedies of %d of %d findings are carried out", len(ids)-len(untried), len(ids))
}
