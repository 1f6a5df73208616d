package engine

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/remote"
)

func TestVerbsSayWhatFailsafeForbids(t *testing.T) {
	t.Parallel()
	c := &site.Site{Spec: sitetest.PowerSpec()}
	c.Spec.Patroni.FailsafeMode = true
	away := fmt.Errorf("%w: no member answers", etcd.ErrUnhealthy)
	for _, verb := range []string{"restart", "reinit", "rolling-reboot", "switchover", "failover"} {
		if err := aboutFailsafe(c, verb, away); !errors.Is(err, errs.ErrRefused) ||
			!errors.Is(err, etcd.ErrUnhealthy) || remote.Hint(err) == "" {
			t.Errorf("%s: %v", verb, err)
		}
	}
	if err := aboutFailsafe(c, "pause", away); errors.Is(err, errs.ErrRefused) {
		t.Errorf("pause stops no Patroni: %v", err)
	}
	c.Spec.Patroni.FailsafeMode = false
	if err := aboutFailsafe(c, "restart", away); errors.Is(err, errs.ErrRefused) {
		t.Errorf("without failsafe_mode: %v", err)
	}
}
