package provision

import (
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/pki"
)

// TestWarnShortened: an apply names the authority that cuts its certificates short, and no other.
func TestWarnShortened(t *testing.T) {
	t.Parallel()
	c, _ := sitetest.HeldHosts(t)
	var said []string
	run := &job.Job{Site: c, Out: &event.Emitter{Log: c.Log, Observer: func(e event.Event) {
		said = append(said, e.Message)
	}}}
	if warnShortened(run); len(said) > 0 {
		t.Errorf("all is well, and it warns: %q", said)
	}
	ends, err := pki.NewCA("ends", pki.WithLifetime(10*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	c.Credentials().PostgresCA = append(c.Credentials().PostgresCA, ends.CertPEM()...)
	c.Spec.TLS.LeafLifetimeDays += 2
	warnShortened(run)
	if len(said) != 1 || !strings.Contains(said[0], "certificates of postgres end with its auth") ||
		!strings.Contains(said[0], ends.Ends().Format(time.DateOnly)) ||
		!strings.Contains(said[0], "certificates rotate-ca postgres") {
		t.Errorf("it warns: %q", said)
	}
}
