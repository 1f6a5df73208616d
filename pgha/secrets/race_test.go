package secrets

import (
	"io"
	"log/slog"
	"sync"
	"testing"

	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/status"
)

// TestRotationBesideOtherCalls fails to replace a password while others look at the cluster. Each
// must find options that fit together. Run it with -race.
func TestRotationBesideOtherCalls(t *testing.T) {
	t.Parallel()
	r, s := unreachableJob(t)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					readOptions(t, r.Site)
				}
			}
		})
	}
	for range 5 {
		before := r.Credentials()
		if err := rotatePasswords(t.Context(), r, s, []string{vault.RoleReplication}); err == nil {
			t.Error("a password was rotated on hosts that do not answer")
		}
		if r.Credentials() != before {
			t.Error("a rotation that failed left its credentials")
		}
	}
	close(stop)
	readers.Wait()
}

// unreachableJob is work on a cluster with credentials and without a connection.
func unreachableJob(t *testing.T) (*job.Job, *vault.State) {
	t.Helper()
	sp := testkit.Spec(t)
	s, err := vault.OpenState(sp.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	cr, err := vault.LoadCredentials(t.Context(), s, sp)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	c := (&site.Site{Spec: sp, State: s, Log: log}).Hold(cr)
	return &job.Job{Site: c, Out: &event.Emitter{Log: log}, Lenient: true}, s
}

// readOptions does what other methods of a cluster do at any time.
func readOptions(t *testing.T, c *site.Site) {
	po, err := c.PatroniOptions()
	if err != nil {
		t.Error(err)
		return
	}
	for _, m := range po.Members {
		if err := pki.Verify(m.REST.Cert, po.RESTCA,
			pki.VerifyOptions{Usage: pki.ServerUsage}); err != nil {
			t.Errorf("options of two rotations: %v", err)
		}
	}
	if _, err := c.EtcdOptions(); err != nil {
		t.Error(err)
	}
	if _, err := c.ConnConfig(); err != nil {
		t.Error(err)
	}
	if _, err := c.State.Identity(); err != nil {
		t.Error(err)
	}
	if _, err := status.Look(t.Context(), c); err != nil {
		t.Error(err)
	}
}
